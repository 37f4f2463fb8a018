"""Breaker, to leave a route alone that fails again and again, and to try it with one call now and then.

States are values: each event gives the next one, and what the time is comes from outside.
"""

import math
from dataclasses import replace

from smoadsl.adapters.values import value
from smoadsl.classes import dataclass

_FAILURES_IN_A_ROW = 5
_FEWEST_CALLS = 20  # of which half must have failed within the span
_SPAN_S = 30.0
_FIRST_PAUSE_S = 4.0
_LONGEST_PAUSE_S = 20.0  # so that a route that is well again is used again within half a minute


@value(frozen=True, slots=True)
class Tally:
    """How calls ended of late: in the half span that runs, and in the one before it."""

    since: float = -math.inf
    ended: tuple[int, int] = (0, 0)
    failed: tuple[int, int] = (0, 0)

    def add(self, failed: bool, now: float) -> "Tally":
        half = _SPAN_S / 2
        tally = self
        if now - self.since >= 2 * half:
            tally = Tally(now)
        elif now - self.since >= half:
            tally = Tally(self.since + half, (0, self.ended[0]), (0, self.failed[0]))
        ended, failures = (tally.ended[0] + 1, tally.ended[1]), (tally.failed[0] + failed, tally.failed[1])
        return Tally(tally.since, ended, failures)

    @property
    def is_bad(self) -> bool:
        return sum(self.ended) >= _FEWEST_CALLS and 2 * sum(self.failed) >= sum(self.ended)


@value(frozen=True, slots=True)
class Closed:
    """All calls go through."""

    in_a_row: int = 0
    tally: Tally = Tally()


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
        case Closed(in_a_row=in_a_row, tally=tally):
            tally = tally.add(True, now)
            if in_a_row + 1 >= _FAILURES_IN_A_ROW or tally.is_bad:
                return _pause(1, now, jitter)
            return Closed(in_a_row + 1, tally)
        case Probing(times=times) if probe:
            return _pause(times + 1, now, jitter)
        case _:
            return breaker  # it had begun before the pause


def succeeded(breaker: Breaker, probe: bool, now: float) -> Breaker:
    """A call has shown that the route is well."""
    match breaker:
        case Closed(tally=tally):
            return Closed(0, tally.add(False, now))
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
