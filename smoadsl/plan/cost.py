"""Cost, to add up what calls take: one after another, at once, or the one or the other."""

from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any

from smoadsl.calls.budget import Limits
from smoadsl.classes import dataclass

_NO_MONEY = Decimal(0)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a part of a plan takes. `tokens` are those of input and output together, where their maxima may differ;
    `path` is the longest chain of calls that wait for one another, `path_s` that which takes longest."""

    calls: int = 0
    tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: Decimal = _NO_MONEY
    path: int = 0
    path_s: float = 0.0

    def then(self, other: "Cost") -> "Cost":
        """This, and afterwards the other."""
        return Cost(
            self.calls + other.calls,
            self.tokens + other.tokens,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.usd + other.usd,
            self.path + other.path,
            self.path_s + other.path_s,
        )

    def or_else(self, other: "Cost") -> "Cost":
        """At most the one or the other."""
        return at_once([self, other], 1)

    def times(self, count: int) -> "Cost":
        """This so often, one after another."""
        return Cost(
            count * self.calls,
            count * self.tokens,
            count * self.input_tokens,
            count * self.output_tokens,
            count * self.usd,
            count * self.path,
            count * self.path_s,
        )

    def within(self, limits: Limits) -> "Cost":
        """At most what a budget allows."""
        tokens = self.tokens if limits.tokens is None else min(self.tokens, limits.tokens)
        return Cost(
            self.calls if limits.calls is None else min(self.calls, limits.calls),
            tokens,
            min(self.input_tokens, tokens),
            min(self.output_tokens, tokens),
            self.usd if limits.usd is None else min(self.usd, limits.usd),
            self.path if limits.calls is None else min(self.path, limits.calls),
            self.path_s if limits.time_s is None else min(self.path_s, limits.time_s),
        )


NONE = Cost()


def at_once(each: Sequence[Cost], count: int, cheapest: bool = False) -> Cost:
    """So many of them at once: the cheapest or the dearest, by each figure for itself."""
    if not each or not count:
        return NONE
    columns: list[Sequence[Any]] = list(zip(*map(_FIGURES, each), strict=True))
    if count < len(each):
        columns = [sorted(column, reverse=not cheapest)[:count] for column in columns]
    calls, tokens, read, written, usd, paths, paths_s = columns
    return Cost(sum(calls), sum(tokens), sum(read), sum(written), sum(usd), max(paths), max(paths_s))


_FIGURES = attrgetter("calls", "tokens", "input_tokens", "output_tokens", "usd", "path", "path_s")
