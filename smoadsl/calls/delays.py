"""Delays, to say how long to wait before a request is sent again: as the provider asks, else longer each time."""

from random import Random

from smoadsl.adapters.base import Fault, FaultKind

LONGEST_HINT_S = 120.0
"""A provider that wants more than this is not waited for."""

_LONGEST_BACKOFF_S = 20.0
_OVERLOADED = 529


def delay_s(fault: Fault, times: int, random: Random) -> float:
    """The wait after the `times`-th fault on a route, from 1: the provider's hint and never less, else backoff.

    A 429 without a hint is not waited for longer than other faults here: what was learned of the rate from it holds all
    calls to the route back, and knows better for how long.
    """
    if fault.retry_after_s is not None:
        return fault.retry_after_s * random.uniform(1.0, 1.1)
    if fault.kind is FaultKind.NOT_SENT and times == 1:
        return 0.0  # most often a connection that was kept open too long
    base = 1.0 if fault.status == _OVERLOADED else 0.25
    return random.uniform(0.5, 1.0) * min(_LONGEST_BACKOFF_S, base * 2.0 ** (times - 1))
