"""Aside, to keep what the aggregate may need from being spent before it: the worst case, and less as it is known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from smoadsl.adapters.recent import Recent
from smoadsl.adapters.words import size_of
from smoadsl.calls.budget import NO_COST, Cost
from smoadsl.plan.plan import Layer, ModelAggregate, Pipeline
from smoadsl.plan.reading import may_go_on
from smoadsl.runtime.meter import cost_at_most
from smoadsl.runtime.prompts import Prompts, Response

Sizes = Mapping[str, int]  # the most tokens of each response, by agent


class Aside:
    """What a pipeline's budget sets aside: the most responses that can still reach the aggregate, and its answer."""

    def __init__(self, pipeline: Pipeline, prompts: Prompts) -> None:
        limits = pipeline.budget
        self._layers = pipeline.layers
        self._aggregate = pipeline.aggregate if isinstance(pipeline.aggregate, ModelAggregate) else None
        if limits.usd is None and limits.tokens is None and limits.calls is None:
            self._aggregate = None  # nothing is counted
        self._known: Cost | None = None
        self._prompts = prompts
        self._place = 0
        self._team: Sequence[str] = ()
        self._arrived: dict[str, Response] = {}
        self._settled: Sequence[Sizes] = ()  # what went into the round under way, and what later ones may bring

    def begin(self, seen: Sequence[Response]) -> None:
        """Nothing has run yet."""
        if self._aggregate is not None:
            self._begin([_sizes(seen), *map(_at_most, self._layers)])

    def begin_round(self, place: int, number: int, team: Sequence[str], before: Sequence[Response]) -> None:
        """Round `number` of the layer at `place` begins."""
        if self._aggregate is None:
            return
        later = self._layers[place if number < self._layers[place].rounds else place + 1 :]
        self._place, self._team, self._arrived = place, team, {}
        self._begin([_sizes(before), *map(_at_most, later)])

    def arrived(self, response: Response) -> None:
        """A response of the round is there, and need no longer be guessed at."""
        if self._aggregate is not None:
            self._arrived[response.agent] = response
            self._known = None

    def _begin(self, settled: Sequence[Sizes]) -> None:
        self._settled = settled
        self._known = None

    def most(self) -> Cost:
        """The most that the aggregate may need, as far as is known."""
        if self._known is None:
            self._known = NO_COST if self._aggregate is None else self._worked_out()
        return self._known

    def _worked_out(self) -> Cost:
        of_agents: dict[tuple[str, ...], int] = {}  # those whose responses it may read, and the most tokens of these
        for sizes in self._possible():
            agents = tuple(sorted(sizes))
            of_agents[agents] = max(of_agents.get(agents, 0), sum(sizes.values()))
        costs = [self._cost(agents, tokens) for agents, tokens in of_agents.items()]
        return Cost(1, max([cost.tokens for cost in costs]), max([cost.usd for cost in costs]))

    def _possible(self) -> Iterator[Sizes]:
        yield from self._settled
        layer = self._layers[self._place] if self._team else None
        if layer is not None and not self._arrived and len(self._team) == len(layer.agents):
            yield _at_most(layer)
        elif layer is not None:
            yield may_go_on(layer, self._team, _sizes(self._arrived.values()))

    def _cost(self, agents: tuple[str, ...], tokens: int) -> Cost:
        """The aggregate's call with so many tokens of these agents' responses."""
        assert self._aggregate is not None
        size = self._prompts.aggregate_size(self._aggregate.call, agents)
        if size is None:  # a template that needs what these responses lack could not be sent either
            return NO_COST
        return cost_at_most(self._aggregate.call, size, self._aggregate.output, tokens)


def _layer_at_most(layer: Layer) -> Sizes:
    return may_go_on(layer, (), {})


_at_most = Recent(_layer_at_most)  # asked for every prompt of a plan


def _sizes(responses: Iterable[Response]) -> Sizes:
    return {r.agent: size_of(r.text) // 2 + 1 for r in responses}


def time_for_the_aggregate_s(pipeline: Pipeline) -> float:
    """Of the budget's time, what is the aggregate's alone: a third, or its own timeout if that is less."""
    time_s = pipeline.budget.time_s
    if time_s is None or not isinstance(pipeline.aggregate, ModelAggregate):
        return 0.0
    own = pipeline.aggregate.call.routes[0].timeout_s
    return min(time_s / 3, own) if own else time_s / 3
