"""Statistics, to turn outcomes into figures: means with their intervals, improvement, efficiency, the Pareto front.

Intervals are percentile bootstraps over rows (B. Efron, 1979), drawn by a seed. They are plain Python: a thousand
resamples of ten thousand rows take about a second, which does not pay for a dependency on numpy or scipy.
"""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from random import Random

from smoadsl.classes import dataclass
from smoadsl.score.outcome import Outcome, Scale, Scored, Tally, Unknown, Unreadable, tally

RESAMPLES = 1_000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """Between what a figure would lie, had other rows been drawn."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The outcomes of one scorer on all rows. `mean` is None where nothing is scored; `of_scored` is the mean of those
    rows alone that have a score."""

    scale: Scale
    mean: float | None
    interval: Interval | None
    of_scored: float | None
    tally: Tally


def mean(values: Sequence[float]) -> float:
    """Raises `ValueError` for no values."""
    if not values:
        raise ValueError("there is no mean of nothing")
    return fsum(values) / len(values)


def values_of(outcomes: Sequence[Outcome], scale: Scale, absent_is_worst: bool) -> list[float]:
    """The values that count. A missing or refused answer has the worst, or is left to the tally; that a verdict can not
    be read, or that nothing says what is right, is not the answer's fault."""
    found: list[float] = []
    for outcome in outcomes:
        if isinstance(outcome, Scored):
            found.append(outcome.value)
        elif absent_is_worst and not isinstance(outcome, Unreadable | Unknown):
            found.append(scale.worst)
    return found


def summarise(outcomes: Sequence[Outcome], scale: Scale, absent_is_worst: bool, seed: int = 0) -> Summary:
    """The figures of one scorer. `absent_is_worst`: who gives no answer to a question with a right one is wrong."""
    values = values_of(outcomes, scale, absent_is_worst)
    scored = values_of(outcomes, scale, absent_is_worst=False)
    return Summary(
        scale,
        mean(values) if values else None,
        interval(values, seed) if values else None,
        mean(scored) if scored else None,
        tally(outcomes),
    )


# ---- intervals


def interval(values: Sequence[float], seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """The interval of a mean."""
    chance, count = Random(seed), len(values)
    if min(values) == max(values):
        return Interval(values[0], values[0])
    return _between([sum(chance.choices(values, k=count)) / count for _ in range(resamples)])


def improvement_interval(
    ours: Sequence[float], baseline: Sequence[float], seed: int = 0, resamples: int = RESAMPLES
) -> Interval | None:
    """The interval of the improvement in percent, both drawn on the same rows; None where a baseline may be 0."""

    def figure(rows: Sequence[int]) -> float | None:
        return improvement(fsum(ours[row] for row in rows), fsum(baseline[row] for row in rows))

    return _paired(figure, ours, baseline, seed, resamples)


def difference_interval(
    ours: Sequence[float], baseline: Sequence[float], seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """The interval of how much the mean is above the baseline's, on the same rows."""
    if len(ours) != len(baseline):
        raise ValueError("both must be scored on the same rows")
    return interval([one - other for one, other in zip(ours, baseline, strict=True)], seed, resamples)


def _paired(
    figure: Callable[[Sequence[int]], float | None],
    ours: Sequence[float],
    baseline: Sequence[float],
    seed: int,
    resamples: int,
) -> Interval | None:
    if len(ours) != len(baseline):
        raise ValueError("both must be scored on the same rows")
    chance, rows = Random(seed), range(len(ours))
    drawn = [figure(chance.choices(rows, k=len(rows))) for _ in range(resamples)] if rows else []
    found = [one for one in drawn if one is not None]
    return _between(found) if found and len(found) == len(drawn) else None


def _between(drawn: list[float]) -> Interval:
    """The middle of what was drawn, at the level of confidence."""
    ordered, outside = sorted(drawn), (1 - CONFIDENCE) / 2
    low = round(outside * (len(ordered) - 1))
    return Interval(ordered[low], ordered[len(ordered) - 1 - low])


# ---- comparisons


def improvement(score: float, baseline: float) -> float | None:
    """(score - baseline) / baseline, in percent; None where the baseline is 0."""
    return None if baseline == 0 else (score - baseline) / baseline * 100


def efficiency_ratio(sparse: float, dense: float) -> float | None:
    """What the sparse pipeline takes of what the dense one takes, in tokens, money or time; None where that is 0."""
    return None if dense == 0 else sparse / dense


def pareto_front(points: Mapping[str, tuple[float, float]], scale: Scale) -> tuple[str, ...]:
    """Of the names, each with a cost and a quality, those that no other beats: as cheap and better, or cheaper and as
    good. The cheapest first."""
    sign = -1 if scale.less_is_better else 1

    def beaten(name: str) -> bool:
        cost, quality = points[name]
        return any(
            other_cost <= cost and sign * other >= sign * quality and (other_cost, other) != (cost, quality)
            for other_cost, other in points.values()
        )

    return tuple(sorted((name for name in points if not beaten(name)), key=lambda name: points[name]))


def by_category(outcomes: Mapping[str, Sequence[Outcome]], scale: Scale) -> tuple[dict[str, Summary], float | None]:
    """The figures of each category, and the mean over the categories, each of which counts alike however many rows it
    has: as MMAU (arXiv 2407.18961) and others report accuracy."""
    each = {name: summarise(found, scale, absent_is_worst=True) for name, found in outcomes.items()}
    means = [summary.mean for summary in each.values() if summary.mean is not None]
    return each, mean(means) if means else None
