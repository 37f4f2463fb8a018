"""Verdicts, to ask a judge or a moderator for an answer of a closed form and read it, or say what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

import orjson

from smoadsl.classes import dataclass

Kind = Literal["rank", "score", "moderate"]
_MOST_REASON = 300  # characters


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: to rank the best `keep`, to score all from 1 to `most`, or only whether to stop. Labels are the
    ids of the responses, or of whatever is scored."""

    kind: Kind
    labels: tuple[str, ...] = ()
    keep: int = 0
    moderate: bool = False
    feedback: bool = False
    most: int = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """`best` holds labels, best first; `scores` are from 1 up; `stop` is None where it was not asked."""

    best: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)
    stop: bool | None = None
    reason: str = ""


class Unreadable(Exception):
    """A verdict that can not be read; the message says what is wrong with it, in words for the judge."""


def schema(question: Question) -> dict[str, Any]:
    """The JSON schema of the verdict. The reason stands first, so that a model thinks before it decides."""
    labels = {"type": "string", "enum": list(question.labels)}
    fields: dict[str, Any] = {"reason": {"type": "string", "maxLength": _MOST_REASON}}
    if question.kind == "rank":
        fields["best"] = {"type": "array", "items": labels, "minItems": question.keep, "maxItems": question.keep}
    if question.kind == "score":
        fields["scores"] = _each(question, {"type": "integer", "enum": list(range(1, question.most + 1))})
    if question.feedback:
        fields["remarks"] = _each(question, {"type": "string", "maxLength": _MOST_REASON})
    if question.moderate or question.kind == "moderate":
        fields["stop"] = {"type": "boolean"}
    return _object(fields)


def _each(question: Question, value: dict[str, Any]) -> dict[str, Any]:
    return _object(dict.fromkeys(question.labels, value))


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def read(question: Question, text: str) -> Verdict:
    """The verdict in a judge's reply, which must be one JSON object and nothing else. Raises `Unreadable`."""
    try:
        value = orjson.loads(text)
    except ValueError:
        raise Unreadable("it is not one JSON object and nothing else") from None
    if not isinstance(value, dict):
        raise Unreadable("it is no JSON object")
    best: tuple[str, ...] = ()
    scores: dict[str, float] = {}
    if question.kind == "rank":
        best = _best(question, value.get("best"))
    elif question.kind == "score":
        scores = _scores(question, value.get("scores"))
        best = tuple(sorted(question.labels, key=lambda label: -scores[label]))
    stop = value.get("stop")
    if (question.moderate or question.kind == "moderate") and not isinstance(stop, bool):
        raise Unreadable('"stop" is neither true nor false')
    remarks = value.get("remarks")
    reason = value.get("reason")
    return Verdict(
        best=best,
        scores=scores,
        remarks={k: v for k, v in remarks.items() if isinstance(v, str)} if isinstance(remarks, dict) else {},
        stop=stop if isinstance(stop, bool) else None,
        reason=reason if isinstance(reason, str) else "",
    )


def _best(question: Question, value: object) -> tuple[str, ...]:
    """K distinct ids, best first; more is cut, fewer is unreadable."""
    if not isinstance(value, list):
        raise Unreadable('"best" is no list')
    unknown = [item for item in value if item not in question.labels]
    if unknown:
        raise Unreadable(f'"best" names {orjson.dumps(unknown[0]).decode()[:40]}, which is no response')
    distinct = tuple(dict.fromkeys(value))
    if len(distinct) < question.keep:
        raise Unreadable(f'"best" names {len(distinct)} different responses, not {question.keep}')
    return distinct[: question.keep]


def _scores(question: Question, value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise Unreadable('"scores" is no object')
    scores: dict[str, float] = {}
    for label in question.labels:
        score = value.get(label)
        if isinstance(score, bool) or not isinstance(score, int | float) or not 1 <= score <= question.most:
            raise Unreadable(f'"scores" gives {label} no number from 1 to {question.most}')
        scores[label] = float(score)
    return scores


def labels_for(places: Sequence[int]) -> tuple[str, ...]:
    """Neutral ids for so many responses: A, B, … Z, A1, B1, …"""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return tuple(letters[i % 26] + (str(i // 26) if i >= 26 else "") for i in range(len(places)))
