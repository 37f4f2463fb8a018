"""Advice, to point at what is allowed but hardly meant. It never changes an exit code, and is given only where nothing
is wrong. `# moa: allow MOA901` on a line keeps it quiet there."""

import re
from collections.abc import Iterator, Sequence

from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.language import checked, nodes, problems
from smoadsl.language.resolve import KINDS, Names

_ALLOWED = re.compile(r"#\s*moa:\s*allow\s+((?:MOA\d{3}[\s,]*)+)")


def advice(names: Names, program: checked.Program, files: Sequence[nodes.File]) -> Iterator[Diagnostic]:
    """All advice on a program, less what its lines allow."""
    for found in _all(names, program, files):
        line = found.span.source.line(found.span.source.place(found.span.start)[0])
        allowed = _ALLOWED.search(line)
        if not allowed or found.code not in allowed[1]:
            yield found


def _all(names: Names, program: checked.Program, files: Sequence[nodes.File]) -> Iterator[Diagnostic]:
    for item in files[0].items:  # a file that is imported may offer more than this one needs
        if isinstance(item, nodes.Import | nodes.Test | nodes.Pipeline) or not program.pipelines:
            continue
        if item.name.text not in names.used:
            yield problems.unused(item.name.span, KINDS[type(item)], item.name.text)
    for recipe in program.recipes:
        if not recipe.locked:
            yield problems.not_locked(recipe.span, recipe.name, recipe.span.source.name)
    for name in program.main:
        if name in program.pipelines:
            yield from _pipeline(program.pipelines[name])


def _pipeline(pipeline: checked.Pipeline) -> Iterator[Diagnostic]:
    for index, layer in enumerate(pipeline.layers):
        active = layer.activate.count if layer.activate else len(layer.agents)
        judge = layer.judge
        if judge and judge.keep == active and not _otherwise_useful(layer, judge):
            yield problems.keeps_all(judge.span, active)
        if judge and judge.feedback and layer.rounds == 1:
            yield problems.remarks_unread(judge.span, layer.name)
        follows = index + 1 < len(pipeline.layers)
        for stop in layer.stops:
            if not _can_fire(layer, stop, follows):
                yield problems.never_stops(stop.span)
            elif _grounds(stop.condition) == {"similarity"}:
                yield problems.only_similarity(stop.span)


def _otherwise_useful(layer: checked.Layer, judge: checked.Judge) -> bool:
    """Whether a judge that drops nobody by count still does something."""
    return judge.feedback or judge.min_score is not None or judge.dedupe is not None or judge.by in _DROPPING


_DROPPING = (checked.FreeJudge("cluster"),)


def _can_fire(layer: checked.Layer, stop: checked.Stop, follows: bool) -> bool:
    """Whether a stop rule holds in any round in which it is looked at, whatever the run brings."""
    last = layer.rounds if stop.whole_pipeline and follows else layer.rounds - 1
    return any(_may_hold(stop.condition, number) is not False for number in range(1, last + 1))


def _may_hold(condition: checked.Condition, number: int) -> bool | None:
    match condition:
        case checked.Constant(value):
            return value
        case checked.Not(part):
            inner = _may_hold(part, number)
            return None if inner is None else not inner
        case checked.Or(parts):
            found = [_may_hold(part, number) for part in parts]
            return True if True in found else None if None in found else False
        case checked.And(parts):
            found = [_may_hold(part, number) for part in parts]
            return False if False in found else None if None in found else True
        case checked.Compare("round", operator, value):
            return {
                "<": number < value, "<=": number <= value, ">": number > value,
                ">=": number >= value, "==": number == value, "!=": number != value,
            }[operator]  # fmt: skip
        case checked.Compare() | checked.Moderator():
            return None


def _grounds(condition: checked.Condition) -> set[str]:
    """What a condition rests on: measures, and moderators."""
    match condition:
        case checked.Or(parts) | checked.And(parts):
            return set().union(*map(_grounds, parts))
        case checked.Not(part):
            return _grounds(part)
        case checked.Compare(measure):
            return set() if measure == "round" else {measure}
        case checked.Moderator():
            return {"moderator"}
        case checked.Constant():
            return set()
