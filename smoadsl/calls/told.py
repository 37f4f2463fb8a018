"""Told, to keep within a limit that a provider's headers tell of, without knowing how it counts.

The limit's size is told, its period mostly is not. But all of it is there again after `reset_s`, so that the period is
at least that. And where a bucket fills, what is missing of it and how long that takes give the same period each time.
"""

import math
from collections import deque

from smoadsl.adapters.base import Allowance
from smoadsl.calls.window import Bucket, Taken, Window

_ROUND_S = (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 86_400.0)
_NEARLY = 0.1
_LAST = 16  # how many answers must agree
_AGREE = 1.3
_SAME = 0.02
_SHORT_S = 2.0
_SHORTEST_S = 0.05
_FORGOTTEN_PERIODS = 10


class Told:
    """One limit of a provider: requests, or tokens."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._window: Window | Bucket | None = None
        self._log: deque[Taken] = deque(maxlen=100_000)
        self._last: deque[tuple[float, float]] = deque(maxlen=_LAST)  # used, and the reset
        self._is_bucket = False
        self._longest_s = 0.0
        self._longest_at = 0.0
        self._none_before = 0.0

    @property
    def window(self) -> Window | Bucket | None:
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
            self._window.add(taken)
        return taken

    def settle(self, taken: Taken, change: float) -> None:
        if self._window:
            self._window.settle(taken, change)
        else:
            taken.amount += change

    def heard(self, allowance: Allowance, sent_at: float, now: float) -> None:
        """An answer's headers, to a request that was sent then."""
        limit, reset_s, remaining = allowance.limit, allowance.reset_s, allowance.remaining
        if limit is not None and limit > 0 and limit != self.limit:
            self.limit = limit
            self._last.clear()
        if remaining == 0 and reset_s is not None and self._window is None:
            self._none_before = max(self._none_before, sent_at + reset_s)
        if allowance.period_s is not None:
            self._set(Window, allowance.period_s, now)
        elif reset_s is not None and remaining is not None:
            self._see(reset_s, max(1.0, self.limit - remaining), now)
            self._set(*self._guessed(), now)

    def _see(self, reset_s: float, used: float, now: float) -> None:
        forgotten = now - self._longest_at > _FORGOTTEN_PERIODS * self._longest_s
        if reset_s >= self._longest_s or forgotten:
            self._longest_s, self._longest_at = reset_s, now
        elif reset_s >= self._longest_s * (1 - _NEARLY):
            self._longest_at = now
        self._last.append((used, reset_s))

    def _guessed(self) -> tuple[type[Window] | type[Bucket], float]:
        """How it counts, and the period: what the last answers agree on as if a bucket filled, else the longest reset
        that was told. A short period is a window in any case: that is safer, and costs no time worth counting."""
        found = max(self._longest_s, _SHORTEST_S)
        periods = [reset_s * self.limit / used for used, reset_s in self._last]
        mean_s = sum(periods) / len(periods)
        if max(periods) > _AGREE * min(periods) or mean_s < found * (1 - _NEARLY):
            self._is_bucket = False
        else:  # of a bucket, the more is used, the later it is full; of a window, the later it is, the sooner it ends
            (least, sooner_s), (most, later_s) = min(self._last), max(self._last)
            if least < most and abs(later_s - sooner_s) > _SAME * sooner_s:
                self._is_bucket = sooner_s < later_s
        period_s = _rounded(max(found, mean_s) if self._is_bucket else found)
        return Bucket if self._is_bucket and period_s > _SHORT_S else Window, period_s

    def _set(self, kind: type[Window] | type[Bucket], period_s: float, now: float) -> None:
        known = self._window
        same = known is not None and known.count == self.limit and abs(known.period_s / period_s - 1) <= _SAME
        if same and (isinstance(known, kind) or len(self._last) < _LAST):  # one odd answer changes nothing
            return
        since = now - period_s if kind is Window else -math.inf
        self._window = kind(self.limit, period_s, (taken for taken in self._log if taken.at > since))


def _rounded(found_s: float) -> float:
    """Periods are round numbers nearly always, and what is told of them comes a little late."""
    return next((period_s for period_s in _ROUND_S if abs(found_s / period_s - 1) <= _NEARLY), found_s)
