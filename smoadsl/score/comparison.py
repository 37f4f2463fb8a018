"""Comparison, to say of several pipelines on the same rows what each gains and what it costs.

All figures follow from what a ledger holds of each row. The terms are those of arXiv 2411.03284: the improvement over a
baseline, and the efficiency ratio, which is what a sparse pipeline takes over what the densest takes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from statistics import fmean
from typing import Literal

from smoadsl.classes import dataclass
from smoadsl.frozen import Frozen
from smoadsl.plan.plan import Plan
from smoadsl.scale.records import Result
from smoadsl.score.outcome import Outcome, Scale, Scored
from smoadsl.score.statistics import by_category, improvement, pareto_front, summarise
from smoadsl.score.winning import Preference, length_controlled

Unit = Literal["tokens", "usd", "seconds"]
UNITS: tuple[Unit, ...] = ("tokens", "usd", "seconds")


class Score(Frozen):
    """The mean over all rows that count, and between what it would lie, with 95 % confidence, had others been drawn."""

    mean: float
    low: float
    high: float


class Amounts(Frozen):
    """What one prompt takes in the mean; or, as shares, what that is of what the densest pipeline takes."""

    tokens: float
    usd: float
    seconds: float


class Curve(Frozen):
    """The efficiency ratio against the share of prompts that a stop rule ended early: a line from `never` to `always`,
    since what a prompt takes depends on whether it is stopped. `share` was measured, and `measured` is the ratio there.
    """

    share: float
    never: Amounts
    always: Amounts
    measured: Amounts


class Saved(Frozen):
    """What the compiler saves of each prompt that nothing ends early: without it, `calls` and `tokens` more."""

    calls: int
    tokens: int


class Entry(Frozen):
    """One pipeline. `scored` of its `rows` have a score; the others are counted apart: `missing` have no answer, in
    `refused` the model refused, of `unreadable` nothing could be made, for `unknown` nothing says what is right. `ties`
    are some of the scored, `degraded` some of all. `settings` are the params that were swept. `length_controlled`, of
    preferences over a reference: the score that answers of the reference's length would have."""

    name: str
    settings: dict[str, str]
    rows: int
    scored: int
    missing: int
    refused: int
    unreadable: int
    unknown: int
    ties: int
    degraded: int
    score: Score | None
    improvement_percent: float | None = None
    length_controlled: float | None = None
    categories: dict[str, float]
    category_mean: float | None
    calls: float
    input_tokens: float
    output_tokens: float
    each: Amounts
    priced: bool
    ratio: Amounts | None = None
    stopped: dict[str, int]
    curve: Curve | None = None
    on_front: bool = False
    saved: Saved


