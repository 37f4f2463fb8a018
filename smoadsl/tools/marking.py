"""Marking, to hold each answer of a comparison against what is right, or against what a grader said of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from smoadsl.scale.records import Result
from smoadsl.scale.rows import Data, Row, Unfit, fields_of, listed_names
from smoadsl.score.comparison import Marked, Measure
from smoadsl.score.outcome import SHARE, said_of
from smoadsl.score.rubrics import GRADED, RUBRICS
from smoadsl.score.rules import Rule, rights_in
from smoadsl.show.comparison_page import Asked
from smoadsl.tools.comparing import Ran
from smoadsl.tools.grading import Grading, Parts, grader_plan, whole


def graded_by(scorer: str | None, grader: str | None, right: str, baseline: int) -> tuple[Measure, Grading] | None:
    """How a model grades; None where none does. `baseline` is the place of the entrant whose answers are the reference
    where rows have none. Raises `click.UsageError`."""
    wants_one = scorer in GRADED
    if grader is None and wants_one:
        raise click.UsageError(f"--score {scorer} needs a model that grades: --grader PROVIDER/ID")
    if grader is None or scorer is None or not wants_one:
        if grader is not None:
            raise click.UsageError(f"--grader is for --score {', '.join(GRADED)}")
        return None
    rubric = RUBRICS.get(scorer)
    measure = Measure(f"{scorer} by {grader}", rubric.scale if rubric else SHARE, absent_is_worst=rubric is None)
    return measure, Grading(grader, grader_plan(grader), rubric, right, baseline)


def look_for_right(data: Data, field: str) -> None:
    """Raises `Unfit` where rows can be read and not one has a right answer, as it stands in another field."""
    last: Mapping[str, Any] | None = None
    count = 0
    for row in data.rows():
        count += 1
        try:
            last = row.fields()
        except ValueError:
            continue
        if rights_in(last, field):
            return
    if last is not None:
        rows, has = ("its only row has no", "It") if count == 1 else (f"none of its {count:,} rows has a", "The last")
        raise Unfit(
            f"{data.path}: {rows} right answer in a field `{field}`. {has} has {listed_names(last)}; --answer FIELD "
            "names where it is; --score matches=PATTERN or a model that grades needs none"
        )


def rows_shown(
    data: Data, ran: Ran, rule: Rule | None, grading: Grading | None, right: str, category: str
) -> list[Asked]:
    """Every row with what came of it in each entrant, marked. Raises `Unfit` for a data set without rows."""
    graded = ran.graded or [[{} for _ in results] for results in ran.results]
    rows = []
    for row, came, parts in zip(data.rows(), zip(*ran.results, strict=True), zip(*graded, strict=True), strict=True):
        fields = fields_of(row)
        if rule is not None:
            marked = [_by_rule(rule, result, fields, str(fields.get(category, ""))) for result in came]
        else:
            reference = _reference(grading, fields, came)
            marked = [_by_grades(result, part, reference) for result, part in zip(came, parts, strict=True)]
        rows.append(Asked(row.number, _question(data, row), _text(fields.get(right)), marked))
    if not rows:
        raise Unfit(f"{data.path} has no rows")
    return rows


def _by_rule(rule: Rule, result: Result, fields: Mapping[str, Any], category: str) -> Marked:
    outcome = rule(said_of(result), fields)
    return Marked(result, outcome, {category: outcome} if category else {})


def _by_grades(result: Result, parts: Parts, reference: str | None) -> Marked:
    lengths = None if reference is None or result.answer is None else (len(result.answer), len(reference))
    return Marked(result, whole(parts), {name: one for name, one in parts.items() if name}, lengths)


def _reference(grading: Grading | None, fields: Mapping[str, Any], came: Sequence[Result]) -> str | None:
    """What answers were compared with; None where each is graded alone."""
    if grading is None or grading.rubric is not None:
        return None
    written = fields.get(grading.right)
    return written if isinstance(written, str) else came[grading.baseline].answer


def _question(data: Data, row: Row) -> str:
    try:
        return data.turns(row)[0].prompt
    except ValueError as error:
        return str(error)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
