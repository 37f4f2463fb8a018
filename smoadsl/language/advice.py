"""Advice, to point at what is allowed but hardly meant. It never changes an exit code, and is given only where nothing
is wrong. `# moa: allow MOA901` on a line keeps it quiet there."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.language import checked, nodes, problems
from smoadsl.language.resolve import KINDS, Names

_Rounds = frozenset[int]
_NEVER: _Rounds = frozenset()
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne
}  # fmt: skip
_ALLOWED = re.compile(r"#\s*moa:\s*allow\s+((?:MOA\d{3}[\s,]*)+)")


def advice(
    names: Names, program: checked.Program, files: Sequence[nodes.File], roles_are_made: bool = False
) -> Iterator[Diagnostic]:
    """All advice on a program, less what its lines allow. `roles_are_made`: whoever asks makes missing roles anyway."""
    for found in _all(names, program, files, roles_are_made):
        line = found.span.source.line(found.span.source.place(found.span.start)[0])
        allowed = _ALLOWED.search(line)
        if not allowed or found.code not in allowed[1]:
            yield found


def _all(
    names: Names, program: checked.Program, files: Sequence[nodes.File], roles_are_made: bool
) -> Iterator[Diagnostic]:
    offered = set(_offered(names))
    for item in files[0].items:  # a file that is imported may offer more than this one needs
        if isinstance(item, nodes.Import | nodes.Test | nodes.Pipeline) or not program.pipelines:
            continue
        if item.name.text not in names.used | offered:
            yield problems.unused(item.name.span, KINDS[type(item)], item.name.text)
    dealt = _dealt([program.pipelines[name] for name in program.main if name in program.pipelines])
    for recipe in program.recipes:
        if not recipe.locked and not roles_are_made and recipe.name in dealt:
            yield problems.not_locked(recipe.span, recipe.name, recipe.span.source.name)
    for name in program.main:
        if name in program.pipelines:
            yield from _pipeline(program.pipelines[name])


def _dealt(pipelines: Sequence[checked.Pipeline]) -> set[str]:
    """The generated lists whose roles agents of these pipelines have, or of pipelines inside."""
    dealt: set[str] = set()
    waiting, seen = list(pipelines), {pipeline.name for pipeline in pipelines}
    while waiting:
        for agent in (agent for layer in waiting.pop().layers for agent in layer.agents):
            if agent.role and agent.role.recipe:
                dealt.add(agent.role.recipe.name)
            if isinstance(agent.target, checked.Pipeline) and agent.target.name not in seen:
                seen.add(agent.target.name)
                waiting.append(agent.target)
    return dealt


def _offered(names: Names) -> Iterator[str]:
    """What the params that are used can stand for, whatever they stand for now."""
    for name, param in names.declared.items():
        if isinstance(param, nodes.Param) and name in names.used:
            for value in (param.value, *(param.choices.items if param.choices else ())):
                items = value.items if isinstance(value, nodes.List) else (value,)
                yield from (item.name for item in items if isinstance(item, nodes.Ref))


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
    """Whether a stop rule may hold in any round in which it is looked at, whatever the run brings."""
    last = layer.rounds if stop.whole_pipeline and follows else layer.rounds - 1
    rounds = frozenset(range(1, last + 1))
    return _sure(stop.condition, rounds)[1] != rounds


def _sure(condition: checked.Condition, rounds: _Rounds) -> tuple[_Rounds, _Rounds]:
    """Of some rounds, those in which a condition is sure to hold, and those in which it is sure not to."""
    match condition:
        case checked.Constant(value):
            return (rounds, _NEVER) if value else (_NEVER, rounds)
        case checked.Not(part):
            yes, no = _sure(part, rounds)
            return no, yes
        case checked.Or(parts) | checked.And(parts):
            known = [_sure(part, rounds) for part in parts]
            any_yes, all_no = _NEVER.union(*(yes for yes, _ in known)), rounds.intersection(*(no for _, no in known))
            any_no, all_yes = _NEVER.union(*(no for _, no in known)), rounds.intersection(*(yes for yes, _ in known))
            return (any_yes, all_no) if isinstance(condition, checked.Or) else (all_yes, any_no)
        case checked.Compare("round", sign, value):
            yes = _rounds_in_which(sign, value, rounds)
            return yes, rounds - yes
        case checked.Compare() | checked.Moderator():
            return _NEVER, _NEVER


@lru_cache(512)
def _rounds_in_which(sign: str, value: float, rounds: _Rounds) -> _Rounds:
    """The rounds whose number is so compared with a value."""
    return frozenset(number for number in rounds if _COMPARISONS[sign](number, value))


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
