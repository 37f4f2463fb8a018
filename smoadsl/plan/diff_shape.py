"""Diff shape, to walk the pipelines of two plans side by side: layers and rounds, judges and rules, the aggregate."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from smoadsl.plan import plan as plans
from smoadsl.plan import writing
from smoadsl.plan.diff_agents import agents_differ
from smoadsl.plan.diff_notes import Notes
from smoadsl.plan.matching import matched

Pipelines = tuple[plans.Pipeline, plans.Pipeline]


def pipelines_differ(before: plans.Pipeline, after: plans.Pipeline, notes: Notes) -> None:
    """The pipeline, and those that are agents in both: each once, however often it is one."""
    pairs = {(before.name, after.name): (before, after)}
    waiting = [(before, after, "")]
    while waiting:
        old, new, where = waiting.pop(0)
        for inner in _pipeline(old, new, where, notes):
            if (inner[0].name, inner[1].name) not in pairs:
                pairs[inner[0].name, inner[1].name] = inner
                waiting.append((*inner, f"pipeline {inner[1].name}, "))


def _pipeline(before: plans.Pipeline, after: plans.Pipeline, inside: str, notes: Notes) -> Iterator[Pipelines]:
    here = f"pipeline {after.name}"
    notes.renamed(here, "name", before.name, after.name)
    notes.differ(here, "answer", writing.answer(before.answer), writing.answer(after.answer))
    new = asdict(after.budget)
    for name, limit in asdict(before.budget).items():
        notes.differ(here, f"budget {name}", limit, new[name])
    pairs = matched(before.layers, after.layers, lambda layer: layer.name, _same_layer, _near_layer)
    for old_layer, new_layer in pairs:
        if new_layer is None:
            assert old_layer is not None
            notes.differ(here, "layer", _in_short(old_layer), None)
        elif old_layer is None:
            notes.differ(here, "layer", None, _in_short(new_layer))
        else:
            yield from _layer(old_layer, new_layer, f"{inside}layer {new_layer.name}", notes)
    stayed = [(old.name, new.name) for old, new in pairs if old and new]
    notes.reordered(here, "order of layers", [layer.name for layer in before.layers], stayed)
    _aggregates(before.aggregate, after.aggregate, f"{inside}aggregate", notes)


def _in_short(layer: plans.Layer) -> str:
    rounds = f", {layer.rounds} rounds" if layer.rounds > 1 else ""
    names = ", ".join(agent.name for agent in layer.agents)
    return f"{layer.name}: {names}{rounds}"


def _same_layer(before: plans.Layer, after: plans.Layer) -> bool:
    return _essence(before) == _essence(after)


def _essence(layer: plans.Layer) -> str:
    """A layer without its name and the places in its file."""
    return json.dumps(_without_origins(layer.model_dump(mode="json", exclude={"name"})))


def _without_origins(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_origins(inner) for key, inner in value.items() if key != "origin"}
    return [_without_origins(inner) for inner in value] if isinstance(value, list) else value


def _near_layer(before: plans.Layer, after: plans.Layer) -> bool:
    """Whether at least half of the agents are the same by name."""
    old, new = ({agent.name for agent in layer.agents} for layer in (before, after))
    return 2 * len(old & new) >= max(len(old), len(new))


def _layer(before: plans.Layer, after: plans.Layer, here: str, notes: Notes) -> Iterator[Pipelines]:
    notes.renamed(here, "name", before.name, after.name)
    notes.differ(here, "rounds", before.rounds, after.rounds)
    old_when, new_when = (writing.condition(layer.when) if layer.when else None for layer in (before, after))
    notes.differ(here, "when", old_when, new_when)
    yield from agents_differ(before, after, here, notes)
    old_gate, new_gate = before.activate, after.activate
    notes.differ(here, "activate", old_gate and writing.gate(old_gate), new_gate and writing.gate(new_gate))
    if old_gate and new_gate and old_gate.router and new_gate.router:
        notes.asks(f"{here}, router", old_gate.router, new_gate.router)
    old_quorum, new_quorum = before.quorum, after.quorum
    notes.differ(here, "quorum", old_quorum and writing.quorum(old_quorum), new_quorum and writing.quorum(new_quorum))
    _judges(before.judge, after.judge, here, notes)
    _stops(before, after, here, notes)


def _stops(before: plans.Layer, after: plans.Layer, here: str, notes: Notes) -> None:
    old, new = ([writing.stop(stop) for stop in layer.stops] for layer in (before, after))
    gone, come = [rule for rule in old if rule not in new], [rule for rule in new if rule not in old]
    for place in range(max(len(gone), len(come))):
        was, is_ = (rules[place] if place < len(rules) else None for rules in (gone, come))
        notes.differ(here, "stop", was and was.removeprefix("stop "), is_ and is_.removeprefix("stop "))
    asked = [_moderators(layer) for layer in (before, after)]
    if len(asked[0]) == len(asked[1]):
        for was_asked, is_asked in zip(*asked, strict=True):
            notes.asks(f"{here}, moderator", was_asked.call, is_asked.call)


def _moderators(layer: plans.Layer) -> list[plans.Moderator]:
    rules = [*([layer.when] if layer.when else []), *(stop.condition for stop in layer.stops)]
    return [moderator for rule in rules for moderator in plans.moderators(rule)]


# ---- judges and aggregates


def _judges(before: plans.Judge | None, after: plans.Judge | None, here: str, notes: Notes) -> None:
    if before is None or after is None:
        notes.differ(here, "judge", before and _judge_in_short(before), after and _judge_in_short(after))
        return
    if isinstance(before.by, plans.ModelJudge) and isinstance(after.by, plans.ModelJudge):
        notes.asks(f"{here}, judge", before.by.call, after.by.call)
        notes.differ(here, "kind of judge", before.by.kind, after.by.kind)
    else:
        notes.differ(here, "judge", writing.judge(before.by), writing.judge(after.by))
    notes.differ(here, "keep", "all" if before.keep is None else before.keep, after.keep or "all")
    for name in ("min_score", "dedupe", "feedback", "shuffle", "otherwise", "fuse"):
        notes.differ(here, name, getattr(before, name), getattr(after, name))
    notes.reads(f"criteria of the judge, {here}", before.criteria, after.criteria)


def _judge_in_short(judge: plans.Judge) -> str:
    return writing.judge(judge.by) + (f" keep {judge.keep}" if judge.keep is not None else "")


def _aggregates(before: plans.Aggregate, after: plans.Aggregate, here: str, notes: Notes) -> None:
    if isinstance(before, plans.FreeAggregate) or isinstance(after, plans.FreeAggregate):
        notes.differ(here, "by", writing.aggregate(before), writing.aggregate(after))
        return
    notes.asks(here, before.call, after.call)
    notes.differ(here, "otherwise", before.otherwise, after.otherwise)
    notes.differ(here, "stream", before.stream, after.stream)
    notes.reads(f"schema of the answer, {here}", _schema(before), _schema(after))


def _schema(end: plans.ModelAggregate) -> str | None:
    return None if end.output is None else json.dumps(end.output, indent=2, ensure_ascii=False)
