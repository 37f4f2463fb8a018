"""Price, to turn tokens into dollars."""

from dataclasses import dataclass
from decimal import Decimal

from smoadsl.adapters.base import Usage

_PER = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens. `cached` is the price of input that came from the provider's cache; None where that
    costs as much as any other."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None

    def of(self, usage: Usage) -> Decimal:
        cached = self.input if self.cached is None else self.cached
        fresh = usage.input_tokens - usage.cached_tokens
        return (self.input * fresh + cached * usage.cached_tokens + self.output * usage.output_tokens) / _PER


FREE = Price(Decimal(0), Decimal(0))
