"""Bounds, to prove what one prompt can take: calls, output tokens, and the longest chain of calls.

`least`: everything that can end early does. `full`: nothing fails, nothing ends early. `worst`: besides, every verdict
must be asked for twice. Retries are attempts of the same call and do not count.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from smoadsl.plan.plan import (
    Agent,
    And,
    Bounds,
    Call,
    Compare,
    Condition,
    Constant,
    Layer,
    ModelAggregate,
    ModelJudge,
    Moderator,
    Not,
    Or,
    Pipeline,
    Plan,
    Range,
    active,
    moderators,
)

Mode = Literal["least", "full", "worst"]


@dataclass(frozen=True, slots=True)
class _Cost:
    """Calls, output tokens, and the length of the longest chain of calls that wait for one another."""

    calls: int = 0
    tokens: int = 0
    path: int = 0

    def then(self, other: "_Cost") -> "_Cost":
        """This, and afterwards the other."""
        return _Cost(self.calls + other.calls, self.tokens + other.tokens, self.path + other.path)

    def or_else(self, other: "_Cost") -> "_Cost":
        """At most the one or the other."""
        return _Cost(max(self.calls, other.calls), max(self.tokens, other.tokens), max(self.path, other.path))


def bounds(plan: Plan) -> Bounds:
    """The bounds of a plan whose layers are as they will run."""
    least, full, worst = (_pipeline(plan.pipeline, mode) for mode in ("least", "full", "worst"))
    for recipe in plan.recipes:  # roles that no lock has may have to be made first
        worst = _verdict(recipe.call, "worst").then(worst)
    return Bounds(
        calls=Range(least=least.calls, full=full.calls, worst=worst.calls),
        output_tokens=Range(least=least.tokens, full=full.tokens, worst=worst.tokens),
        critical_path=Range(least=least.path, full=full.path, worst=worst.path),
    )


def _pipeline(pipeline: Pipeline, mode: Mode) -> _Cost:
    cost = _Cost()
    for index, layer in enumerate(pipeline.layers):
        before = pipeline.layers[:index]
        ended = mode == "least" and any(_may_end(earlier) for earlier in before)
        skipped = mode == "least" and layer.when is not None
        if not ended and not skipped:
            cost = cost.then(_when(layer, before, mode)).then(_layer(layer, index + 1 < len(pipeline.layers), mode))
    if isinstance(pipeline.aggregate, ModelAggregate):
        end = pipeline.aggregate
        cost = cost.then(_call(end.call, mode) if end.output is None else _verdict(end.call, mode))
    return cost


def _when(layer: Layer, before: Sequence[Layer], mode: Mode) -> _Cost:
    """The moderators that `when` may ask: of what the last round was asked too, the word is known, unless the layer
    before did not run."""
    cost = _Cost()
    known = _asked(before[-1], before[-1].rounds, follows=True) if before and mode == "full" else {}
    for asked in moderators(layer.when) if layer.when and mode != "least" else ():
        if question(asked) not in known:
            known[question(asked)] = asked.call
            cost = cost.then(_verdict(asked.call, mode))
    return cost


def _asked(layer: Layer, number: int, follows: bool) -> dict[tuple[str, str], Call]:
    """The moderators that a round's stop rules may ask, each question once."""
    stops = [stop for stop in layer.stops if number < layer.rounds or (stop.whole_pipeline and follows)]
    return {question(m): m.call for stop in stops for m in moderators(stop.condition)}


def _may_end(layer: Layer) -> bool:
    return any(stop.whole_pipeline and _can_hold(stop.condition, None) for stop in layer.stops)


def _call(call: Call, mode: Mode, times: int = 1) -> _Cost:
    """A call so many times, one after another. A response has one token at least."""
    tokens = 1 if mode == "least" else call.billed_tokens
    return _Cost(1, tokens, 1) if times == 1 else _Cost(times, times * tokens, times)


def _verdict(call: Call, mode: Mode) -> _Cost:
    """A verdict, which may be asked for once more."""
    return _call(call, mode, 2 if mode == "worst" else 1)


def _layer(layer: Layer, follows: bool, mode: Mode) -> _Cost:
    cost = _Cost()
    if layer.activate and layer.activate.router and active(layer) < len(layer.agents):
        cost = cost.then(_verdict(layer.activate.router, mode))
    for number in range(1, _rounds(layer, mode) + 1):
        cost = cost.then(_proposals(layer, mode)).then(_after(layer, number, follows, mode))
    return cost


def _rounds(layer: Layer, mode: Mode) -> int:
    """All of them, or as few as the stop rules allow."""
    if mode != "least":
        return layer.rounds
    ends = (n for n in range(1, layer.rounds) if any(_can_hold(stop.condition, n) for stop in layer.stops))
    return next(ends, layer.rounds)


