"""Test statistics, to hold means, intervals, ratios and fronts to what they are by definition."""

import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.score import statistics as s
from smoadsl.score.outcome import (
    HARM,
    ONE_TO_FIVE,
    SHARE,
    Missing,
    Outcome,
    Refused,
    Scale,
    Scored,
    Tally,
    Unknown,
    Unreadable,
    tally,
)
from smoadsl.score.winning import Preference, length_controlled, win_rate

OUTCOMES: list[Outcome] = [
    Scored(1.0), Scored(0.0), Scored(0.5, tie=True), Scored(1.0, degraded=True), Missing(), Refused(), Unreadable("?"),
    Unknown("?"),
]  # fmt: skip
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=40)
any_outcome = st.one_of(
    st.builds(Scored, st.floats(0, 1), degraded=st.booleans(), tie=st.booleans()),
    st.builds(Missing), st.builds(Refused), st.builds(Unreadable, st.just("?")), st.builds(Unknown, st.just("?")),
)  # fmt: skip


def test_outcomes_are_counted_apart() -> None:
    assert tally(OUTCOMES) == Tally(scored=4, missing=1, refused=1, unreadable=1, unknown=1, ties=1, degraded=1)


@given(st.lists(any_outcome, max_size=30))
def test_none_is_dropped(outcomes: list[Outcome]) -> None:
    counted = tally(outcomes)
    assert counted.all == len(outcomes)
    summary = s.summarise(outcomes, SHARE, absent_is_worst=True)
    assert summary.tally == counted
    assert (summary.mean is None) is (counted.scored + counted.missing + counted.refused == 0)


def test_who_gives_no_answer_is_wrong_where_there_is_a_right_one_and_aside_elsewhere() -> None:
    strict = s.summarise(OUTCOMES, SHARE, absent_is_worst=True)
    assert strict.mean == pytest.approx(2.5 / 6)  # the verdict that nobody can read is not the answer's fault
    assert strict.of_scored == pytest.approx(2.5 / 4)
    assert s.summarise(OUTCOMES, SHARE, absent_is_worst=False).mean == pytest.approx(2.5 / 4)
    assert s.values_of([Missing()], HARM, absent_is_worst=True) == [5]
    assert s.values_of([Missing()], ONE_TO_FIVE, absent_is_worst=True) == [1]


@given(SHARES, st.integers(0, 5))
def test_an_interval_lies_among_the_values_and_is_the_same_for_a_seed(values: list[float], seed: int) -> None:
    found = s.interval(values, seed, resamples=50)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert found == s.interval(values, seed, resamples=50)


def test_an_interval_is_that_of_the_normal_approximation_where_there_are_many() -> None:
    chance = Random(1)
    values = [float(chance.random() < 0.6) for _ in range(2_000)]
    mean = s.mean(values)
    half = 1.96 * (mean * (1 - mean) / len(values)) ** 0.5
    found = s.interval(values)
    assert found.low == pytest.approx(mean - half, abs=0.003)
    assert found.high == pytest.approx(mean + half, abs=0.003)


def test_an_interval_holds_the_truth_about_as_often_as_it_should() -> None:
    chance = Random(7)
    held = 0
    for seed in range(200):
        found = s.interval([float(chance.random() < 0.7) for _ in range(100)], seed, resamples=200)
        held += found.low <= 0.7 <= found.high
    assert 0.88 <= held / 200 <= 1


def test_ten_thousand_rows_take_about_a_second() -> None:
    values = [float(place % 3 == 0) for place in range(10_000)]
    begun = time.process_time()
    s.interval(values)
    assert time.process_time() - begun < 5


def test_improvement_and_ratio_are_what_they_say() -> None:
    assert s.improvement(66, 60) == pytest.approx(10)
    assert s.improvement(54, 60) == pytest.approx(-10)
    assert s.improvement(1, 0) is None
    assert s.efficiency_ratio(600, 1000) == pytest.approx(0.6)
    assert s.efficiency_ratio(600, 0) is None


