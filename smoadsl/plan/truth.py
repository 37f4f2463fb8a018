"""Truth, to say what is known of a condition before a run: that it holds, that it never can, or nothing yet."""

from typing import assert_never

from smoadsl.plan.plan import And, Compare, Condition, Constant, Moderator, Not, Or


def can_hold(condition: Condition, round_: int | None) -> bool:
    """Whether a condition may hold in a round; without one: in any."""
    return _truth(condition, round_) is not False


def _truth(condition: Condition, round_: int | None) -> bool | None:
    match condition:
        case Constant():
            return condition.value
        case Not():
            inner = _truth(condition.part, round_)
            return None if inner is None else not inner
        case Or():
            parts = [_truth(part, round_) for part in condition.parts]
            return True if True in parts else None if None in parts else False
        case And():
            parts = [_truth(part, round_) for part in condition.parts]
            return False if False in parts else None if None in parts else True
        case Compare():
            return compare(round_, condition) if condition.measure == "round" and round_ is not None else None
        case Moderator():
            return None
        case _:
            assert_never(condition)


def question(moderator: Moderator) -> tuple[str, str]:
    """The moderator's model and its template: one question, however often it is written."""
    return moderator.call.model, moderator.call.template


def compare(value: float, condition: Compare) -> bool:
    """The comparison of a known value."""
    match condition.operator:
        case "<":
            return value < condition.value
        case "<=":
            return value <= condition.value
        case ">":
            return value > condition.value
        case ">=":
            return value >= condition.value
        case "==":
            return value == condition.value
        case "!=":
            return value != condition.value
        case _:
            assert_never(condition.operator)
