"""Optimize, to make a plan cheaper without changing what its answers mean: small passes, each accountable.

A pass rewrites one layer at a time. Each can be left out, and what it saves is the difference that it makes to the
plan's bounds.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from smoadsl.builtins.providers import dialect_of
from smoadsl.calls.budget import Limits
from smoadsl.classes import dataclass
from smoadsl.plan.bounds import PROMPT_TOKENS, Walk
from smoadsl.plan.plan import Agent, Call, Decision, Layer, ModelJudge, Pipeline, Plan, Saving, active, moderators

_MOST_SAMPLES = 16  # of one request: every provider that takes several takes so many


@dataclass(frozen=True, slots=True)
class Where:
    """Where a layer stands: the plan's texts and providers, whether a budget is over it, and the layer before it."""

    plan: Plan
    is_capped: bool = False
    before: Layer | None = None


Rewritten = tuple[Layer, Sequence[Decision]]
Rewrite = Callable[[Layer, Where], Rewritten]


def optimize(plan: Plan, without: Collection[str] = ()) -> Plan:
    """The plan after each pass, but those left out, has seen every layer, also of pipelines that are agents."""
    for name, rewrite in PASSES.items():
        if name in without:
            continue
        decisions: list[Decision] = []
        cheaper = _pipeline(plan.pipeline, Where(plan), rewrite, decisions)
        unique = tuple(dict.fromkeys(decisions))  # a pipeline may be an agent in several places
        if unique:
            after = plan.model_copy(update={"pipeline": cheaper, "decisions": (*plan.decisions, *unique)})
            plan = after.model_copy(update={"savings": (*plan.savings, _saving(name, plan, after))})
        elif cheaper is not plan.pipeline:
            plan = plan.model_copy(update={"pipeline": cheaper})
    return plan


def _saving(name: str, before: Plan, after: Plan) -> Saving:
    least, full = (
        [Walk(plan, mode, PROMPT_TOKENS, {}).cost() for plan in (before, after)] for mode in ("least", "full")
    )
    return Saving(
        pass_name=name,
        least_calls=least[0].calls - least[1].calls,
        full_calls=full[0].calls - full[1].calls,
        full_tokens=full[0].tokens - full[1].tokens,
    )


def _pipeline(pipeline: Pipeline, where: Where, rewrite: Rewrite, decisions: list[Decision]) -> Pipeline:
    is_capped = where.is_capped or pipeline.budget != Limits()
    layers: list[Layer] = []
    for layer in pipeline.layers:
        if any(isinstance(agent.does, Pipeline) for agent in layer.agents):
            inside = Where(where.plan, is_capped)
            agents = tuple(_agent(agent, inside, rewrite, decisions) for agent in layer.agents)
            if any(now is not before for now, before in zip(agents, layer.agents, strict=True)):
                layer = layer.model_copy(update={"agents": agents})
        layer, made = rewrite(layer, Where(where.plan, is_capped, layers[-1] if layers else None))
        decisions += made
        layers.append(layer)
    if all(now is before for now, before in zip(layers, pipeline.layers, strict=True)):
        return pipeline
    return pipeline.model_copy(update={"layers": tuple(layers)})


def _agent(agent: Agent, where: Where, rewrite: Rewrite, decisions: list[Decision]) -> Agent:
    match agent.does:
        case Pipeline():
            cheaper = _pipeline(agent.does, where, rewrite, decisions)
            return agent if cheaper is agent.does else agent.model_copy(update={"does": cheaper})
        case Call():
            return agent


# ---- the passes


def fuse_judge_and_moderator(layer: Layer, where: Where) -> Rewritten:
    """Judge and moderator on the same declared model become one call while the stop rule is open."""
    judge = layer.judge
    if judge is None or not judge.fuse or not isinstance(judge.by, ModelJudge) or not layer.stops:
        return layer, ()
    call, templates = judge.by.call, where.plan.templates
    if judge.by.kind == "pairwise" or (not call.built_in and not re.search(r"\bmoderate\b", templates[call.template])):
        return layer, ()  # nothing in these calls could ask the moderator's question
    asked = [found for stop in layer.stops for found in moderators(stop.condition)]
    if not any(m.call.model == call.model and m.call.built_in for m in asked):
        return layer, ()
    message = f"layer {layer.name}: judge and moderator are one call of {call.model}"
    fused = layer.model_copy(update={"judge": judge.model_copy(update={"fused": True})})
    return fused, [Decision(pass_name="fuse", message=message, origin=judge.origin)]