def test_an_improvement_is_drawn_on_the_same_rows() -> None:
    chance = Random(3)
    baseline = [chance.random() for _ in range(50)]
    ours = [value * 1.1 for value in baseline]
    found = s.improvement_interval(ours, baseline, resamples=100)
    assert found is not None
    assert [found.low, found.high] == pytest.approx([10, 10])
    apart = s.difference_interval([v + 0.2 for v in baseline], baseline, resamples=100)
    assert [apart.low, apart.high] == pytest.approx([0.2, 0.2])
    assert s.improvement_interval([1.0, 0.0], [0.0, 0.0]) is None
    with pytest.raises(ValueError, match="the same rows"):
        s.difference_interval([1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="the same rows"):
        s.improvement_interval([1.0], [1.0, 0.0])


points = st.dictionaries(st.text(max_size=3), st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


@given(points, st.sampled_from([SHARE, HARM]))
def test_a_front_is_who_is_not_beaten(found: dict[str, tuple[int, int]], scale: Scale) -> None:
    sign = -1 if scale.less_is_better else 1
    front = s.pareto_front(found, scale)
    assert front
    for name, (cost, quality) in found.items():
        beaten = any(
            c <= cost and sign * q >= sign * quality and (c < cost or sign * q > sign * quality)
            for c, q in found.values()
        )
        assert (name in front) is not beaten
    assert [found[name][0] for name in front] == sorted(found[name][0] for name in front)


def test_each_category_counts_alike() -> None:
    rows: dict[str, list[Outcome]] = {
        "math": [Scored(float(place < 8)) for place in range(10)],
        "tool": [Scored(0.0), Missing()],
        "code": [Scored(1.0)],
        "none": [Unreadable("?")],
    }
    each, whole = s.by_category(rows, SHARE)
    assert {name: one.mean for name, one in each.items()} == {"math": 0.8, "tool": 0.0, "code": 1.0, "none": None}
    assert whole == pytest.approx(0.6)
    assert s.by_category({}, SHARE) == ({}, None)


# ---- win rates


def judged(count: int, own: float, by_length: float, gap: float, seed: int = 0) -> list[Preference]:
    """Preferences of a judge that likes length as much as `by_length` says, of answers that are longer by `gap`."""
    import math

    chance = Random(seed)
    gaps = [chance.gauss(gap, 200) for _ in range(count)]
    found = []
    for length in gaps:
        liked = own + by_length * math.tanh(length / 200)
        found.append(Preference(float(chance.random() < 1 / (1 + math.exp(-liked))), 1000 + round(length), 1000))
    return found


def test_a_tie_counts_one_half() -> None:
    assert win_rate([Preference(1, 5, 5), Preference(0.5, 5, 5), Preference(0, 5, 5), Preference(1, 5, 5)]) == 62.5
    with pytest.raises(ValueError, match="no mean of nothing"):
        win_rate([])


def test_what_length_wins_is_taken_out() -> None:
    longer = judged(3_000, own=0.0, by_length=1.5, gap=250)
    assert win_rate(longer) > 65
    assert length_controlled(longer) == pytest.approx(50, abs=7)
    shorter = judged(3_000, own=1.0, by_length=1.5, gap=-250)
    assert win_rate(shorter) < 55
    assert length_controlled(shorter) == pytest.approx(73, abs=7)


def test_where_the_judge_does_not_mind_length_both_rates_agree() -> None:
    fair = judged(3_000, own=0.6, by_length=0.0, gap=250)
    assert length_controlled(fair) == pytest.approx(win_rate(fair), abs=5)


def test_where_length_tells_nothing_or_everything_there_is_still_a_rate() -> None:
    assert length_controlled([Preference(1, 5, 5), Preference(0, 5, 5)]) == 50
    assert length_controlled([Preference(1, 9, 5), Preference(1, 5, 5), Preference(1, 3, 5)]) > 90
    assert length_controlled([Preference(0, 9, 5), Preference(0, 5, 5)]) < 15
    alone = length_controlled([Preference(1.0, 900, 100), Preference(0.0, 100, 900)] * 50)
    assert alone == pytest.approx(50, abs=1)


@given(
    st.lists(
        st.builds(Preference, st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 99), st.integers(0, 99)),
        min_size=1,
        max_size=20,
    )
)
def test_a_rate_is_a_rate_and_turns_round_with_the_pair(found: list[Preference]) -> None:
    rate = length_controlled(found)
    assert 0 <= rate <= 100
    turned = [Preference(1 - one.value, one.theirs, one.ours) for one in found]
    assert length_controlled(turned) == pytest.approx(100 - rate, abs=0.01)
