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
_AT_ONCE = 0.05  # of a short period's count may be taken at once, to make up for a late timer


@dataclass(slots=True)
class Taken:
    """What was taken at one time. The amount may be settled later."""

    at: float
    amount: float


class Window:
    """At most `count` in any `period_s` seconds. Times are the event loop's."""

    def __init__(self, count: float, period_s: float, log: Iterable[Taken] = ()) -> None:
        self._log: deque[Taken] = deque()
        self._total = 0.0
        self._even_at = -math.inf  # when the next would come if all came evenly
        self.count = count
        self.period_s = period_s
        for taken in log:
            self.add(taken)

    def ready_at(self, amount: float, now: float) -> float:
        """When so much may be taken; more than the whole count is given once nothing else was taken for a period."""
        count, period_s = self.count, self.period_s
        self._forget(now)
        due = self._total + (amount if amount < count else count) - count
        at = now
        if due > 1e-9:
            span_s = period_s * (1 + _SLACK)
            for taken in self._log:
                if due <= 1e-9:
                    break
                due -= taken.amount
                at = taken.at + span_s
        if period_s <= _SHORT_S and self._even_at > at:
            at_once = max(1.0, count * _AT_ONCE) * period_s / count
            at = max(at, self._even_at - at_once)
        return at if at > now else now

    def take(self, amount: float, now: float) -> Taken:
        """Take it, allowed or not."""
        taken = Taken(now, amount)
        self.add(taken)
        return taken

    def add(self, taken: Taken) -> None:
        """It was taken then."""
        self._log.append(taken)
        self._total += taken.amount
        since = self._even_at if self._even_at > taken.at else taken.at
        self._even_at = since + taken.amount * self.period_s / self.count

    def settle(self, taken: Taken, amount: float) -> None:
        """It was more or less in the end."""
        if self._log and taken.at >= self._log[0].at:
            self._total += amount - taken.amount
        taken.amount = amount

    def _forget(self, now: float) -> None:
        span_s = self.period_s * (1 + _SLACK)
        while self._log and now - self._log[0].at >= span_s - 1e-9:
            self._total -= self._log.popleft().amount
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

    def settle(self, taken: Taken, amount: float) -> None:
        """It was more or less in the end."""
        self._level = min(self._most, self._level + taken.amount - amount)
        taken.amount = amount

    @property
    def _step_s(self) -> float:
        return self.period_s * (1 + _SLACK) / self.count

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._most, self._level + (now - self._at) / self._step_s)
            self._at = now
