"""Hearing, to make a row's result of what its runs tell, and to keep all of that where it is wanted."""

from collections.abc import Sequence
from decimal import Decimal

from smoadsl.adapters.base import Fault, FaultKind
from smoadsl.runtime import events
from smoadsl.runtime.executor import Answer
from smoadsl.runtime.journal import line_of
from smoadsl.scale.records import Bought, Result

DIGITS_OF_USD = 12  # those that follow are of how numbers are added
_COUNTED = ("calls", "attempts", "input_tokens", "output_tokens", "usd", "seconds")


class Hearing:
    """Hears the runs of one row, one for each of its turns."""

    def __init__(self, keeps: bool) -> None:
        self.totals = events.Totals()
        self._failed: list[str] = []  # what was said of calls that brought no answer
        self._kept: list[bytes] | None = [] if keeps else None
        self._stopped: list[str] = []
        self._refused = False

    def hear(self, event: events.Event) -> None:
        match event:
            case events.StopChecked(held=True):
                self._stopped.append(f"{event.layer}, round {event.round}")
            case events.CallFailed():
                self._failed.append(event.message)
                self._refused = self._refused or event.kind == FaultKind.REFUSED.value
            case events.RunFinished() | events.RunFailed():
                self.totals = _sum(self.totals, event.totals)
            case _:
                pass
        if self._kept is not None and not isinstance(event, events.AnswerPiece):
            self._kept.append(line_of(event))

    @property
    def usd(self) -> Decimal:
        """What the runs have cost, until the last of them that has ended."""
        return Decimal(str(round(self.totals.usd, DIGITS_OF_USD)))

    def met(self, fault: Fault) -> bool:
        """Whether a call failed for this."""
        return any(words.startswith(fault.message) for words in self._failed)

    def lines(self) -> bytes | None:
        """All that was told, one JSON object a line, as in a trace; None where it is not kept."""
        return None if self._kept is None else b"".join(self._kept)

    def result(self, bought: Bought, answers: Sequence[Answer], error: str) -> Result:
        """What came of the row; `bought` is what earlier sittings had paid for."""
        totals = self.totals
        texts = tuple(answer.text for answer in answers)
        return Result(
            answer=texts[-1] if texts else None,
            value=answers[-1].value if answers else None,
            answers=texts if len(texts) > 1 else (),
            degraded=tuple(why for answer in answers for why in answer.degraded),
            error=error,
            calls=totals.calls,
            input_tokens=totals.input_tokens + bought.input_tokens,
            output_tokens=totals.output_tokens + bought.output_tokens,
            estimated=totals.estimated,
            usd=float(Decimal(str(totals.usd)) + bought.usd),
            seconds=round(totals.seconds, 6),
            stopped=tuple(self._stopped),
            refused=bool(error) and self._refused,
        )


def _sum(one: events.Totals, other: events.Totals) -> events.Totals:
    added = {name: getattr(one, name) + getattr(other, name) for name in _COUNTED}
    flags = {"estimated": one.estimated or other.estimated, "unpriced": one.unpriced or other.unpriced}
    return events.Totals(**added, **flags)
