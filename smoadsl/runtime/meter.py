"""Meter, to count what one call takes, attempt by attempt: in the run's books, and in the pipeline's budget."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from smoadsl.adapters.base import Usage
from smoadsl.adapters.values import value
from smoadsl.adapters.words import size_of
from smoadsl.calls.budget import NO_COST, Budget, Cost
from smoadsl.calls.price import Price
from smoadsl.calls.route import Route
from smoadsl.classes import dataclass
from smoadsl.plan.plan import Call
from smoadsl.runtime import events

_NOTHING = Decimal(0)


@dataclass(slots=True)
class Books:
    """What all pipelines of a run share."""

    begun: float
    calls: int = 0
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    estimated: bool = False
    unpriced: bool = False

    def totals(self, seconds: float) -> events.Totals:
        """What was taken by then, as events tell it."""
        return events.Totals(
            calls=self.calls,
            attempts=self.attempts,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            estimated=self.estimated,
            usd=self.usd,
            unpriced=self.unpriced,
            seconds=seconds,
        )

    def took(self, input_tokens: int, output_tokens: int, usd: float, estimated: bool, unpriced: bool) -> None:
        """An attempt is over that is paid for."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.usd += usd
        self.estimated = self.estimated or estimated
        self.unpriced = self.unpriced or unpriced


@value(frozen=True, slots=True)
class Worst:
    """The most that one attempt of a call can take."""

    cost: Cost
    input_tokens: int
    output_tokens: int
    is_priced: bool


NOTHING = Worst(NO_COST, 0, 0, True)


class Meter:
    """The account of one call, which is sent messages of so many bytes.

    Every attempt reserves its own worst case, that of its route, before it is sent. One that brought no answer but may
    be billed is charged as much; what another has reserved and not needed, the next one takes over.
    """

    def __init__(
        self, books: Books, budget: Budget | None, last: bool, size: int, schema: Mapping[str, Any] | None
    ) -> None:
        self.books = books
        self.budget = budget
        self._last = last
        self._size = size
        self._schema = schema
        self._known = NOTHING  # the worst of the attempt that was asked for last, on this route, for so many answers:
        self._known_of: Route | None = None
        self._known_n = 0
        self._spare = NO_COST

    def _worst(self, route: Route, n: int) -> Worst:
        if self._known_of is not route or self._known_n != n:
            self._known = _attempt_at_most(route, _read_at_most(self._size, self._schema), n)
            self._known_of, self._known_n = route, n
        return self._known

    def open(self, late: bool, route: Route, n: int) -> None:
        """Reserve the call and its first attempt, for `n` answers, before it begins. Raises `Exhausted`."""
        if self.budget is None:
            return
        if late:
            raise self.budget.time_is_up(self._last)
        cost = self._worst(route, n).cost
        self.budget.reserve(cost, self._last, calls=1)
        self._spare = cost

    def bill(self, route: Route, n: int, extra: bool = False) -> "Bill":
        """Reserve an attempt. Raises `Exhausted` when what waits for it is less, as one before it was billed or cost
        less, and the budget does not hold it."""
        worst = self._worst(route, n)
        spare, cost = self._spare, worst.cost
        if self.budget is not None and spare is not cost:
            if cost.tokens <= spare.tokens and cost.usd <= spare.usd:
                self.budget.settle(spare, cost.tokens, cost.usd)
            else:
                self.close()
                self.budget.reserve(cost, self._last, extra)
        self._spare = NO_COST
        return Bill(self, worst)

    def spare(self, cost: Cost) -> None:
        """What was reserved for an attempt and not needed waits for the next."""
        self.close()
        self._spare = cost

    def close(self) -> None:
        """Nothing more comes of what is reserved and waits: it is given back."""
        if self.budget is not None and self._spare is not NO_COST:
            self.budget.settle(self._spare)
        self._spare = NO_COST


@value(frozen=True, slots=True)
class Bill:
    """One attempt's part of the account."""

    meter: Meter
    worst: Worst

    def answered(self, usage: Usage, price: Price | None) -> None:
        """It has its reply. What the provider did not count stays reserved as it was."""
        budget, tokens_in, tokens_out = self.meter.budget, usage.input_tokens, usage.output_tokens
        usd = price.of(usage) if price else _NOTHING
        self.meter.books.took(tokens_in, tokens_out, float(usd), usage.estimated, price is None)
        if budget is not None and not usage.estimated:
            budget.settle(self.worst.cost, tokens_in + tokens_out, usd)

    def failed(self, billed: bool) -> None:
        """It brought no answer: if it may be billed, what was reserved for it is spent."""
        worst = self.worst
        if billed:
            usd = float(worst.cost.usd)
            self.meter.books.took(worst.input_tokens, worst.output_tokens, usd, True, not worst.is_priced)
        else:
            self.meter.spare(worst.cost)


def cost_at_most(call: Call, size: int, schema: Mapping[str, Any] | None = None, more_input_tokens: int = 0) -> Cost:
    """The worst case of an attempt of a call that is sent messages of so many bytes, on whichever of its routes."""
    read = _read_at_most(size, schema) + more_input_tokens
    each = [_attempt_at_most(route, read, 1).cost for route in call.routes]
    return Cost(0, max([cost.tokens for cost in each]), max([cost.usd for cost in each]))


def _read_at_most(size: int, schema: Mapping[str, Any] | None) -> int:
    """The most tokens of messages of so many bytes: one for two of them."""
    return (size + size_of(json.dumps(schema)) if schema else size) // 2 + 1


def _attempt_at_most(route: Route, input_tokens: int, n: int) -> Worst:
    """The worst case of one attempt: so many tokens are read, and each of `n` answers is as long as it may be."""
    if route.written:
        return NOTHING
    most = n * route.sampling.max_tokens
    usd = route.usd_at_most(input_tokens, most)
    return Worst(Cost(0, input_tokens + most, usd or _NOTHING), input_tokens, most, usd is not None)
