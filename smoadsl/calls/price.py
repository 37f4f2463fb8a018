"""Price, to turn tokens into dollars."""

from dataclasses import dataclass
from decimal import Decimal

from smoadsl.adapters.base import Usage

_PER = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens."""

    input: Decimal
    output: Decimal

    def of(self, usage: Usage) -> Decimal:
        return (self.input * usage.input_tokens + self.output * usage.output_tokens) / _PER


FREE = Price(Decimal(0), Decimal(0))
