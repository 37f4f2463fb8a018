"""Answers, to read the final answer out of a response, so that responses can be compared by what they claim."""

import json
import math
import re
from decimal import Context, Decimal
from typing import Any, Literal, assert_never

from smoadsl.classes import dataclass

Kind = Literal["text", "number", "yes_no", "choice", "json", "regex"]
KINDS: tuple[Kind, ...] = ("text", "number", "yes_no", "choice", "json", "regex")

_NUMBER = re.compile(
    r"(?:(?<![\w.)\]])[-+−])?"  # a sign, but not the dash of 3-4 or of 2024-05-13
    r"(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:_\d+)*)(?:\.\d+)?|(?<![\d.])\.\d+)"  # 1,000 is one number, 1,2 are two
    r"(?:[eE][-+]?\d{1,4}(?!\w))?"
)
_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_MOST_SCANNED = 200_000  # characters at the end of a response in which a pattern is sought
_OBJECT = re.compile(r"\{(?=\s*[\"}])")
_MOST_FAILURES = 1_000  # of what looks like an object and is none
_EXACT = Context(prec=_MOST_SCANNED)
_READABLE_DIGITS = 40


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What counts as the final answer of a response. `detail` holds the labels, the field or the pattern."""

    kind: Kind = "text"
    detail: tuple[str, ...] = ()


def read_answer(form: AnswerForm, response: str) -> str | None:
    """The final answer, normalised so that equal answers are equal strings; None when the response has none.

    `number` is the last number, `yes_no` the last yes or no, `choice` the last label that stands alone, `json` the
    field of the last object, `regex` the first group of the last match (or all of it), `text` the whole response.
    """
    text = response[-_MOST_SCANNED:]
    match form.kind:
        case "text":
            return _normal(response)
        case "number":
            numbers = _NUMBER.findall(text)
            return _number(numbers[-1]) if numbers else None
        case "yes_no":
            found = _YES_NO.findall(text)
            return found[-1].lower() if found else None
        case "choice":
            return _last_label(form.detail, text)
        case "json":
            return _field(form.detail[0], text)
        case "regex":
            last = _last(re.compile(form.detail[0]), text)
            group = last and last[1 if last.re.groups else 0]  # None where the group took no part in the match
            return _normal(group) if group is not None else None
        case _:
            assert_never(form.kind)


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = None
    for found in pattern.finditer(text):
        last = found
    return last


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()


def _number(written: str) -> str:
    """Exact, so that numbers beyond a float's precision still differ; without an exponent where that is readable."""
    value = Decimal(written.replace(",", "").replace("_", "").replace("−", "-")).normalize(_EXACT)
    if value == 0:
        return "0"
    return f"{value:f}" if abs(value.adjusted()) < _READABLE_DIGITS else str(value)


def _last_label(labels: tuple[str, ...], text: str) -> str | None:
    """The last label that stands alone; inside of a longer one it does not. It counts in its own case, or in any case
    if it is longer than one letter ("a" is also an article)."""
    longest = sorted(labels, key=len, reverse=True)
    written = "|".join(f"({'(?i:' if len(label) > 1 else '(?:'}{re.escape(label)}))" for label in longest)
    last = _last(re.compile(rf"(?<!\w)(?:{written})(?!\w)"), text)
    return longest[last.lastindex - 1] if last and last.lastindex else None


def _field(name: str, text: str) -> str | None:
    decoder = json.JSONDecoder()
    found: Any = None
    at, failures = 0, 0
    while failures < _MOST_FAILURES and (start := _OBJECT.search(text, at)):
        try:
            value, at = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            at, failures = start.start() + 1, failures + 1
            continue
        found = value.get(name, found)
    if found is None:
        return None
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int | float):
        return _number(str(found)) if abs(found) < math.inf else str(found)
    return _normal(found) if isinstance(found, str) else json.dumps(found, sort_keys=True)
