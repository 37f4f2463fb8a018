"""Price, to turn tokens into dollars."""

from decimal import Decimal

from smoadsl.adapters.base import Usage
from smoadsl.classes import dataclass

_PER = Decimal(1_000_000)
_TO_KEEP = Decimal("0.25")  # what Anthropic, who alone is told, takes besides


@dataclass(frozen=True, slots=True)
class Tier:
    """What all tokens of a request cost that reads more than `above` tokens."""

    above: int
    input: Decimal
    output: Decimal
    cached: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens. `cached` is the price of input that came from the provider's cache, None where that
    costs as much as any other; what it is told to keep there costs a quarter more. `tiers` go from the lowest up."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    tiers: tuple[Tier, ...] = ()

    def of(self, usage: Usage) -> Decimal:
        if not (usage.cached_tokens or usage.written_tokens):  # as nearly all are
            return self.of_tokens(usage.input_tokens, usage.output_tokens)
        at = self._at(usage.input_tokens)
        cached = at.input if at.cached is None else at.cached
        fresh = usage.input_tokens - usage.cached_tokens
        kept = at.input * usage.written_tokens * _TO_KEEP
        return (at.input * fresh + cached * usage.cached_tokens + kept + at.output * usage.output_tokens) / _PER

    def of_tokens(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Of a request that reads nothing from a cache, and is not told to keep anything there."""
        at = self._at(input_tokens) if self.tiers else self
        return (at.input * input_tokens + at.output * output_tokens) / _PER

    def _at(self, input_tokens: int) -> "Price | Tier":
        reached = [tier for tier in self.tiers if input_tokens > tier.above]
        return reached[-1] if reached else self


FREE = Price(Decimal(0), Decimal(0))
