"""Diff, to say what became of one plan in another: its shape, its models, its words, and what it can take."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from difflib import unified_diff
from typing import Literal

from smoadsl.frozen import Frozen
from smoadsl.language.lock import Entry
from smoadsl.plan.diff_beside import locks_differ, providers_differ, recipes_differ, templates_differ
from smoadsl.plan.diff_calls import call_changes
from smoadsl.plan.diff_notes import Change, Notes, Wording
from smoadsl.plan.diff_shape import pipelines_differ
from smoadsl.plan.plan import Decision, Plan

_CONTEXT = 3  # unchanged lines around a change
Figure = Literal["calls", "tokens", "input_tokens", "output_tokens", "usd", "critical_path", "seconds"]
FIGURES: tuple[Figure, ...] = (
    "calls", "usd", "tokens", "input_tokens", "output_tokens", "critical_path", "seconds",
)  # fmt: skip


class TextChange(Frozen):
    """A text that changed, as the lines of a unified difference without its head. `before` is false for a text that is
    new, `after` for one that is gone; `added` and `removed` count lines."""

    what: str
    before: bool
    after: bool
    added: int
    removed: int
    lines: tuple[str, ...]


class Three(Frozen):
    """One of a plan's figures: at `least`, in `full`, and at `worst`."""

    least: int | float
    full: int | float
    worst: int | float


class Rise(Frozen):
    """By how many percent each of a figure's three rises; None where it was 0 before, or is not known."""

    least: float | None = None
    full: float | None = None
    worst: float | None = None


class FigureChange(Frozen):
    """A figure in both plans; None where it is not known."""

    name: Figure
    before: Three | None
    after: Three | None
    percent: Rise

    @property
    def is_change(self) -> bool:
        return self.before != self.after


class Side(Frozen):
    """One of the two plans: where it was read, which pipeline it is of, and the routes whose price is not known."""

    file: str
    pipeline: str
    unpriced: tuple[str, ...]


class Difference(Frozen):
    """What changed from one plan to another. `decisions_gone` and `decisions_new` are the compiler's."""

    version: Literal[1] = 1
    before: Side
    after: Side
    changes: tuple[Change, ...]
    texts: tuple[TextChange, ...]
    decisions_gone: tuple[Decision, ...]
    decisions_new: tuple[Decision, ...]
    figures: tuple[FigureChange, ...]

    @property
    def is_none(self) -> bool:
        """Whether nothing changed that a run could show."""
        said = self.changes or self.texts or self.decisions_gone or self.decisions_new
        return not said and not any(figure.is_change for figure in self.figures)

    def figure(self, name: Figure) -> FigureChange:
        return next(figure for figure in self.figures if figure.name == name)


class Reviewed(Frozen):
    """A plan to be compared: the file that it was read from, and the entries of the lock files that it rests on."""

    file: str
    plan: Plan
    locked: dict[str, Entry]


def diff(before: Reviewed, after: Reviewed) -> Difference:
    """What became of the one in the other. Where things stand in their files does not count."""
    notes = _notes(before, after)
    gone, new = _decisions(before.plan), _decisions(after.plan)
    return Difference(
        before=_side(before),
        after=_side(after),
        changes=tuple(notes.changes),
        texts=tuple(map(_text, notes.wordings)),
        decisions_gone=tuple(made for key, made in gone.items() if key not in new),
        decisions_new=tuple(made for key, made in new.items() if key not in gone),
        figures=tuple(_figure(name, before.plan, after.plan) for name in FIGURES),
    )


def _notes(before: Reviewed, after: Reviewed) -> Notes:
    """First the shape, from the outermost pipeline inwards, then how models are asked, then where."""
    notes = Notes()
    pipelines_differ(before.plan.pipeline, after.plan.pipeline, notes)
    recipes_differ(before.plan, after.plan, notes)
    locks_differ(before.locked, after.locked, notes)
    renamed = templates_differ(before.plan, after.plan, notes)
    notes.changes += call_changes(notes.calls, renamed)
    providers_differ(before.plan, after.plan, notes)
    return notes


def _side(side: Reviewed) -> Side:
    unpriced = side.plan.bounds.unpriced if side.plan.bounds else ()
    return Side(file=side.file, pipeline=side.plan.pipeline.name, unpriced=unpriced)


def _decisions(plan: Plan) -> Mapping[str, Decision]:
    return {made.model_copy(update={"origin": ""}).model_dump_json(): made for made in plan.decisions}


def _text(wording: Wording) -> TextChange:
    lines = list(_lines(wording))
    return TextChange(
        what=wording.what,
        before=wording.before is not None,
        after=wording.after is not None,
        added=sum(line.startswith("+") for line in lines),
        removed=sum(line.startswith("-") for line in lines),
        lines=tuple(lines),
    )


def _lines(wording: Wording) -> Iterator[str]:
    """A unified difference without the two lines that name files, and its lines without their ends."""
    before, after = ([] if text is None else text.split("\n") for text in (wording.before, wording.after))
    for number, line in enumerate(unified_diff(before, after, n=_CONTEXT, lineterm="")):
        if number > 1:
            yield line


def _figure(name: Figure, before: Plan, after: Plan) -> FigureChange:
    old, new = _three(name, before), _three(name, after)
    rise = Rise()
    if old is not None and new is not None:
        rise = Rise(
            least=_percent(old.least, new.least),
            full=_percent(old.full, new.full),
            worst=_percent(old.worst, new.worst),
        )
    return FigureChange(name=name, before=old, after=new, percent=rise)


def _three(name: Figure, plan: Plan) -> Three | None:
    of = getattr(plan.bounds, name) if plan.bounds else None
    if of is None:
        return None
    least, full, worst = (float(one) if isinstance(one, Decimal) else one for one in (of.least, of.full, of.worst))
    return Three(least=least, full=full, worst=worst)


def _percent(old: float, new: float) -> float | None:
    if old == 0 and new != 0:
        return None
    return 0.0 if old == new else 100 * (new - old) / old
