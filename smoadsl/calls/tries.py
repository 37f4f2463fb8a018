"""Tries, to bound how many more attempts a route sees than it was asked calls: at most 1.2 times as many and ten."""

from smoadsl.adapters.base import Fault, FaultKind
from smoadsl.classes import dataclass

_PER_CALL = 0.2
_START = 10.0
_MOST = 100.0
_MOST_FOR_REFUSED = 1_000.0


@dataclass(slots=True)
class Tries:
    """What may still be spent on retries and hedges of one route. Each call's first attempt there earns a fifth of one.
    Each good answer earns a whole one more for what a provider that is well refuses for the rate, or never saw."""

    left: float = _START
    for_refused: float = 0.0

    @property
    def any(self) -> bool:
        return self.left >= 1.0

    def enough(self, fault: Fault) -> bool:
        """Whether one more attempt may follow this fault."""
        return self.any or (_is_harmless(fault) and self.for_refused >= 1.0)

    def called(self) -> None:
        """A call makes its first attempt."""
        if self.left < _MOST:
            self.left = min(_MOST, self.left + _PER_CALL)

    def spend(self, fault: Fault | None = None) -> None:
        """Another attempt follows this fault; without one, a copy is made of an attempt that is slow."""
        if fault is not None and _is_harmless(fault) and self.for_refused >= 1.0:
            self.for_refused -= 1.0
        else:
            self.left -= 1.0

    def answered(self) -> None:
        """A good answer came."""
        if self.for_refused < _MOST_FOR_REFUSED:
            self.for_refused += 1.0


def _is_harmless(fault: Fault) -> bool:
    """Whether an attempt that failed so cost the provider nothing, or next to nothing."""
    return fault.kind is FaultKind.NOT_SENT or fault.status == 429