def spare_judges(layer: Layer, where: Where) -> Rewritten:
    """No model judges where there is nothing to choose: few enough are left, or all answers are equal."""
    judge = layer.judge
    if judge is None or not isinstance(judge.by, ModelJudge) or judge.is_read:
        return layer, ()
    count, in_last, before = active(layer), "", ""
    if judge.read_in(1, layer.rounds):
        in_last = f" in round {layer.rounds}, the last,"
        before = f"; before it, {'remarks' if judge.feedback else 'scores'} are read"
    if judge.keep is None or judge.keep >= count:
        why = f"since all {count} go on"
        message = f"layer {layer.name}: {judge.by.call.model} is not asked to judge{in_last} {why}{before}"
    else:
        when = f"when all answers are equal, or {judge.keep} or fewer are left"
        message = f"layer {layer.name}: no judge is asked{in_last} {when}{before}"
    spared = layer.model_copy(update={"judge": judge.model_copy(update={"spared": True})})
    return spared, [Decision(pass_name="spare", message=message, origin=judge.origin)]


def merge_samples(layer: Layer, where: Where) -> Rewritten:
    """Agents that are asked the same are one request for several answers, where the provider takes that: what they read
    is paid once. A quorum waits for the fastest of them, so there each asks for itself."""
    if layer.quorum or layer.activate:
        return layer, ()
    alike: dict[object, list[str]] = {}
    origins: dict[str, str] = {}
    for agent in layer.agents:
        if isinstance(agent.does, Call) and agent.view.kind in ("all", "none", "named") and _several(agent.does, where):
            call = agent.does
            alike.setdefault((call.model, call.template, repr(call.routes), agent.role, agent.view), []).append(
                agent.name
            )
            origins[agent.name] = agent.origin
    groups = [
        tuple(names[first : first + _MOST_SAMPLES])
        for names in alike.values()
        for first in range(0, len(names), _MOST_SAMPLES)
    ]
    merged = tuple(group for group in groups if len(group) > 1)
    decisions = [
        Decision(
            pass_name="merge",
            message=f"layer {layer.name}: {', '.join(group)} are one request for {len(group)} answers",
            origin=origins[group[0]],
        )
        for group in merged
    ]
    return layer.model_copy(update={"merged": merged}) if merged else layer, decisions


def _several(call: Call, where: Where) -> bool:
    """Whether one request can bring several answers of a call, whichever route it goes."""
    if not call.built_in and re.search(r"\bagent\b", where.plan.templates[call.template]):
        return False  # it tells each who it is
    for route in call.routes:
        provider = where.plan.providers[route.provider]
        if route.hedge_s is not None or route.length != "accept":
            return False  # what these say is of one answer
        if not dialect_of(provider.adapter, provider.base_url).n:
            return False
    return True


def drop_barriers(layer: Layer, where: Where) -> Rewritten:
    """Where nobody looks at a whole round, agents that see only some of its responses need not wait for the others. A
    budget must not be spent on a later round while an earlier one may still need it."""
    early = [agent.name for agent in layer.agents if agent.view.kind not in ("all", "peers")]
    if where.is_capped or not early or not _is_free(layer):
        return layer, ()
    flows = layer.rounds > 1 and len(layer.agents) > 1
    joins = layer.when is None and where.before is not None and _is_free(where.before) and len(where.before.agents) > 1
    if not flows and not joins:
        return layer, ()
    who = "each agent" if len(early) == len(layer.agents) else ", ".join(early)
    when = "a round" if flows else "the layer"
    message = f"layer {layer.name}: {who} starts {when} as soon as it has what it sees"
    free = layer.model_copy(update={"flows": flows, "joins": joins})
    return free, [Decision(pass_name="flow", message=message, origin=layer.origin)]


def _is_free(layer: Layer) -> bool:
    """Whether nobody looks at a whole round of the layer."""
    return not (layer.judge or layer.quorum or layer.stops or layer.activate)


PASSES: Mapping[str, Rewrite] = {
    "fuse": fuse_judge_and_moderator,
    "spare": spare_judges,
    "merge": merge_samples,
    "flow": drop_barriers,
}
