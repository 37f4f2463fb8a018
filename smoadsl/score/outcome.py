"""Outcome, to say what the scoring of one answer came to: a value on a scale, or why there is none."""

from collections.abc import Iterable
from typing import assert_never

from smoadsl.classes import dataclass
from smoadsl.scale.records import Result


@dataclass(frozen=True, slots=True)
class Scale:
    """Between what a score lies, and which end is good."""

    low: float
    high: float
    less_is_better: bool = False

    @property
    def worst(self) -> float:
        return self.high if self.less_is_better else self.low

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


SHARE = Scale(0, 1)
ONE_TO_FIVE = Scale(1, 5)
ONE_TO_TEN = Scale(1, 10)
HARM = Scale(1, 5, less_is_better=True)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it is scored. `text` is None where there is none, `value` what the pipeline's `answer` reads in it;
    `refused`: the model or its filter did not want to."""

    text: str | None
    value: str | None = None
    degraded: bool = False
    refused: bool = False

    @property
    def claim(self) -> str:
        """What is held to be the final answer: what was read, else all that was said."""
        return self.value if self.value is not None else self.text or ""


def said_of(result: Result) -> Said:
    """The answer that a row has come to."""
    return Said(result.answer, result.value, bool(result.degraded), result.refused)


@dataclass(frozen=True, slots=True)
class Scored:
    """`tie`: of two answers neither was found to be the better."""

    value: float
    scale: Scale = SHARE
    degraded: bool = False
    tie: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no answer."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no answer, since it was refused."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """There is an answer, and no score: the verdict on it can not be read, or the scorer failed."""

    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing says what is right, whatever the answer is: the row has no right one, or none that can be used."""

    why: str


Outcome = Scored | Missing | Refused | Unreadable | Unknown


def absent(said: Said) -> Missing | Refused | None:
    """Why there is nothing to score; None where there is."""
    if said.refused:
        return Refused()
    if said.text is None or not said.text.strip():
        return Missing("there is no answer" if said.text is None else "the answer is empty")
    return None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many outcomes there are of each kind: `ties` and `degraded` are some of the scored, the rest add up."""

    scored: int = 0
    missing: int = 0
    refused: int = 0
    unreadable: int = 0
    unknown: int = 0
    ties: int = 0
    degraded: int = 0

    @property
    def all(self) -> int:
        return self.scored + self.missing + self.refused + self.unreadable + self.unknown


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """Count them, and leave none out."""
    counts = dict.fromkeys(("scored", "missing", "refused", "unreadable", "unknown", "ties", "degraded"), 0)
    for outcome in outcomes:
        match outcome:
            case Scored():
                counts["scored"] += 1
                counts["ties"] += outcome.tie
                counts["degraded"] += outcome.degraded
            case Missing():
                counts["missing"] += 1
            case Refused():
                counts["refused"] += 1
            case Unreadable():
                counts["unreadable"] += 1
            case Unknown():
                counts["unknown"] += 1
            case _:
                assert_never(outcome)
    return Tally(**counts)
