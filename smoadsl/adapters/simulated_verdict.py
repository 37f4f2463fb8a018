"""Simulated verdict, to answer in the form that a schema asks for: who is best, by what scores, whether to stop."""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import orjson

from smoadsl.adapters.base import JSON
from smoadsl.adapters.simulated_reading import Quoted, claim_of
from smoadsl.adapters.simulated_words import Truth, phrase
from smoadsl.classes import dataclass

_MOST_ITEMS = 1_000
_MOST_NESTED = 32


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a judge makes of the responses that it reads. It sees whether one is right as often as its skill says, and
    guesses otherwise; where nobody knows the right answer, what most of them say passes for it."""

    quoted: Sequence[Quoted]
    truth: Truth | None
    skill: float
    chance: Random

    def of(self, labels: Sequence[str]) -> dict[str, float]:
        """For each label a number, higher for what seems right: above 1 for that, below for the rest."""
        claims = {piece.name: claim_of(piece.text) for piece in self.quoted if piece.name in labels}
        right = self._right([claim for claim in claims.values() if claim is not None])
        found: dict[str, float] = {}
        for label in labels:
            claim = claims.get(label)
            is_right = right is not None and claim is not None and claim.casefold() == right.casefold()
            sees = self.chance.random() < self.skill
            seems = is_right if sees else self.chance.random() < 0.5
            found[label] = seems + self.chance.random()
        return found

    def _right(self, claims: Sequence[str]) -> str | None:
        if self.truth is not None:
            return self.truth.right
        return Counter(claims).most_common(1)[0][0] if claims else None

    def agreement(self) -> float:
        """The largest share of the responses that claim the same."""
        answers = [claim_of(piece.text) for piece in self.quoted if piece.name not in ("user", "assistant")]
        counts = Counter(answer.casefold() for answer in answers if answer is not None)
        return max(counts.values()) / len(answers) if counts else 0.0


def instance_of(schema: Mapping[str, JSON], opinion: Opinion, agree: float, truth: Truth) -> str:
    """JSON that fits the schema, if that is made of types, enums, lists and objects; with a verdict where it asks for
    one (`best`, `scores`, `stop`), and the right answer, or a wrong one, where it asks for an `answer`."""
    own: dict[str, JSON] = {}
    for name, form in _fields(schema).items():
        if name == "best" and (labels := _labels(form.get("items", {}))):
            seems = opinion.of(labels)
            own[name] = sorted(labels, key=lambda label: -seems[label])[: form.get("minItems", len(labels))]
        elif name == "scores" and (labels := list(_fields(form))):
            own[name] = {label: _score(value) for label, value in opinion.of(labels).items()}
        elif name == "stop" and form.get("type") == "boolean":
            own[name] = opinion.agreement() >= agree
        elif name == "answer":
            claim = truth.right if opinion.chance.random() < opinion.skill else opinion.chance.choice(truth.wrong)
            own[name] = _as(form, claim, opinion.chance)
    fresh = _value(schema, opinion.chance, 0)
    whole = {key: own.get(key, value) for key, value in fresh.items()} if isinstance(fresh, dict) else fresh
    return orjson.dumps(whole).decode()


def _score(seems: float) -> int:
    """4 or 5 for what seems right, 1 to 3 for the rest."""
    return min(5, 4 + int((seems - 1) * 2)) if seems >= 1 else min(3, 1 + int(seems * 3))


def _as(form: Mapping[str, Any], claim: str, chance: Random) -> JSON:
    """A claim in the type that is asked for."""
    if form.get("type") in ("integer", "number") and claim.lstrip("-").isdecimal():
        return int(claim)
    if form.get("type") == "boolean":
        return claim.lower() in ("yes", "true")
    if "enum" in form:
        return claim if claim in form["enum"] else _value(form, chance, 0)
    return claim if form.get("type", "string") == "string" else _value(form, chance, 0)


def _value(schema: JSON, chance: Random, depth: int) -> JSON:
    """A value of the type that a schema names."""
    if not isinstance(schema, Mapping) or depth > _MOST_NESTED:
        return None
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return chance.choice(schema["enum"])
    match schema.get("type"):
        case "object":
            return {name: _value(form, chance, depth + 1) for name, form in _fields(schema).items()}
        case "array":
            count = min(max(1, schema.get("minItems", 1)), _MOST_ITEMS)
            return [_value(schema.get("items", {"type": "string"}), chance, depth + 1) for _ in range(count)]
        case "boolean":
            return chance.random() < 0.5
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "null":
            return None
        case _:
            return phrase(chance)[: schema.get("maxLength", 300)]


def _fields(schema: JSON) -> dict[str, Any]:
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def _labels(items: JSON) -> list[str]:
    listed = items.get("enum") if isinstance(items, Mapping) else None
    return [label for label in listed if isinstance(label, str)] if isinstance(listed, list) else []
