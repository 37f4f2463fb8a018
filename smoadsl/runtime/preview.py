"""Preview, to have a plan make every call that it can before any is paid for: placeholders stand for the replies.

The plan is made one that nothing ends early, and is then run like any other: what is shown is what the executor sends.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, assert_never

import orjson

from smoadsl.adapters.base import JSON, Message, Request, Sampling
from smoadsl.builtins.answers import AnswerForm
from smoadsl.calls.budget import Limits
from smoadsl.frozen import Frozen
from smoadsl.plan import plan as plans
from smoadsl.runtime import events
from smoadsl.runtime.conditions import evaluate


class Shown(Frozen):
    """A call as it will be sent, so many `times`. `rounds` are those of its layer in which it is, none where it belongs
    to no round; `routes` are the model's own, which is asked first, and its fallbacks; `samples` are the agents who
    share the answers of one request; `labels` name the agents behind neutral ids."""

    purpose: events.Purpose
    agent: str
    layer: str
    rounds: tuple[int, ...]
    times: int = 1
    model: str
    routes: tuple[str, ...]
    settings: Sampling
    answer_schema: dict[str, Any] | None
    samples: tuple[str, ...] = ()
    labels: dict[str, str]
    messages: tuple[Message, ...]


class Preview(Frozen):
    """The calls for one prompt, in the order in which they are made. `assumed` says in sentences what was taken for
    granted where a reply decides."""

    version: Literal[1] = 1
    pipeline: str
    seed: int
    assumed: tuple[str, ...]
    calls: tuple[Shown, ...]


# ---- a plan that nothing ends early


def endless(plan: plans.Plan) -> plans.Plan:
    """The plan with every rule open: a layer that may run does, no round is spared but by what `round` alone decides,
    no budget ends it, and no placeholder is read as an answer or for a repetition. No provider needs a key."""
    return plan.without_keys().model_copy(update={"pipeline": _pipeline(plan.pipeline)})


def _pipeline(pipeline: plans.Pipeline) -> plans.Pipeline:
    end = pipeline.aggregate
    if isinstance(end, plans.ModelAggregate):
        end = end.model_copy(update={"output": None})  # which no placeholder would fit
    layers = tuple(_layer(layer) for layer in pipeline.layers)
    return pipeline.model_copy(update={"answer": AnswerForm(), "budget": Limits(), "layers": layers, "aggregate": end})


def _layer(layer: plans.Layer) -> plans.Layer:
    return layer.model_copy(
        update={
            "agents": tuple(_agent(agent) for agent in layer.agents),
            "when": _entered(layer.when) if layer.when else None,
            "judge": _judge(layer.judge) if layer.judge else None,
            "stops": tuple(_open(stop, layer.rounds) for stop in layer.stops),
        }
    )


def _agent(agent: plans.Agent) -> plans.Agent:
    match agent.does:
        case plans.Pipeline():
            return agent.model_copy(update={"does": _pipeline(agent.does)})
        case plans.Call():
            return agent
        case _:
            assert_never(agent.does)


def _judge(judge: plans.Judge) -> plans.Judge:
    """The judge that keeps as many as it may. Of placeholders, a free one but for chance keeps the first."""
    by = judge.by
    if isinstance(by, plans.FreeJudge) and by.kind != "random":
        by = plans.FreeJudge(kind="vote")
    return judge.model_copy(update={"by": by, "dedupe": None})


def _entered(condition: plans.Condition) -> plans.Condition:
    """A condition that holds once all the moderators who can decide it have said no."""
    if evaluate(condition, {}, {}) is not None:
        return condition
    asked = _asked(condition, {})
    return plans.And(parts=tuple(plans.Not(part=one) for one in asked)) if asked else plans.Constant(value=True)


def _open(stop: plans.Stop, rounds: int) -> plans.Stop:
    """The rule that asks, in each round, all the moderators who can decide it then, and does not hold when they say
    no; where nothing but the round decides it, it is as it was."""
    parts: list[plans.Condition] = []
    for number in range(1, rounds + 1):
        known = {"round": float(number)}
        this = plans.Compare(measure="round", operator="==", value=number)
        if evaluate(stop.condition, known, {}):
            parts.append(this)
        elif asked := _asked(stop.condition, known):
            parts.append(plans.And(parts=(this, plans.Or(parts=tuple(asked)))))
    never = plans.Constant(value=False)
    return stop.model_copy(update={"condition": plans.Or(parts=(*parts, never))})


def _asked(condition: plans.Condition, known: Mapping[str, float | None]) -> list[plans.Moderator]:
    """The moderators whose word can decide a condition of whose measures these are known, from left to right."""
    if evaluate(condition, known, {}) is not None:
        return []
    match condition:
        case plans.Or() | plans.And():
            return [moderator for part in condition.parts for moderator in _asked(part, known)]
        case plans.Not():
            return _asked(condition.part, known)
        case plans.Moderator():
            return [condition]
        case plans.Compare() | plans.Constant():
            return []
        case _:
            assert_never(condition)


# ---- what stands in the place of replies


def stand_in(call: events.CallStarted, request: Request, declared: Sequence[str], turn: int = 0) -> str:
    """The reply that holds a place: words that say whose it is, or a verdict that keeps the first of the `declared`
    agents. In another `turn` a router chooses those that come after the ones that it chose before."""
    asked: Mapping[str, JSON] = (request.schema or {}).get("properties", {})
    match call.purpose:
        case "propose":
            return f"‹response of {call.agent}, layer {call.layer}›"
        case "aggregate":
            inside = call.agent.removesuffix("aggregate").rstrip("/")
            return f"‹response of {inside}›" if inside else "‹the answer›"
        case "roles":
            count = asked["roles"]["minItems"]
            roles = [f"‹role {number} of {count} for {call.agent}›" for number in range(1, count + 1)]
            return orjson.dumps({"roles": roles}).decode()
        case "judge" | "moderator" | "router":
            return _verdict(call, asked, declared, turn)
        case _:
            assert_never(call.purpose)


def _verdict(call: events.CallStarted, asked: Mapping[str, JSON], declared: Sequence[str], turn: int) -> str:
    said: dict[str, JSON] = {"reason": ""}
    label_of = {agent: label for label, agent in call.labels.items()}
    labels = [label_of[agent] for agent in declared if agent in label_of] or list(call.labels)
    if "best" in asked:
        count = asked["best"]["minItems"]
        first = turn * count if call.purpose == "router" else 0
        said["best"] = [labels[(first + place) % len(labels)] for place in range(count)]
    if "scores" in asked:
        said["scores"] = dict.fromkeys(labels, 5)
    if "remarks" in asked:
        said["remarks"] = {label: f"‹the judge's remarks on {call.labels[label]}›" for label in labels}
    if "stop" in asked:
        said["stop"] = False
    return orjson.dumps(said).decode()