class Comparison(Frozen):
    """`baseline` and `densest` name entries; `scorer` says what the score is, from `worst` to `best`."""

    version: Literal[1] = 1
    data: str
    rows: int
    scorer: str
    worst: float
    best: float
    baseline: str
    densest: str
    entries: tuple[Entry, ...]

    @property
    def dense(self) -> Entry:
        return next(entry for entry in self.entries if entry.name == self.densest)

    @property
    def by_usd(self) -> bool:
        """Whether money is the measure of cost: else tokens are, as not all has a price, or nothing has."""
        return all(entry.priced for entry in self.entries) and any(entry.each.usd for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Marked:
    """One row of one pipeline: what came of it, and what the scorer says. `parts` are outcomes that are told apart as
    well, by category, or by the aspects that the whole is the mean of. `lengths` are those of the answer and of the
    reference that it was compared with, in characters."""

    result: Result
    outcome: Outcome
    parts: Mapping[str, Outcome] = field(default_factory=dict)
    lengths: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Entrant:
    """A pipeline that takes part, with the values of params that were swept."""

    name: str
    plan: Plan
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Measure:
    """How answers are scored: the scorer's name, its scale, and whether no answer is the worst answer."""

    name: str
    scale: Scale
    absent_is_worst: bool = True


def compared(
    data: str,
    measure: Measure,
    entrants: Sequence[tuple[Entrant, Sequence[Marked]]],
    baseline: str,
    densest: str | None = None,
) -> Comparison:
    """The comparison of pipelines that have worked through the same rows, of which there is one at least. The densest
    is the one that takes the most tokens, unless it is named."""
    entries = {entrant.name: _entry(entrant, rows, measure) for entrant, rows in entrants}
    dense = entries[densest] if densest else max(entries.values(), key=lambda entry: entry.each.tokens)
    scale = measure.scale
    found = Comparison(
        data=data,
        rows=max(entry.rows for entry in entries.values()),
        scorer=measure.name,
        worst=scale.worst,
        best=scale.low if scale.less_is_better else scale.high,
        baseline=baseline,
        densest=dense.name,
        entries=tuple(entries.values()),
    )
    costs = {entry.name: entry.each.usd if found.by_usd else entry.each.tokens for entry in found.entries}
    scored = {entry.name: (costs[entry.name], entry.score.mean) for entry in found.entries if entry.score}
    front = pareto_front(scored, scale)
    finished = [
        entries[entrant.name].model_copy(
            update={
                "improvement_percent": _improvement(entries[entrant.name], entries[baseline]),
                "ratio": ratio(entries[entrant.name].each, dense.each),
                "curve": _curve(rows, dense.each),
                "on_front": entrant.name in front,
            }
        )
        for entrant, rows in entrants
    ]
    return found.model_copy(update={"entries": tuple(finished)})


def ratio(sparse: Amounts, dense: Amounts) -> Amounts:
    """What one takes over what the other takes: the efficiency ratio. 1 where neither takes anything."""
    return Amounts(**{unit: _share(getattr(sparse, unit), getattr(dense, unit)) for unit in UNITS})


def _share(part: float, whole: float) -> float:
    if whole:
        return part / whole
    return float("inf") if part else 1.0


def each(results: Iterable[Result]) -> Amounts:
    """What a row took in the mean."""
    taken = [(one.input_tokens + one.output_tokens, one.usd, one.seconds) for one in results]
    return Amounts(**dict(zip(UNITS, map(fmean, zip(*taken, strict=True)), strict=True)))


def _entry(entrant: Entrant, rows: Sequence[Marked], measure: Measure) -> Entry:
    summary = summarise([row.outcome for row in rows], measure.scale, measure.absent_is_worst)
    score = None
    if summary.mean is not None and summary.interval is not None:
        score = Score(mean=summary.mean, low=summary.interval.low, high=summary.interval.high)
    named: dict[str, list[Outcome]] = defaultdict(list)
    for row in rows:
        for name, outcome in row.parts.items():
            named[name].append(outcome)
    categories, category_mean = by_category(named, measure.scale)
    results, tally, savings = [row.result for row in rows], summary.tally, entrant.plan.savings
    return Entry(
        name=entrant.name,
        settings=dict(entrant.settings),
        rows=len(rows),
        scored=tally.scored,
        missing=tally.missing,
        refused=tally.refused,
        unreadable=tally.unreadable,
        unknown=tally.unknown,
        ties=tally.ties,
        degraded=sum(bool(result.degraded) for result in results),
        score=score,
        length_controlled=_length_controlled(rows),
        categories={name: one.mean for name, one in sorted(categories.items()) if one.mean is not None},
        category_mean=category_mean,
        calls=fmean(result.calls for result in results),
        input_tokens=fmean(result.input_tokens for result in results),
        output_tokens=fmean(result.output_tokens for result in results),
        each=each(results),
        priced=entrant.plan.bounds is None or not entrant.plan.bounds.unpriced,
        stopped=dict(sorted(Counter(result.stopped[-1] for result in results if result.stopped).items())),
        saved=Saved(calls=sum(one.full_calls for one in savings), tokens=sum(one.full_tokens for one in savings)),
    )


def _length_controlled(rows: Sequence[Marked]) -> float | None:
    found = [
        Preference(row.outcome.value, *row.lengths)
        for row in rows
        if row.lengths is not None and isinstance(row.outcome, Scored)
    ]
    return length_controlled(found) / 100 if found else None


def _improvement(entry: Entry, base: Entry) -> float | None:
    return improvement(entry.score.mean, base.score.mean) if entry.score and base.score else None


def _curve(rows: Sequence[Marked], dense: Amounts) -> Curve | None:
    """None where all prompts were stopped or none: what the others would take is not known."""
    stopped = [row.result for row in rows if row.result.stopped]
    others = [row.result for row in rows if not row.result.stopped]
    if not stopped or not others:
        return None
    return Curve(
        share=len(stopped) / len(rows),
        never=ratio(each(others), dense),
        always=ratio(each(stopped), dense),
        measured=ratio(each([*stopped, *others]), dense),
    )
