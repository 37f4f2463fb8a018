"""Budget, to keep what a prompt may spend: reserved before a call is sent, settled after it, never exceeded.

The worst case of the aggregate is set aside first, so that a budget never costs the answer.
"""

from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING, Context, Decimal

from smoadsl.adapters.values import value
from smoadsl.classes import dataclass


@value(frozen=True, slots=True)
class Cost:
    calls: int = 0
    tokens: int = 0
    usd: Decimal = Decimal(0)

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.calls + other.calls, self.tokens + other.tokens, self.usd + other.usd)


NO_COST = Cost()
_DIGITS = Context(prec=4, rounding=ROUND_CEILING)


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent; None where nothing is said."""

    usd: Decimal | None = None
    tokens: int | None = None
    calls: int | None = None
    time_s: float | None = None


class Exhausted(Exception):
    """A call that the budget does not hold; the message says which limit stands in its way."""


class Budget:
    """One pipeline's budget. A pipeline that is an agent spends from its own and from those around it.

    Once it did not hold a call it is spent, also for smaller ones: only the pipeline's last call, the aggregate's, may
    still be made, from what was set aside for it. `begun` is the event loop's time; the last `last_s` seconds of the
    time are the aggregate's alone. All changes happen between two awaits of one event loop, so no lock is needed.
    """

    def __init__(self, limits: Limits, around: "Budget | None" = None, begun: float = 0.0, last_s: float = 0.0) -> None:
        self._limits = limits
        self._around = around
        self._counts = limits.calls is not None or limits.tokens is not None or limits.usd is not None
        self._calls, self._tokens, self._usd = 0, 0, NO_COST.usd  # settled and reserved
        self._aside: Callable[[], Cost] | None = None
        self._spent = ""
        self._end = None if limits.time_s is None else begun + limits.time_s
        self._last_s = last_s
        self._deadlines: dict[bool, float | None] = {}

    def _chain(self) -> "Iterator[Budget]":
        """This one and those around it, from the inside out."""
        budget: Budget | None = self
        while budget is not None:
            yield budget
            budget = budget._around

    @property
    def spent(self) -> str:
        """Why no new call is made, in this budget or in one around it; empty while some may be."""
        return next((budget._spent for budget in self._chain() if budget._spent), "")

    @property
    def taken(self) -> Cost:
        """What is settled, and what is reserved for calls under way."""
        return Cost(self._calls, self._tokens, self._usd)

    def set_aside(self, cost: Callable[[], Cost]) -> None:
        """Keep for the aggregate what this says whenever a call is made."""
        self._aside = cost

    def deadline(self, last: bool) -> float | None:
        """When a call must have ended; `last` is the aggregate's."""
        if last not in self._deadlines:
            self._deadlines[last] = min((at for at, _ in self._ends(last)), default=None)
        return self._deadlines[last]

    def time_is_up(self, last: bool) -> Exhausted:
        """The deadline has passed: no new calls from now on."""
        _, whose = min(self._ends(last), key=lambda end: end[0])
        whose._spent = whose._spent or f"the time of the budget, {whose._limits.time_s:g} s, is spent"
        return Exhausted(whose._spent)

    def _ends(self, last: bool) -> "Iterator[tuple[float, Budget]]":
        for budget in self._chain():
            if budget._end is not None:
                yield budget._end - (0.0 if last and budget is self else budget._last_s), budget

    def reserve(self, cost: Cost, last: bool = False, extra: bool = False, calls: int = 0) -> None:
        """Take the worst case of an attempt before it is sent, and so many calls that begin with it. Raises
        `Exhausted`, and then takes nothing. That something `extra` does not fit does not make the budget spent."""
        calls += cost.calls
        self._check(calls, cost, last, extra)
        around = self._around
        while around is not None:
            around._check(calls, cost, False, extra)
            around = around._around
        self._take(calls, cost.tokens, cost.usd)

    def settle(self, reserved: Cost, tokens: int = 0, usd: Decimal = NO_COST.usd) -> None:
        """Give back what an attempt did not need of what was reserved, as it took so much. A call stays one."""
        self._take(0, tokens - reserved.tokens, usd - reserved.usd)

    def _take(self, calls: int, tokens: int, usd: Decimal) -> None:
        budget: Budget | None = self
        while budget is not None:
            budget._calls += calls
            budget._tokens += tokens
            budget._usd += usd
            budget = budget._around

    @property
    def is_limited(self) -> bool:
        """Whether this budget or one around it has any limit."""
        return any(budget._limits != Limits() for budget in self._chain())

    def _check(self, calls: int, cost: Cost, last: bool, extra: bool) -> None:
        if self._spent and not last:
            raise Exhausted(self._spent)
        limits = self._limits
        if not self._counts:
            return
        kept = NO_COST if last or self._aside is None else self._aside()
        if limits.calls is not None and self._calls + kept.calls + calls > limits.calls:
            due = "a call" if calls == 1 else f"{calls} calls at once"
            spent = _unheld(_calls(limits.calls), self._calls, due, kept.calls and _calls(kept.calls))
        elif limits.tokens is not None and self._tokens + kept.tokens + cost.tokens > limits.tokens:
            due = f"a call that may take {_tokens(cost.tokens)}"
            spent = _unheld(_tokens(limits.tokens), self._tokens, due, kept.tokens and _tokens(kept.tokens))
        elif limits.usd is not None and self._usd + kept.usd + cost.usd > limits.usd:
            due = f"a call that may cost {_dollars(cost.usd)}"
            spent = _unheld(f"${limits.usd:f}", self._usd, due, kept.usd and _dollars(kept.usd))
        else:
            return
        if not extra:
            self._spent = spent
        raise Exhausted(spent)


def _unheld(budget: str, taken: Decimal | int, due: str, kept: str | Decimal | int) -> str:
    """Why a budget does not hold what is due: it is spent, or it never was enough."""
    if taken:
        return f"the budget of {budget} is spent"
    return f"the budget of {budget} does not hold {due}" + (f" beside {kept} for the aggregate" if kept else "")


def _calls(count: int) -> str:
    return f"{count:,} call{'s' * (count != 1)}"


def _tokens(count: int) -> str:
    return f"{count:,} token{'s' * (count != 1)}"


def _dollars(usd: Decimal) -> str:
    """With so many digits as tell it from a limit, and never less than it is."""
    return f"${_DIGITS.create_decimal(usd).normalize():f}"
