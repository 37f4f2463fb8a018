"""Optimize, to make a plan cheaper without changing what its answers mean: small passes, each accountable."""

import re
from collections.abc import Callable, Collection, Mapping

from smoadsl.plan.plan import Agent, Call, Decision, Layer, ModelJudge, Pipeline, Plan, moderators

Rewrite = Callable[[Layer, Mapping[str, str]], tuple[Layer, tuple[Decision, ...]]]


def optimize(plan: Plan, without: Collection[str] = ()) -> Plan:
    """The plan after each pass has seen every layer, those of pipelines that are agents included."""
    decisions: list[Decision] = []
    pipeline = _pipeline(plan.pipeline, plan.templates, decisions)
    unique = tuple(dict.fromkeys(decisions))  # a pipeline may be an agent in several places
    return plan.model_copy(update={"pipeline": pipeline, "decisions": unique})


def _pipeline(pipeline: Pipeline, templates: Mapping[str, str], decisions: list[Decision]) -> Pipeline:
    layers = []
    for layer in pipeline.layers:
        layer = layer.model_copy(update={"agents": tuple(_agent(a, templates, decisions) for a in layer.agents)})
        for rewrite in PASSES:
            layer, made = rewrite(layer, templates)
            decisions += made
        layers.append(layer)
    return pipeline.model_copy(update={"layers": tuple(layers)})


def _agent(agent: Agent, templates: Mapping[str, str], decisions: list[Decision]) -> Agent:
    match agent.does:
        case Pipeline():
            return agent.model_copy(update={"does": _pipeline(agent.does, templates, decisions)})
        case Call():
            return agent


def fuse_judge_and_moderator(layer: Layer, templates: Mapping[str, str]) -> tuple[Layer, tuple[Decision, ...]]:
    """Judge and moderator on the same declared model become one call while the stop rule is open."""
    judge = layer.judge
    if judge is None or not judge.fuse or not isinstance(judge.by, ModelJudge) or not layer.stops:
        return layer, ()
    call = judge.by.call
    if judge.by.kind == "pairwise" or (not call.built_in and not re.search(r"\bmoderate\b", templates[call.template])):
        return layer, ()  # nothing in these calls could ask the moderator's question
    asked = [found for stop in layer.stops for found in moderators(stop.condition)]
    if not any(m.call.model == call.model and m.call.built_in for m in asked):
        return layer, ()
    message = f"layer {layer.name}: judge and moderator are one call of {call.model}, which saves one a round"
    fused = layer.model_copy(update={"judge": judge.model_copy(update={"fused": True})})
    return fused, (Decision(pass_name="fuse", message=message, origin=judge.origin),)


PASSES: tuple[Rewrite, ...] = (fuse_judge_and_moderator,)
