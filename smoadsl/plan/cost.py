"""Cost, to add up what calls take: one after another, at once, or the one or the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from smoadsl.calls.budget import Limits

Figure = TypeVar("Figure", int, float, Decimal)

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

    def chosen(figure: Callable[[Cost], Figure]) -> list[Figure]:
        figures = list(map(figure, each))
        return figures if count >= len(figures) else sorted(figures, reverse=not cheapest)[:count]

    return Cost(
        sum(chosen(lambda cost: cost.calls)),
        sum(chosen(lambda cost: cost.tokens)),
        sum(chosen(lambda cost: cost.input_tokens)),
        sum(chosen(lambda cost: cost.output_tokens)),
        sum(chosen(lambda cost: cost.usd), _NO_MONEY),
        max(chosen(lambda cost: cost.path)),
        max(chosen(lambda cost: cost.path_s)),
    )
