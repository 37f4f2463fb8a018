"""Aside, to keep what the aggregate may need from being spent before it: the worst case, and less as it is known."""

from collections.abc import Mapping, Sequence

from smoadsl.adapters.base import Message
from smoadsl.adapters.words import size_of
from smoadsl.calls.budget import Budget, Cost
from smoadsl.plan.plan import ModelAggregate, Pipeline
from smoadsl.plan.reading import may_go_on
from smoadsl.runtime.meter import cost_at_most
from smoadsl.runtime.prompts import Prompts, Response
from smoadsl.runtime.render import RenderError

Sizes = Mapping[str, int]  # the most tokens of each response, by agent


class Aside:
    """What a pipeline's budget sets aside: the most responses that can still reach the aggregate, and its answer."""

    def __init__(self, pipeline: Pipeline, budget: Budget, prompts: Prompts) -> None:
        limits = pipeline.budget
        self._layers = pipeline.layers
        self._aggregate = pipeline.aggregate if isinstance(pipeline.aggregate, ModelAggregate) else None
        if limits.usd is None and limits.tokens is None and limits.calls is None:
            self._aggregate = None  # nothing is counted
        self._budget = budget
        self._prompts = prompts
        self._place = 0
        self._team: Sequence[str] = ()
        self._arrived: dict[str, int] = {}
        self._settled: Sequence[Sizes] = ()  # what went into the round under way, and what later ones may bring
        self._before: list[Cost] = []  # what it costs with these, once that is asked
        self._empty: dict[tuple[str, ...], tuple[Message, ...] | None] = {}  # the call without the texts, by agents

    def begin(self, seen: Sequence[Response]) -> None:
        """Nothing has run yet."""
        if self._aggregate is not None:
            self._begin([_sizes(seen), *(may_go_on(layer, (), {}) for layer in self._layers)])

    def begin_round(self, place: int, number: int, team: Sequence[str], before: Sequence[Response]) -> None:
        """Round `number` of the layer at `place` begins."""
        if self._aggregate is None:
            return
        later = self._layers[place if number < self._layers[place].rounds else place + 1 :]
        self._place, self._team, self._arrived = place, team, {}
        self._begin([_sizes(before), *(may_go_on(layer, (), {}) for layer in later)])

    def arrived(self, response: Response) -> None:
        """A response of the round is there, and need no longer be guessed at."""
        if self._aggregate is not None:
            self._arrived |= _sizes([response])
            self._budget.set_aside(self._most)

    def _begin(self, settled: Sequence[Sizes]) -> None:
        self._settled, self._before = settled, []
        self._budget.set_aside(self._most)

    def _most(self) -> Cost:
        """The most that the aggregate may need, as far as is known."""
        self._before = self._before or [self._cost(sizes) for sizes in self._settled]
        costs = list(self._before)
        if self._team:
            costs.append(self._cost(may_go_on(self._layers[self._place], self._team, self._arrived)))
        return Cost(1, max(cost.tokens for cost in costs), max(cost.usd for cost in costs))

    def _cost(self, sizes: Sizes) -> Cost:
        """The aggregate's call with responses of these sizes: the messages as they would be, without the texts."""
        aggregate, agents = self._aggregate, tuple(sorted(sizes))
        assert aggregate is not None
        if agents not in self._empty:
            self._empty[agents] = self._messages(aggregate, agents)
        messages = self._empty[agents]
        if messages is None:
            return Cost()
        return cost_at_most(aggregate.call, messages, aggregate.output, sum(sizes.values())).cost

    def _messages(self, aggregate: ModelAggregate, agents: Sequence[str]) -> tuple[Message, ...] | None:
        try:
            return self._prompts.aggregate(aggregate.call, [Response(agent, "", None) for agent in agents], "", 0)
        except RenderError:  # a template that needs what these responses lack could not be sent either
            return None


def _sizes(responses: Sequence[Response]) -> Sizes:
    return {r.agent: size_of(r.text) // 2 + 1 for r in responses}


def time_for_the_aggregate_s(pipeline: Pipeline) -> float:
    """Of the budget's time, what is the aggregate's alone: a third, or its own timeout if that is less."""
    time_s = pipeline.budget.time_s
    if time_s is None or not isinstance(pipeline.aggregate, ModelAggregate):
        return 0.0
    own = pipeline.aggregate.call.routes[0].timeout_s
    return min(time_s / 3, own) if own else time_s / 3
