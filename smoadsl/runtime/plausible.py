"""Plausible, to tell the trace of a run from what no run can have told: its plan hangs together, and its times and
counts are those of this world."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from smoadsl.builtins.answers import read_answer
from smoadsl.plan.plan import ModelAggregate, Pipeline, Plan, calls_of
from smoadsl.runtime.events import Event, RunStarted

_MOST_S = 30 * 86_400.0  # longer than any run; a clock that counts from 0 is exact to a nanosecond until then
_MOST = 1 << 64
_SAID = "retry_after_s"  # by a provider, who may say any number
_MOST_ROUNDS = 1_000
_REPAIR = "built-in repair"
_THEIRS = ("input", "value", "extra", "output")  # what is in these has names of the user's


def implausible(told: Sequence[Event]) -> Iterator[tuple[int, str]]:
    """What no run can have told, each as the end of a sentence with the number of its event, counted from 1."""
    for number, event in enumerate(told, 1):
        yield from ((number, why) for why in _numbers(event.model_dump(exclude={"seed"}), ""))  # a run's is any number
        if isinstance(event, RunStarted):
            yield from ((number, why) for why in _of_plan(event.plan))
            if number > 1:
                yield number, "it begins a second run"
            if not event.messages or event.messages[-1].role != "user":
                yield number, "its messages do not end with a request"


def _numbers(value: Any, name: str, is_theirs: bool = False) -> Iterator[str]:
    """The numbers that are out of range, by the name that they have: a unit is the last part of a name."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from _numbers(inner, str(key), is_theirs or key in _THEIRS)
        case list() | tuple():
            for inner in value:
                yield from _numbers(inner, name, is_theirs)
        case bool():
            pass
        case int() | float():
            if not is_theirs and name.endswith("_s") and name != _SAID and not 0 <= value <= _MOST_S:
                yield f"`{name}` is {value:g} seconds"
            elif not abs(value) < (_MOST if isinstance(value, int) else math.inf):
                yield f"`{name}` is no number that it can be"
        case _:
            pass


def _of_plan(plan: Plan) -> Iterator[str]:
    """What its plan lacks."""
    if _REPAIR not in plan.templates:
        yield f"its plan lacks the template `{_REPAIR}`"
    for call in calls_of(plan.pipeline):
        if not call.routes:
            yield f"its plan has no route for `{call.model}`"
        yield from (f"its plan lacks the template `{name}`" for name in [call.template] if name not in plan.templates)
        for route in call.routes:
            if route.provider not in plan.providers:
                yield f"its plan lacks the provider `{route.provider}`"
    yield from _of_pipeline(plan.pipeline)


def _of_pipeline(pipeline: Pipeline) -> Iterator[str]:
    try:
        read_answer(pipeline.answer, "{}")
    except (LookupError, re.error):
        yield f"its pipeline `{pipeline.name}` has no answer that can be read"
    if isinstance(pipeline.aggregate, ModelAggregate) and pipeline.aggregate.output is not None:
        from smoadsl.builtins.schemas import SchemaError, read_schema  # jsonschema is imported where there is a schema

        try:
            read_schema(orjson.dumps(pipeline.aggregate.output).decode())
        except SchemaError as error:
            yield f"the schema of its answer is none: {error}"
    for layer in pipeline.layers:
        names = [agent.name for agent in layer.agents]
        counts = [one.count for one in (layer.activate, layer.quorum) if one is not None]
        merged = [name for group in layer.merged for name in group]
        if not names or len(set(names)) < len(names):
            yield f"its layer `{layer.name}` has no agents, or two of one name"
        if not 1 <= layer.rounds <= _MOST_ROUNDS:
            yield f"its layer `{layer.name}` has {layer.rounds} rounds"
        if not all(1 <= count <= len(names) for count in counts):
            yield f"its layer `{layer.name}` waits for agents that it does not have"
        if not set(merged) <= set(names) or not all(layer.merged):
            yield f"its layer `{layer.name}` asks for agents that it does not have"
        for agent in layer.agents:
            if isinstance(agent.does, Pipeline):
                yield from _of_pipeline(agent.does)
