"""Breaker, to leave a route alone that fails again and again, and to try it with one call now and then.

Each event gives the next state, and what the time is comes from outside. A closed one counts in itself: it is told of
every call.
"""

import math
from dataclasses import replace

from smoadsl.classes import dataclass

_FAILURES_IN_A_ROW = 5
_FEWEST_CALLS = 20  # of which half must have failed within the span
_HALF_SPAN_S = 15.0
_FIRST_PAUSE_S = 4.0
_LONGEST_PAUSE_S = 20.0  # so that a route that is well again is used again within half a minute


@dataclass(slots=True)
class Closed:
    """All calls go through. How they ended of late is counted in the half span that runs since then, and in the one
    before it; and how many failed in a row."""

    since: float = -math.inf
    ended: int = 0
    failed: int = 0
    ended_before: int = 0
    failed_before: int = 0
    in_a_row: int = 0

    def count(self, failed: bool, now: float) -> None:
        """One more has ended."""
        if now - self.since >= _HALF_SPAN_S:
            follows = now - self.since < 2 * _HALF_SPAN_S
            self.since = self.since + _HALF_SPAN_S if follows else now
            self.ended_before, self.failed_before = (self.ended, self.failed) if follows else (0, 0)
            self.ended = self.failed = 0
        self.ended += 1
        if failed:
            self.failed += 1
            self.in_a_row += 1
        else:
            self.in_a_row = 0

    @property
    def is_bad(self) -> bool:
        ended = self.ended + self.ended_before
        half_failed = 2 * (self.failed + self.failed_before) >= ended
        return self.in_a_row >= _FAILURES_IN_A_ROW or (ended >= _FEWEST_CALLS and half_failed)


@dataclass(frozen=True, slots=True)
class Open:
    """No call goes through before `until`; then one does. It is the `times`-th pause in a row."""

    until: float
    times: int = 1


@dataclass(frozen=True, slots=True)
class Probing:
    """One call is under way, and decides."""

    times: int


Breaker = Closed | Open | Probing


def opens_at(breaker: Breaker, now: float) -> float:
    """When the next call may begin; never, as long as a probe is under way."""
    match breaker:
        case Closed():
            return now
        case Open(until=until):
            return max(now, until)
        case Probing():
            return math.inf


def begun(breaker: Breaker) -> Breaker:
    """A call begins: after a pause it is the probe."""
    return Probing(breaker.times) if isinstance(breaker, Open) else breaker


def failed(breaker: Breaker, probe: bool, now: float, jitter: float) -> Breaker:
    """A call has shown that the route is not well. `jitter` from 0 to 1 shortens a pause by up to a tenth."""
    match breaker:
        case Closed():
            breaker.count(True, now)
            return _pause(1, now, jitter) if breaker.is_bad else breaker
        case Probing(times=times) if probe:
            return _pause(times + 1, now, jitter)
        case _:
            return breaker  # it had begun before the pause


def succeeded(breaker: Breaker, probe: bool, now: float) -> Breaker:
    """A call has shown that the route is well."""
    match breaker:
        case Closed():
            breaker.count(False, now)
            return breaker
        case Probing() if probe:
            return Closed()
        case Open():
            return replace(breaker, until=now)  # it had begun before the pause, and is a reason to look again
        case _:
            return breaker


def let_go(breaker: Breaker, probe: bool, now: float) -> Breaker:
    """A call ended without showing anything of the route: another may be the probe at once."""
    return Open(now, breaker.times) if probe and isinstance(breaker, Probing) else breaker


def _pause(times: int, now: float, jitter: float) -> Open:
    pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (times - 1))
    return Open(now + pause_s * (1.0 - jitter / 10), times)
