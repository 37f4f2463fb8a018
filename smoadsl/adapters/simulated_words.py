"""Simulated words, to draw what a simulated model says: what is right and wrong, and the words around it."""

import hashlib
from collections.abc import Mapping
from random import Random

from smoadsl.adapters.base import JSON
from smoadsl.adapters.simulated_reading import CLAIM
from smoadsl.classes import dataclass

_WORDS = (
    "again also another answer because before begin between both case check clear compare consider count each early "
    "enough even every example exactly few figure first follow given hold idea instead kind known last later less "
    "likely look many matter mean more name need never number often once only open order other part place plain point "
    "possible question rather read reason rest result same say second see seem set show side simple since small some "
    "step still such take than then thing think through turn under until use value way well whole word work"
).split()
_SENTENCE = 12  # words


@dataclass(frozen=True, slots=True)
class Truth:
    """The right answer to a question, and the wrong ones."""

    right: str
    wrong: tuple[str, ...]


def drawn(*what: str) -> Random:
    """A source of chance that only these texts decide."""
    whole = "\x00".join(what).encode("utf-8", "surrogatepass")
    return Random(int.from_bytes(hashlib.sha256(whole).digest()[:8], "big"))


def truth_of(question: str, given: Mapping[str, JSON]) -> Truth:
    """What the row says is right and wrong; where it says nothing, what nobody knows."""
    right = said(given.get("answer"))
    if right is None:
        chance = drawn("truth", question)
        number = chance.randrange(100, 1000)
        return Truth(str(number), tuple(str(number + off) for off in (1, -1, 10)))
    listed = given.get("wrong")
    wrong = [said(one) for one in listed] if isinstance(listed, list) else []
    others = tuple(one for one in wrong if one is not None and one != right)
    return Truth(right, others or _other_than(right))


def said(value: JSON) -> str | None:
    """A value of a row as an answer; None where it is none."""
    match value:
        case bool():
            return "yes" if value else "no"
        case str() if value.strip():
            return " ".join(value.split())
        case int() | float():
            return str(value)
        case _:
            return None


def _other_than(right: str) -> tuple[str, ...]:
    """Wrong answers of the same kind."""
    lowered = right.lower()
    if lowered in ("yes", "no"):
        return ("no" if lowered == "yes" else "yes",)
    if right in ("A", "B", "C", "D"):
        return tuple(label for label in "ABCD" if label != right)
    if right.lstrip("-").isdecimal():
        return tuple(str(int(right) + off) for off in (1, -1, 10))
    return (f"not {right}",)


def prose(words: int, chance: Random, claim: str) -> str:
    """So many words that say nothing, in sentences without a figure, and the claim on a line of its own."""
    text = chance.choices(_WORDS, k=words)
    sentences = [" ".join(text[at : at + _SENTENCE]).capitalize() + "." for at in range(0, words, _SENTENCE)]
    return f"{' '.join(sentences)}\n{CLAIM}{claim}"


def phrase(chance: Random, words: int = 6) -> str:
    """A few words."""
    return " ".join(chance.choices(_WORDS, k=words))
