"""Meter, to count what one call takes, attempt by attempt: in the run's books, and in the pipeline's budget."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from smoadsl.adapters.base import Message, Usage
from smoadsl.calls.budget import Budget, Cost
from smoadsl.calls.price import Price
from smoadsl.plan.plan import Call
from smoadsl.runtime import events


@dataclass
class Books:
    """What all pipelines of a run share."""

    begun: float
    totals: events.Totals = field(default_factory=events.Totals)

    def add(self, **amounts: float) -> events.Totals:
        update = {name: getattr(self.totals, name) + amount for name, amount in amounts.items()}
        self.totals = self.totals.model_copy(update=update)
        return self.totals

    def flag(self, **flags: bool) -> None:
        self.totals = self.totals.model_copy(update={name: True for name, is_so in flags.items() if is_so})


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that one attempt of a call can take."""

    input_tokens: int
    output_tokens: int
    usd: Decimal
    is_priced: bool

    @property
    def cost(self) -> Cost:
        return Cost(0, self.input_tokens + self.output_tokens, self.usd)


class Meter:
    """The account of one call. `worst` says what an attempt takes at most that may answer so many tokens.

    Every attempt reserves its worst case before it is sent. One that brought no answer but may be billed is charged as
    much; what another has reserved and not needed, the next one takes over.
    """

    def __init__(self, books: Books, budget: Budget | None, last: bool, worst: Callable[[int], Worst]) -> None:
        self._books = books
        self._budget = budget
        self._last = last
        self._worst = worst
        self._spare = Cost()

    def open(self, late: bool, max_tokens: int) -> None:
        """Reserve the call and its first attempt before it begins. Raises `Exhausted`."""
        if self._budget is None:
            return
        if late:
            deadline = self._budget.deadline(self._last)
            assert deadline is not None
            raise deadline.budget.time_is_up()
        cost = self._worst(max_tokens).cost
        self._budget.reserve(Cost(1) + cost, self._last)  # a call that has begun stays one
        self._spare = cost

    def bill(self, max_tokens: int, extra: bool = False) -> "Bill":
        """Reserve an attempt. Raises `Exhausted` when one before it was billed and the budget holds no other."""
        worst = self._worst(max_tokens)
        if self._budget is not None and self._spare != worst.cost:
            self._give_back()
            self._budget.reserve(worst.cost, self._last, extra)
        self._spare = Cost()
        return Bill(self, worst)

    def answered(self, worst: Worst, usage: Usage, price: Price | None) -> None:
        """An attempt has its reply. What the provider did not count stays reserved as it was."""
        usd = price.of(usage) if price else Decimal(0)
        self._books.add(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, usd=float(usd))
        self._books.flag(estimated=usage.estimated, unpriced=price is None)
        if self._budget is not None and not usage.estimated:
            self._budget.settle(worst.cost, Cost(0, usage.input_tokens + usage.output_tokens, usd))

    def failed(self, worst: Worst, billed: bool) -> None:
        """An attempt brought no answer: if it may be billed, what was reserved for it is spent."""
        if billed:
            self._books.add(
                input_tokens=worst.input_tokens, output_tokens=worst.output_tokens, usd=float(worst.cost.usd)
            )
            self._books.flag(estimated=True, unpriced=not worst.is_priced)
            return
        self._give_back()
        self._spare = worst.cost

    def close(self) -> None:
        """Nothing more comes of the call."""
        self._give_back()

    def _give_back(self) -> None:
        if self._budget is not None and self._spare != Cost():
            self._budget.settle(self._spare, Cost())
        self._spare = Cost()


@dataclass(frozen=True, slots=True)
class Bill:
    """One attempt's part of the account."""

    meter: Meter
    worst: Worst

    def answered(self, usage: Usage, price: Price | None) -> None:
        self.meter.answered(self.worst, usage, price)

    def failed(self, billed: bool) -> None:
        self.meter.failed(self.worst, billed)


def cost_at_most(
    call: Call,
    messages: tuple[Message, ...],
    schema: Mapping[str, Any] | None = None,
    more_input_tokens: int = 0,
    output_tokens: int = 0,
) -> Worst:
    """The worst case of a call: its input counted as one token for two bytes, and all that it may answer, or so many
    tokens if that is more."""
    texts = [message.content for message in messages] + ([json.dumps(schema)] if schema else [])
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    input_tokens = size // 2 + 1 + more_input_tokens
    usages = [(r, r.usage_at_most(input_tokens, max(output_tokens, r.sampling.max_tokens))) for r in call.routes]
    prices = [route.price.of(usage) for route, usage in usages if route.price]
    most = max(usage.output_tokens for _, usage in usages)
    return Worst(input_tokens, most, max(prices, default=Decimal(0)), len(prices) == len(call.routes))
