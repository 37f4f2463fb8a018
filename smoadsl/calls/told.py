"""Told, to keep within a limit that a provider's headers tell of, without knowing how it counts.

The limit's size is told, its period mostly is not. But all of it is there again after `reset_s`, so that the period is
at least that. And where a bucket fills, what is missing of it and how long that takes give the same period each time.
"""

from collections import deque

from smoadsl.adapters.base import Allowance
from smoadsl.calls.window import Taken, Window

_ROUND_S = (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 86_400.0)
_NEARLY = 0.1
_BUCKET_ANSWERS = 16  # that must agree
_AGREE = 1.3
_VARIETY = 2.0  # of what was used, without which nothing can be seen
_SHORTEST_S = 0.05
_FORGOTTEN_PERIODS = 10


class Told:
    """One limit of a provider: requests, or tokens."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._window: Window | None = None
        self._log: deque[Taken] = deque(maxlen=100_000)
        self._buckets: deque[tuple[float, float]] = deque(maxlen=_BUCKET_ANSWERS)  # used, and the period by that
        self._longest_s = 0.0
        self._longest_at = 0.0
        self._none_before = 0.0

    @property
    def window(self) -> Window | None:
        """The limit as it is known so far."""
        return self._window

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
            self._buckets.clear()
        if remaining == 0 and reset_s is not None and self._window is None:
            self._none_before = max(self._none_before, sent_at + reset_s)
        if allowance.period_s is not None:
            self._set(allowance.period_s, now)
        elif reset_s is not None and remaining is not None:
            self._see(reset_s, max(1.0, self.limit - remaining), now)
            self._set(self._guessed(), now)

    def _see(self, reset_s: float, used: float, now: float) -> None:
        forgotten = now - self._longest_at > _FORGOTTEN_PERIODS * self._longest_s
        if reset_s >= self._longest_s or forgotten:
            self._longest_s, self._longest_at = reset_s, now
        elif reset_s >= self._longest_s * (1 - _NEARLY):
            self._longest_at = now
        self._buckets.append((used, reset_s * self.limit / used))

    def _guessed(self) -> float:
        """The period: what the last answers agree on as if a bucket filled, else the longest reset that was told."""
        used, periods = ([bucket[place] for bucket in self._buckets] for place in (0, 1))
        found = max(self._longest_s, _SHORTEST_S)
        if max(used) >= _VARIETY * min(used) and max(periods) <= _AGREE * min(periods):
            found = max(found, sum(periods) / len(periods))
        return next((period_s for period_s in _ROUND_S if abs(found / period_s - 1) <= _NEARLY), found)

    def _set(self, period_s: float, now: float) -> None:
        if self._window is not None and (self._window.period_s, self._window.count) == (period_s, self.limit):
            return
        self._window = Window(self.limit, period_s, (taken for taken in self._log if now - taken.at < period_s))
