"""Rules, to score an answer without asking a model: by what the row says is right.

The right answer is a field of the row, or several in a list, one of which is enough.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smoadsl.builtins.answers import AnswerForm, read_answer
from smoadsl.score.outcome import Outcome, Said, Scored, Unknown, absent

Row = Mapping[str, Any]
Rule = Callable[[Said, Row], Outcome]

_MOST_SCANNED = 200_000  # characters of an answer that a pattern is looked for in
_CLOSE = 1e-9


def exact(field: str = "answer") -> Rule:
    """Equal texts, but for white space and case."""
    return _held(field, lambda said, right: _normal(said.claim) == _normal(_text(right)))


def numeric(field: str = "answer", tolerance: float = 0.0, relative: float = 0.0) -> Rule:
    """The last number, no further from the right one than `tolerance`, or than `relative` of it."""
    if tolerance < 0 or relative < 0:
        raise ValueError("a tolerance is not negative")

    def holds(said: Said, right: Any) -> bool | str:
        due = _number(_text(right))
        if due is None:
            return f"{_text(right)!r} is no number"
        found = _number(said.claim)
        most = max(tolerance, relative * abs(due), _CLOSE * abs(due))
        return found is not None and abs(found - due) <= most

    return _held(field, holds)


def choice(labels: Sequence[str], field: str = "answer") -> Rule:
    """The last of the labels that stands alone."""
    form = AnswerForm("choice", tuple(labels))
    known = {label.casefold() for label in labels}

    def holds(said: Said, right: Any) -> bool | str:
        if _text(right).casefold() not in known:
            return f"{_text(right)!r} is none of the labels {', '.join(labels)}"
        found = read_answer(form, said.claim)
        return found is not None and found.casefold() == _text(right).casefold()

    return _held(field, holds)


def contains(field: str = "answer") -> Rule:
    """The right answer stands somewhere in the text, as whole words."""

    def holds(said: Said, right: Any) -> bool:
        due = _normal(_text(right))
        pattern = rf"(?<!\w){re.escape(due)}(?!\w)"
        return bool(due) and re.search(pattern, _normal(said.text or "")) is not None

    return _held(field, holds)


def matches(pattern: str) -> Rule:
    """The pattern is found in the text, whatever the row says. Raises `ValueError` for what is no pattern."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None

    def score(said: Said, _: Row) -> Outcome:
        found = compiled.search((said.text or "")[-_MOST_SCANNED:])
        return absent(said) or Scored(float(found is not None), degraded=said.degraded)

    return score


def json_field(name: str, field: str = "answer") -> Rule:
    """The field `name` of the last JSON object in the text is the right answer."""
    form = AnswerForm("json", (name,))

    def holds(said: Said, right: Any) -> bool:
        found = read_answer(form, said.text or "")
        return found is not None and found == read_answer(form, _object(name, right))

    return _held(field, holds)


def _held(field: str, holds: Callable[[Said, Any], bool | str]) -> Rule:
    """A rule that holds an answer against a field, one value of which is enough. `holds` says why it can not tell."""

    def score(said: Said, row: Row) -> Outcome:
        if not (rights := rights_in(row, field)):
            return Unknown(f"the row has no right answer in a field `{field}`")
        found = [holds(said, right) for right in rights]
        why = next((one for one in found if isinstance(one, str)), "")
        if why and True not in found:
            return Unknown(f"the row's field `{field}` can not be used: {why}")
        return absent(said) or Scored(float(True in found), degraded=said.degraded)

    return score


def rights_in(row: Row, field: str) -> list[Any]:
    """The right answers that a row has in a field. What is null or empty is none."""
    value = row.get(field)
    return [one for one in (value if isinstance(value, list) else [value]) if one is not None and _text(one).strip()]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else str(value)


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()


def _number(text: str) -> float | None:
    read = read_answer(AnswerForm("number"), text)
    if read is None:
        return None
    value = float(read)
    return value if math.isfinite(value) else None


def _object(name: str, value: Any) -> str:

    return json.dumps({name: value})
