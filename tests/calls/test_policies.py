"""Test policies, to hold each decision to the tables of the design, and the breaker and the tries to their bounds."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Fault, FaultKind, Reason
from smoadsl.calls import breaker
from smoadsl.calls.delays import delay_s
from smoadsl.calls.outcomes import Again, Elsewhere, rule_of
from smoadsl.calls.retry import Standing, decide
from smoadsl.calls.tries import Tries

NO, ONCE, YES, ALONE, PACED = Again.NO, Again.ONCE, Again.YES, Again.ALONE, Again.PACED


def status(number: int, reason: Reason | None = None, should_retry: bool | None = None) -> Fault:
    return Fault(FaultKind.STATUS, "no", status=number, reason=reason, should_retry=should_retry)


@pytest.mark.parametrize(
    ("faults", "again", "elsewhere", "broken", "closes"),
    [
        ([Fault(FaultKind.NOT_SENT, ""), Fault(FaultKind.NO_RESPONSE, "")], YES, Elsewhere.YES, True, False),
        ([Fault(FaultKind.TIMEOUT, "")], ALONE, Elsewhere.YES, True, False),
        ([Fault(FaultKind.TRUNCATED, ""), Fault(FaultKind.STALLED, "")], YES, Elsewhere.YES, True, False),
        ([Fault(FaultKind.PROTOCOL, ""), Fault(FaultKind.BAD_BODY, "")], ONCE, Elsewhere.YES, True, False),
        ([Fault(FaultKind.EMPTY, "")], ONCE, Elsewhere.YES, False, False),
        ([Fault(FaultKind.REFUSED, ""), Fault(FaultKind.LOCAL, "")], NO, Elsewhere.NO, False, False),
        ([status(n) for n in (400, 405, 406, 410, 411, 413, 415, 422, 431)], NO, Elsewhere.NO, False, False),
        ([status(400, "context"), status(413, "context")], NO, Elsewhere.LARGER, False, False),
        ([status(400, "policy")], NO, Elsewhere.NO, False, False),
        ([status(401), status(402), status(403)], NO, Elsewhere.YES, False, True),
        ([status(429, "quota"), status(400, "quota"), status(404, "unknown_model")], NO, Elsewhere.YES, False, True),
        ([status(404)], NO, Elsewhere.YES, False, False),
        ([status(n) for n in (408, 409, 425)], YES, Elsewhere.YES, False, False),
        ([status(429)], PACED, Elsewhere.YES, False, False),
        ([status(n) for n in (500, 502, 503, 504, 507, 520, 524, 529)], YES, Elsewhere.YES, True, False),
        ([status(n) for n in (501, 505, 600, 999)], NO, Elsewhere.YES, True, False),
        ([status(n) for n in (301, 302, 307, 308)], NO, Elsewhere.YES, False, False),
        ([status(503, should_retry=False)], NO, Elsewhere.YES, True, False),
        ([status(400, should_retry=True), status(422, should_retry=True)], YES, Elsewhere.NO, False, False),
        ([status(n, should_retry=True) for n in (401, 402, 403)], NO, Elsewhere.YES, False, True),
        ([status(429, "quota", should_retry=True)], NO, Elsewhere.YES, False, True),
    ],
)
def test_the_table(faults: list[Fault], again: Again, elsewhere: Elsewhere, broken: bool, closes: bool) -> None:
    for fault in faults:
        rule = rule_of(fault)
        assert (rule.again, rule.elsewhere, rule.broken, rule.closes) == (again, elsewhere, broken, closes), (
            fault.status
        )


def test_a_refusal_is_passed_on_only_where_that_is_wanted() -> None:
    for fault in (Fault(FaultKind.REFUSED, ""), status(400, "policy"), status(403, "policy")):
        assert rule_of(fault).elsewhere is Elsewhere.NO
        rule = rule_of(fault, refusals_pass=True)
        assert (rule.again, rule.elsewhere, rule.broken, rule.closes) == (NO, Elsewhere.YES, False, False)
    for fault in (status(400), status(422), Fault(FaultKind.LOCAL, ""), status(400, "context"), status(503)):
        assert rule_of(fault, refusals_pass=True) == rule_of(fault)


def test_every_kind_and_every_status_is_in_the_table() -> None:
    for kind in FaultKind:
        assert rule_of(Fault(kind, "", status=500))
    for number in range(300, 1_000):
        assert rule_of(status(number))


@given(st.integers(0, 2**32), st.integers(1, 12), st.one_of(st.none(), st.floats(0, 1e6)))
def test_delays(seed: int, times: int, hint_s: float | None) -> None:
    wait_s = delay_s(Fault(FaultKind.STATUS, "", status=503, retry_after_s=hint_s), times, Random(seed))
    if hint_s is not None:
        assert hint_s <= wait_s <= 1.1 * hint_s
    else:
        assert 0.5 * min(20, 0.25 * 2 ** (times - 1)) <= wait_s <= min(20, 0.25 * 2 ** (times - 1))
    assert delay_s(Fault(FaultKind.NOT_SENT, ""), 1, Random(seed)) == 0.0
    assert 0.5 <= delay_s(status(529), 1, Random(seed)) <= 1.0


def standing(*faults: Fault, **more: object) -> Standing:
    values: dict[str, object] = {
        "attempts": len(faults),
        "retries": 2,
        "ahead": 0,
        "shown": False,
        "tries_left": True,
        "time_left_s": math.inf,
    }
    return Standing(tuple(faults), **(values | more))  # type: ignore[arg-type]


DOWN, SILENT = status(503), Fault(FaultKind.TIMEOUT, "silent")
HOUR = Fault(FaultKind.STATUS, "busy", status=429, retry_after_s=3_600)
HALF_MINUTE = Fault(FaultKind.STATUS, "busy", status=429, retry_after_s=30)


@pytest.mark.parametrize(
    ("at", "waits", "elsewhere", "why"),
    [
        (standing(DOWN), True, False, "it may pass"),
        (standing(DOWN, DOWN, DOWN), False, False, "no more retries"),
        (standing(DOWN, DOWN, DOWN, ahead=1), False, True, "no more retries"),
        (standing(DOWN, retries=0), False, False, "no retries"),
        (standing(DOWN, shown=True, ahead=1), False, False, "shown"),
        (standing(DOWN, tries_left=False), False, False, "too many"),
        (standing(DOWN, time_left_s=1.0), False, False, "no time"),
        (standing(DOWN, attempts=5, ahead=1), False, True, "their turn"),
        (standing(SILENT), True, False, "only where nobody else"),
        (standing(SILENT, ahead=1), False, True, "only where nobody else"),
        (standing(*[status(429)] * 5), True, False, "when the provider allows it"),
        (standing(*[status(429)] * 6), False, False, "no more"),
        (standing(*[status(429)] * 3, ahead=1), False, True, "no more"),
        (standing(HOUR), False, False, "wants 3,600 s"),
        (standing(HOUR, ahead=1), False, True, "wants 3,600 s"),
        (standing(HALF_MINUTE), True, False, "asks to wait 30.0 s"),
        (standing(HALF_MINUTE, ahead=1), False, True, "another can be asked"),
        (standing(status(400), ahead=1), False, False, "it would fail again"),
        (standing(*[Fault(FaultKind.BAD_BODY, "")] * 2), False, False, "twice"),
        (standing(Fault(FaultKind.BAD_BODY, ""), DOWN), True, False, "it may pass"),
    ],
)
def test_what_comes_next_and_why(at: Standing, waits: bool, elsewhere: bool, why: str) -> None:
    following = decide(at, Random(0))
    assert (following.wait_s is not None, following.elsewhere) == (waits, elsewhere)
    assert why in following.why


# ---- the breaker

ENDS = st.lists(st.tuples(st.sampled_from(("well", "broken", "nothing")), st.floats(0.0, 9.0)), max_size=80)


@given(ENDS, st.floats(0, 1))
def test_the_breaker_never_locks_out_and_lets_one_probe_through(ends: list[tuple[str, float]], jitter: float) -> None:
    """Calls one after another, each begun as soon as it may: none waits for longer than 20 s, and after a pause there
    is always exactly one under way."""
    state: breaker.Breaker = breaker.Closed()
    now = 0.0
    for end, took_s in ends:
        at = breaker.opens_at(state, now)
        assert now <= at <= now + 20.0
        now = at
        before, state = state, breaker.begun(state)
        probe = state is not before
        assert probe == isinstance(before, breaker.Open)
        if probe:
            assert breaker.opens_at(state, now) == math.inf  # nobody else
        now += took_s
        if end == "well":
            state = breaker.succeeded(state, probe, now)
            assert isinstance(state, breaker.Closed)
        elif end == "broken":
            state = breaker.failed(state, probe, now, jitter)
            assert not probe or isinstance(state, breaker.Open)
        else:
            state = breaker.let_go(state, probe, now)
            assert breaker.opens_at(state, now) == now


def test_five_in_a_row_and_half_of_twenty_open_it() -> None:
    state: breaker.Breaker = breaker.Closed()
    for _ in range(4):
        state = breaker.failed(state, False, 0.0, 0.0)
    assert isinstance(state, breaker.Closed)
    assert breaker.failed(state, False, 0.0, 0.0) == breaker.Open(4.0, 1)
    state = breaker.Closed()
    for number in range(19):
        end = breaker.failed(state, False, 1.0, 0.0) if number % 2 else breaker.succeeded(state, False, 1.0)
        state = end
    assert isinstance(state, breaker.Closed)
    assert isinstance(breaker.failed(state, False, 1.0, 0.0), breaker.Open)
    later = breaker.succeeded(state, False, 40.0)
    assert isinstance(breaker.failed(later, False, 40.0, 0.0), breaker.Closed)  # what is long ago does not count


def test_pauses_grow_to_twenty_seconds() -> None:
    state: breaker.Breaker = breaker.Open(0.0, 1)
    pauses = []
    for _ in range(5):
        state = breaker.failed(breaker.begun(state), True, 0.0, 0.0)
        pauses.append(breaker.opens_at(state, 0.0))
    assert pauses == [8.0, 16.0, 20.0, 20.0, 20.0]


# ---- the tries


@given(st.lists(st.sampled_from(("call", "retry", "refused", "answer")), max_size=400))
def test_retries_are_a_fifth_and_ten_and_those_refused_no_more_than_good_answers(happened: list[str]) -> None:
    tries = Tries()
    calls = retries = answers = 0
    for what in happened:
        fault = status(429) if what == "refused" else DOWN
        if what == "call":
            tries.called()
            calls += 1
        elif what == "answer":
            tries.answered()
            answers += 1
        elif tries.enough(fault):
            tries.spend(fault)
            retries += 1
    assert retries <= 0.2 * calls + 10 + answers + 1e-6
    if not answers:
        assert retries <= 0.2 * calls + 10 + 1e-6
