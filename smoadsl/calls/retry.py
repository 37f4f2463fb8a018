"""Retry, to decide from how an attempt failed whether another is worth making, and after how long."""

from random import Random

from smoadsl.adapters.base import Fault, FaultKind

_PASSING_STATUS = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 529))
_OUR_MISTAKE = frozenset((400, 405, 406, 410, 411, 413, 415, 422, 431))
_BUSY_STATUS = frozenset((429, 529))
_LONGEST_HINT_S = 120.0
_LONGEST_BACKOFF_S = 20.0


def worth_retrying(fault: Fault, times: int) -> bool:
    """Whether the same request may succeed on the same route, where a fault of this kind was met so many times
    (`reliability.md` 3.2)."""
    match fault.kind:
        case FaultKind.NOT_SENT | FaultKind.NO_RESPONSE | FaultKind.TRUNCATED | FaultKind.STALLED | FaultKind.TIMEOUT:
            return True
        case FaultKind.PROTOCOL | FaultKind.BAD_BODY | FaultKind.EMPTY:
            return times == 1  # who answers like this twice does so again
        case FaultKind.STATUS:
            hint = fault.retry_after_s
            return fault.status in _PASSING_STATUS and (hint is None or hint <= _LONGEST_HINT_S)
        case FaultKind.REFUSED | FaultKind.LOCAL:
            return False


def worth_another_route(fault: Fault) -> bool:
    """Whether another model may succeed where this one did not. A mistake of ours stays one."""
    match fault.kind:
        case FaultKind.REFUSED | FaultKind.LOCAL:
            return False
        case FaultKind.STATUS:
            return fault.status not in _OUR_MISTAKE
        case _:
            return True


def delay_s(fault: Fault, attempt: int, random: Random) -> float:
    """How long to wait after attempt number `attempt` (from 1): the provider's hint and never less, else backoff."""
    if fault.retry_after_s is not None:
        return fault.retry_after_s * random.uniform(1.0, 1.1)
    if fault.kind is FaultKind.NOT_SENT and attempt == 1:
        return 0.0  # most often a connection that was kept open too long
    base = 1.0 if fault.status in _BUSY_STATUS else 0.25
    return random.uniform(0.5, 1.0) * min(_LONGEST_BACKOFF_S, base * 2.0 ** (attempt - 1))
