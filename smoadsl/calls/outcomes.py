"""Outcomes, to hold as a table what each way an attempt can end means: try again, ask another, mistrust the route.

The rows are those of the reliability design (3.2). What is not in the table is decided by nobody.
"""

from collections.abc import Mapping
from enum import Enum

from smoadsl.adapters.base import Fault, FaultKind
from smoadsl.classes import dataclass


class Again(Enum):
    """Whether the same request may succeed on the same route."""

    value: str

    NO = "it would fail again"
    ONCE = "whoever answers like this twice does so again"
    YES = "it may pass"
    ALONE = "only where nobody else can be asked"
    PACED = "when the provider allows it"


class Elsewhere(Enum):
    """Whether another route may succeed where this one did not."""

    value: str

    NO = "it would fail there too"
    YES = "another may answer"
    LARGER = "only one with a larger context"


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from an outcome. `broken`: the route itself is not well, so its breaker counts it. `closes`: the
    route is of no use for the rest of the run."""

    again: Again
    elsewhere: Elsewhere
    broken: bool = False
    closes: bool = False


_OURS = Rule(Again.NO, Elsewhere.NO)
_PASSING = Rule(Again.YES, Elsewhere.YES, broken=True)
_TWICE = Rule(Again.ONCE, Elsewhere.YES, broken=True)
_CLOSED = Rule(Again.NO, Elsewhere.YES, closes=True)
_REFUSED_HERE = Rule(Again.NO, Elsewhere.YES)

_BY_KIND: Mapping[FaultKind, Rule] = {
    FaultKind.NOT_SENT: _PASSING,
    FaultKind.NO_RESPONSE: _PASSING,
    FaultKind.TIMEOUT: Rule(Again.ALONE, Elsewhere.YES, broken=True),
    FaultKind.TRUNCATED: _PASSING,
    FaultKind.STALLED: _PASSING,
    FaultKind.PROTOCOL: _TWICE,
    FaultKind.BAD_BODY: _TWICE,
    FaultKind.EMPTY: Rule(Again.ONCE, Elsewhere.YES),
    FaultKind.REFUSED: _OURS,
    FaultKind.LENGTH: _OURS,
    FaultKind.LOCAL: _OURS,
}

_BY_STATUS: Mapping[int, Rule] = {
    **dict.fromkeys((400, 405, 406, 410, 411, 413, 415, 422, 431), _OURS),
    **dict.fromkeys((401, 402, 403), _CLOSED),
    **dict.fromkeys((408, 409, 425), Rule(Again.YES, Elsewhere.YES)),
    **dict.fromkeys((500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 529), _PASSING),
    404: Rule(Again.NO, Elsewhere.YES),
    429: Rule(Again.PACED, Elsewhere.YES),
}
_OTHER_STATUS = {
    3: Rule(Again.NO, Elsewhere.YES),  # a redirect, which is not followed
    4: _OURS,
    5: Rule(Again.NO, Elsewhere.YES, broken=True),
}
_STRANGE_STATUS = Rule(Again.NO, Elsewhere.YES, broken=True)

_BY_REASON: Mapping[str, Rule] = {
    "quota": _CLOSED,
    "context": Rule(Again.NO, Elsewhere.LARGER),
    "policy": _OURS,
    "unknown_model": Rule(Again.NO, Elsewhere.YES, closes=True),
}

_NEVER_OVERRULED = frozenset((401, 402, 403))


def rule_of(fault: Fault, refusals_pass: bool = False) -> Rule:
    """The row of an attempt that failed. The provider's own word on retries (`x-should-retry`) is heeded. With
    `refusals_pass`, what was refused for its content may be answered elsewhere."""
    if refusals_pass and (fault.kind is FaultKind.REFUSED or fault.reason == "policy"):
        return _REFUSED_HERE
    if fault.kind is not FaultKind.STATUS:
        return _BY_KIND[fault.kind]
    if fault.reason is not None:
        return _BY_REASON[fault.reason]
    status = fault.status or 0
    rule = _BY_STATUS.get(status) or _OTHER_STATUS.get(status // 100, _STRANGE_STATUS)
    if fault.should_retry is False:
        return Rule(Again.NO, rule.elsewhere, rule.broken, rule.closes)
    if fault.should_retry and rule.again is Again.NO and 400 <= status < 500 and status not in _NEVER_OVERRULED:
        return Rule(Again.YES, rule.elsewhere, rule.broken, rule.closes)
    return rule
