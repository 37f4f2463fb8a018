"""Retry, to decide after an attempt that failed what comes next: the same route again, another, or the end."""

from random import Random

from smoadsl.adapters.base import Fault, FaultKind
from smoadsl.calls.delays import LONGEST_HINT_S, delay_s
from smoadsl.calls.outcomes import Again, Elsewhere, rule_of
from smoadsl.classes import dataclass

_MOST_ATTEMPTS = 6  # of one call on all its routes, unless more retries are asked for
_PACED_RETRIES = 5  # how often a limit on the rate is waited for where nobody else can be asked
PATIENCE_S = 20.0  # how long a provider is waited for while another could be asked
_LEAST_USEFUL_S = 1.0  # with less time left than this, nothing more is begun


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a call stands after a fault. `faults` are those of its present route, the last one included; `retries` how
    often it may be tried again there; `ahead` how many routes are left that may succeed where it did not;
    `refusals_pass` that what one refuses may be asked of the next."""

    faults: tuple[Fault, ...]
    attempts: int
    retries: int
    ahead: int
    shown: bool
    tries_left: bool
    time_left_s: float
    refusals_pass: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """What comes next, and why. `wait_s` is None unless the same route is tried again."""

    elsewhere: bool
    why: str
    wait_s: float | None = None


def decide(at: Standing, random: Random) -> Next:
    """What comes next after the last fault (`reliability.md` 3.2, 3.3)."""
    fault = at.faults[-1]
    if at.shown:
        return Next(False, "part of the answer was shown already")
    refusal = _against_the_same(at)
    if not refusal:
        wait_s = delay_s(fault, len(at.faults), random)
        if wait_s + _LEAST_USEFUL_S < at.time_left_s:
            return Next(False, _reason_to_retry(fault), wait_s)
        refusal = f"no time is left to wait {wait_s:.1f} s"
    where = rule_of(fault, at.refusals_pass).elsewhere
    return Next(at.ahead > 0 and where is not Elsewhere.NO, refusal)


def _against_the_same(at: Standing) -> str:
    """Why the same route is not tried again; empty if it is."""
    fault = at.faults[-1]
    again = rule_of(fault).again
    hint_s = fault.retry_after_s or 0.0
    allowed = at.retries
    if again is Again.PACED and at.retries and not at.ahead:
        allowed = max(allowed, _PACED_RETRIES)
    if again is Again.NO:
        return again.value
    if again is Again.ONCE and sum(earlier.kind is fault.kind for earlier in at.faults) > 1:
        return again.value
    if again is Again.ALONE and at.ahead:
        return again.value
    if hint_s > LONGEST_HINT_S:
        return f"the provider wants {hint_s:,.0f} s"
    if hint_s > PATIENCE_S and at.ahead:
        return f"the provider wants {hint_s:.0f} s, and another can be asked"
    if len(at.faults) > allowed:
        return "no more retries" if allowed else "no retries"
    if at.attempts + at.ahead >= max(_MOST_ATTEMPTS, at.retries + 1):
        return "the other routes are to have their turn" if at.ahead else "no more attempts"
    if not at.tries_left:
        return "too many calls to this route are being retried already"
    return ""


def _reason_to_retry(fault: Fault) -> str:
    if fault.retry_after_s is not None:
        return f"the provider asks to wait {fault.retry_after_s:.1f} s"
    return "nothing was sent" if fault.kind is FaultKind.NOT_SENT else rule_of(fault).again.value
