"""Window, to take no more than so much in any period, on whatever kind of window the other side counts.

What a sliding log of our own allows is also allowed by a server with fixed windows, with a sliding one, and with a
bucket that fills as fast: so nothing need be known of its kind.
"""

import math
from collections import deque
from collections.abc import Iterable

from smoadsl.classes import dataclass

_SLACK = 0.01  # of the period: how much later than planned a request may arrive
_SHORT_S = 2.0  # in a period as short as this, requests are spread over it evenly
_MOMENTS = 1000  # of a period
_AT_ONCE = 0.05  # of a short period's count may be taken at once, to make up for a late timer


@dataclass(slots=True)
class Taken:
    """What was taken at one time, or a moment before it. The amount may be settled later."""

    at: float
    amount: float


class Window:
    """At most `count` in any `period_s` seconds. Times are the event loop's. What is taken within a thousandth of the
    period is counted as taken at the end of that."""

    def __init__(self, count: float, period_s: float, log: Iterable[Taken] = ()) -> None:
        self._log: deque[Taken] = deque()
        self._total = 0.0  # of what stands in the log, which may have passed already
        self._even_at = -math.inf  # when the next would come if all came evenly
        self._moment = -1  # of the last in the log, in thousandths of the period
        self._moments_a_s = _MOMENTS / period_s
        self.period_s = period_s
        self._set(count)
        for taken in log:
            self.add(taken)

    def _set(self, count: float) -> None:
        self.count = count
        self._step_s = self.period_s / count
        ahead = max(1.0, count * _AT_ONCE) * self._step_s
        self._ahead_s = ahead if self.period_s <= _SHORT_S else math.inf

    def grow(self, more: float) -> None:
        """So much more is allowed from now on."""
        self._set(self.count + more)

    def ready_at(self, amount: float, now: float) -> float:
        """When so much may be taken; more than the whole count is given once nothing else was taken for a period."""
        if self._total + amount <= self.count and self._even_at - self._ahead_s <= now:
            return now
        self._forget(now)
        due = self._total + min(amount, self.count) - self.count
        at = now
        if due > 1e-9:
            span_s = self.period_s * (1 + _SLACK)
            for taken in self._log:
                if due <= 1e-9:
                    break
                due -= taken.amount
                at = taken.at + span_s
        return max(at, self._even_at - self._ahead_s, now)

    def take(self, amount: float, now: float) -> Taken:
        """Take it, allowed or not. What was taken with it in the same moment is in the amount too."""
        moment = int(now * self._moments_a_s)
        if moment != self._moment:
            self._forget(now)
            taken = Taken(now, amount)
            self.add(taken)
            self._moment = moment
            return taken
        taken = self._log[-1]
        taken.at = now
        taken.amount += amount
        self._total += amount
        self._even_at = (self._even_at if self._even_at > now else now) + amount * self._step_s
        return taken

    def add(self, taken: Taken) -> None:
        """It was taken then."""
        self._log.append(taken)
        self._moment = -1
        self._total += taken.amount
        self._even_at = max(self._even_at, taken.at) + taken.amount * self._step_s

    def settle(self, taken: Taken, change: float) -> None:
        """It was so much more in the end, or less."""
        if self._log and taken.at >= self._log[0].at:
            self._total += change
        taken.amount += change

    def _forget(self, now: float) -> None:
        span_s = self.period_s * (1 + _SLACK)
        while self._log and now - self._log[0].at >= span_s - 1e-9:
            self._total -= self._log.popleft().amount
            self._moment = self._moment if self._log else -1
        if not self._log:
            self._total = 0.0  # no error of rounding is carried on


_RESERVE = 0.02  # of what a bucket holds, left in it for what arrives closer together than it was sent


class Bucket:
    """A bucket that fills evenly with `count` in `period_s` seconds, for a server that is known to have one. All that a
    window promises holds, but that no more than so much is taken in any period: of a full bucket twice as much is."""

    def __init__(self, count: float, period_s: float, log: Iterable[Taken] = ()) -> None:
        self._level = self._most = max(1.0, count * (1 - _RESERVE))
        self._at = -math.inf
        self.count = count
        self.period_s = period_s
        for taken in log:
            self.add(taken)

    def ready_at(self, amount: float, now: float) -> float:
        """When so much may be taken; more than it holds is given once it is full."""
        self._fill(now)
        due = min(amount, self._most) - self._level
        return now if due <= 1e-9 else now + due * self._step_s

    def add(self, taken: Taken) -> None:
        """It was taken then, allowed or not."""
        self._fill(taken.at)
        self._level -= taken.amount

    def settle(self, taken: Taken, change: float) -> None:
        """It was so much more in the end, or less."""
        self._level = min(self._most, self._level - change)
        taken.amount += change

    @property
    def _step_s(self) -> float:
        return self.period_s * (1 + _SLACK) / self.count

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._most, self._level + (now - self._at) / self._step_s)
            self._at = now
