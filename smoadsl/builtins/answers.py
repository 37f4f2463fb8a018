"""Answers, to read the final answer out of a response, so that responses can be compared by what they claim."""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, assert_never

Kind = Literal["text", "number", "yes_no", "choice", "json", "regex"]
KINDS: tuple[Kind, ...] = ("text", "number", "yes_no", "choice", "json", "regex")

_NUMBER = re.compile(r"[-+−]?\d[\d,_]*(?:\.\d+)?|[-+−]?\.\d+")
_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_MOST_SCANNED = 200_000  # characters at the end of a response in which a pattern is sought


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
            matches = list(re.finditer(form.detail[0], text))
            if not matches:
                return None
            return _normal(matches[-1].group(1) if matches[-1].re.groups else matches[-1].group())
        case _:
            assert_never(form.kind)


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()


def _number(written: str) -> str:
    value = float(written.replace(",", "").replace("_", "").replace("−", "-"))
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _last_label(labels: tuple[str, ...], text: str) -> str | None:
    """A label counts in its own case, or in any case if it is longer than one letter ("a" is also an article)."""
    best, at = None, -1
    for label in labels:
        flags = re.IGNORECASE if len(label) > 1 else 0
        for match in re.finditer(rf"(?<!\w){re.escape(label)}(?!\w)", text, flags):
            if match.start() > at:
                best, at = label, match.start()
    return best


def _field(name: str, text: str) -> str | None:
    decoder = json.JSONDecoder()
    found: Any = None
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        if name in value:
            found = value[name]
        at = text.find("{", end)
    if found is None:
        return None
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int | float):
        return _number(str(found)) if abs(found) < 1e300 else str(found)
    return _normal(found) if isinstance(found, str) else json.dumps(found, sort_keys=True)