def _proposals(layer: Layer, mode: Mode) -> _Cost:
    """The agents at once; of a sparse layer the cheapest or the dearest."""
    each = [_agent(agent, mode) for agent in layer.agents]
    count = active(layer)
    by = (lambda c: c.calls), (lambda c: c.tokens), (lambda c: c.path)
    if mode == "least":
        calls, tokens, paths = (sorted(map(of, each))[:count] for of in by)
    else:
        calls, tokens, paths = (sorted(map(of, each), reverse=True)[:count] for of in by)
    return _Cost(sum(calls), sum(tokens), max(paths))


def _agent(agent: Agent, mode: Mode) -> _Cost:
    match agent.does:
        case Call():
            return _call(agent.does, mode)
        case Pipeline():
            return _pipeline(agent.does, mode)
        case _:
            assert_never(agent.does)


def _after(layer: Layer, number: int, follows: bool, mode: Mode) -> _Cost:
    """What comes after the proposals of a round: the judge and the moderators."""
    judge = layer.judge
    cost = _Cost()
    if mode == "least":
        if judge and isinstance(judge.by, ModelJudge) and judge.read_in(number, layer.rounds):
            cost = _judge(layer, judge.by, mode)
        return cost
    asked = _asked(layer, number, follows)
    if judge and isinstance(judge.by, ModelJudge) and _may_choose(layer, number):
        one = _judge(layer, judge.by, mode)
        moderator = asked.pop((judge.by.call.model, "built-in moderator"), None) if judge.fused else None
        if moderator and mode == "worst":  # after failures it may be asked alone, where nobody needs to judge
            one = one.or_else(_verdict(moderator, mode))
        cost = cost.then(one)
    for call in asked.values():
        cost = cost.then(_verdict(call, mode))
    return cost


def _judge(layer: Layer, by: ModelJudge, mode: Mode) -> _Cost:
    if by.kind != "pairwise":
        return _verdict(by.call, mode)
    one = _verdict(by.call, mode)
    pairs = active(layer) * (active(layer) - 1)
    return _Cost(pairs * one.calls, pairs * one.tokens, one.path if pairs else 0)


def _may_choose(layer: Layer, number: int) -> bool:
    """Whether the model that judges is ever asked: something may be dropped, or its scores or remarks are read."""
    judge = layer.judge
    if judge is None:
        return False
    return (judge.keep is not None and judge.keep < active(layer)) or judge.read_in(number, layer.rounds)


def _can_hold(condition: Condition, round_: int | None) -> bool:
    return _truth(condition, round_) is not False


def _truth(condition: Condition, round_: int | None) -> bool | None:
    """Whether a condition holds in a round, None where that depends on the run. Without a round: in any."""
    match condition:
        case Constant():
            return condition.value
        case Not():
            inner = _truth(condition.part, round_)
            return None if inner is None else not inner
        case Or():
            parts = [_truth(part, round_) for part in condition.parts]
            return True if True in parts else None if None in parts else False
        case And():
            parts = [_truth(part, round_) for part in condition.parts]
            return False if False in parts else None if None in parts else True
        case Compare():
            return compare(round_, condition) if condition.measure == "round" and round_ is not None else None
        case Moderator():
            return None
        case _:
            assert_never(condition)


def question(moderator: Moderator) -> tuple[str, str]:
    """The moderator's model and its template: one question, however often it is written."""
    return moderator.call.model, moderator.call.template


def compare(value: float, condition: Compare) -> bool:
    """The comparison of a known value."""
    match condition.operator:
        case "<":
            return value < condition.value
        case "<=":
            return value <= condition.value
        case ">":
            return value > condition.value
        case ">=":
            return value >= condition.value
        case "==":
            return value == condition.value
        case "!=":
            return value != condition.value
        case _:
            assert_never(condition.operator)


def may_go_on(layer: Layer, team: Collection[str] = (), arrived: Mapping[str, int] | None = None) -> dict[str, int]:
    """The responses that can go on from a round of the layer at most: by agent, the most tokens of each.

    `team` are the agents that run, where it is known; `arrived` has the tokens of responses that are there. One that is
    not yet written counts twice its `max_tokens`, as the bytes of a text are counted before a call."""
    known = arrived or {}
    agents = [agent for agent in layer.agents if not team or agent.name in team]
    sizes = {agent.name: known.get(agent.name, 2 * _response_tokens(agent.does)) for agent in agents}
    keep = layer.judge.keep if layer.judge and layer.judge.keep is not None else active(layer)
    largest = sorted(sizes, key=lambda name: -sizes[name])[: min(keep, active(layer))]
    return {name: sizes[name] for name in largest}


def _response_tokens(does: Call | Pipeline) -> int:
    """The most that an agent can answer; in the place of a pipeline's aggregate one of its agents may."""
    match does:
        case Call():
            return does.max_tokens
        case Pipeline():
            agents = max((_response_tokens(a.does) for layer in does.layers for a in layer.agents), default=0)
            return max(agents, does.aggregate.call.max_tokens if isinstance(does.aggregate, ModelAggregate) else 0)
        case _:
            assert_never(does)
