"""Aside, to keep what the aggregate may need from being spent before it: the worst case, and less as it is known."""

from collections.abc import Mapping, Sequence

from smoadsl.calls.budget import Budget, Cost
from smoadsl.plan.plan import ModelAggregate, Pipeline
from smoadsl.plan.reading import may_go_on
from smoadsl.runtime.asker import cost_at_most
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
        self._settled: list[Sizes] = []  # what went into the round under way, and what later ones may bring
        self._place = 0
        self._team: Sequence[str] = ()
        self._arrived: dict[str, int] = {}

    def begin(self, seen: Sequence[Response]) -> None:
        """Nothing has run yet."""
        self._settled = [_sizes(seen), *(may_go_on(layer, (), {}) for layer in self._layers)]
        self._set()

    def begin_round(self, place: int, number: int, team: Sequence[str], before: Sequence[Response]) -> None:
        """Round `number` of the layer at `place` begins."""
        later = self._layers[place if number < self._layers[place].rounds else place + 1 :]
        self._settled = [_sizes(before), *(may_go_on(layer, (), {}) for layer in later)]
        self._place, self._team, self._arrived = place, team, {}
        self._set()

    def arrived(self, response: Response) -> None:
        """A response of the round is there, and need no longer be guessed at."""
        self._arrived |= _sizes([response])
        self._set()

    def _set(self) -> None:
        if self._aggregate is None:
            return
        possible = list(self._settled)
        if self._team:
            possible.append(may_go_on(self._layers[self._place], self._team, self._arrived))
        costs = [self._cost(self._aggregate, sizes) for sizes in possible]
        tokens, usd = max(cost.tokens for cost in costs), max(cost.usd for cost in costs)
        self._budget.set_aside(Cost(1, tokens, usd))

    def _cost(self, aggregate: ModelAggregate, sizes: Sizes) -> Cost:
        """The aggregate's call with responses of these sizes: the messages as they would be, without the texts."""
        responses = [Response(agent, "", None) for agent in sizes]
        try:
            messages = self._prompts.aggregate(aggregate.call, responses, "", 0)
        except RenderError:  # a template that needs what these responses lack could not be sent either
            return Cost()
        return cost_at_most(aggregate.call, messages, aggregate.output, sum(sizes.values())).cost


def _sizes(responses: Sequence[Response]) -> Sizes:
    return {r.agent: len(r.text.encode("utf-8", "surrogatepass")) // 2 + 1 for r in responses}


def time_for_the_aggregate_s(pipeline: Pipeline) -> float:
    """Of the budget's time, what is the aggregate's alone: a third, or its own timeout if that is less."""
    time_s = pipeline.budget.time_s
    if time_s is None or not isinstance(pipeline.aggregate, ModelAggregate):
        return 0.0
    own = pipeline.aggregate.call.routes[0].timeout_s
    return min(time_s / 3, own) if own else time_s / 3
