"""Conditions, to decide stop rules and `when` with as few calls as they need: true, false, or still open."""

from collections.abc import Mapping
from typing import assert_never

from smoadsl.plan.plan import And, Compare, Condition, Constant, Moderator, Not, Or, moderators
from smoadsl.plan.truth import compare, question

Known = Mapping[str, float | None]  # measures by name; None where a measure has no value in this round
Question = tuple[str, str]  # as `truth.question` has it
Said = Mapping[Question, bool]


def evaluate(condition: Condition, known: Known, said: Said) -> bool | None:
    """Whether the condition holds; None while it is open. A comparison with a missing value is false."""
    match condition:
        case Constant():
            return condition.value
        case Not():
            inner = evaluate(condition.part, known, said)
            return None if inner is None else not inner
        case And():
            parts = [evaluate(part, known, said) for part in condition.parts]
            return False if False in parts else None if None in parts else True
        case Or():
            parts = [evaluate(part, known, said) for part in condition.parts]
            return True if True in parts else None if None in parts else False
        case Compare():
            if condition.measure not in known:
                return None
            value = known[condition.measure]
            return value is not None and compare(value, condition)
        case Moderator():
            return said.get(question(condition))
        case _:
            assert_never(condition)


def first_open(condition: Condition, known: Known, said: Said) -> Moderator | None:
    """The leftmost moderator whose word can still decide the condition."""
    match condition:
        case Moderator():
            return condition if question(condition) not in said else None
        case Not():
            return first_open(condition.part, known, said)
        case And() | Or():
            for part in condition.parts:
                if evaluate(part, known, said) is None:
                    found = first_open(part, known, said)
                    if found is not None:
                        return found
            return None
        case Compare() | Constant():
            return None
        case _:
            assert_never(condition)


def measures(condition: Condition) -> set[str]:
    """The measures that a condition speaks of."""
    match condition:
        case And() | Or():
            return {name for part in condition.parts for name in measures(part)}
        case Not():
            return measures(condition.part)
        case Compare():
            return {condition.measure}
        case Moderator() | Constant():
            return set()
        case _:
            assert_never(condition)


__all__ = ["Condition", "Known", "Question", "Said", "evaluate", "first_open", "measures", "moderators", "question"]
