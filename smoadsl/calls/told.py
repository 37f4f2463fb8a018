"""Told, to keep within a limit that a provider's headers tell of, without knowing how it counts.

The limit's size is told, its period mostly is not. But all of it is there again after `reset_s`, so that the period is
at least that; and where a bucket fills, what is missing of it and how long that takes give the period at once.
"""

from collections import deque
from dataclasses import dataclass

from smoadsl.adapters.base import Allowance
from smoadsl.calls.window import Taken, Window

_ROUND_S = (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 86_400.0)
_NEARLY = 0.1
_MEMORY = 64  # how many answers are kept to find the period by
_SHORTEST_S = 0.05


@dataclass(frozen=True, slots=True)
class _Seen:
    """One answer's word: `at` is when its request was sent."""

    at: float
    reset_s: float
    bucket_s: float  # the period, if it is a bucket that fills


class Told:
    """One limit of a provider: requests, or tokens."""

    def __init__(self, limit: float) -> None:
        self._window: Window | None = None
        self._log: deque[Taken] = deque(maxlen=100_000)
        self._seen: deque[_Seen] = deque(maxlen=_MEMORY)
        self._period_s: float | None = None
        self._none_before = 0.0
        self.limit = limit

    @property
    def period_s(self) -> float | None:
        """The period as it is known so far."""
        return self._window.period_s if self._window else None

    def ready_at(self, amount: float, now: float) -> float:
        """When so much may be taken."""
        at = max(now, self._none_before)
        return max(at, self._window.ready_at(amount, now)) if self._window else at

    def take(self, amount: float, now: float) -> Taken:
        taken = Taken(now, amount)
        self._log.append(taken)
        if self._window:
            self._window.take(taken)
        return taken

    def settle(self, taken: Taken, amount: float) -> None:
        if self._window:
            self._window.settle(taken, amount)
        else:
            taken.amount = amount

    def heard(self, allowance: Allowance, sent_at: float, now: float) -> None:
        """An answer's headers, to a request that was sent then."""
        limit, reset_s, remaining = allowance.limit, allowance.reset_s, allowance.remaining
        if limit is not None and limit > 0 and limit != self.limit:
            self.limit = limit
            self._seen.clear()
        if remaining == 0 and reset_s is not None and self._window is None:
            self._none_before = max(self._none_before, sent_at + reset_s)
        if allowance.period_s is not None:
            self._set(allowance.period_s, now)
        elif reset_s is not None and remaining is not None:
            used = max(1.0, self.limit - remaining)
            self._seen.append(_Seen(sent_at, reset_s, reset_s * self.limit / used))
            self._set(self._guessed(), now)

    def _guessed(self) -> float:
        """The period: the longest reset that was told, or what all of them say of a bucket, whichever is more."""
        longest = max(seen.reset_s for seen in self._seen)
        bucket = min(seen.bucket_s for seen in self._seen)
        found = max(longest, bucket, _SHORTEST_S)
        return next((period_s for period_s in _ROUND_S if abs(found / period_s - 1) <= _NEARLY), found)

    def _set(self, period_s: float, now: float) -> None:
        if self._window is not None and (self._window.period_s, self._window.count) == (period_s, self.limit):
            return
        self._window = Window(self.limit, period_s, (taken for taken in self._log if now - taken.at < period_s))
