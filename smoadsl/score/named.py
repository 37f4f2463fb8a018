"""Named, to find a scorer by its name: one of ours, or a function that another package brings as an entry point.

Such a function is given the final answer and the row, and returns a number from 0 to 1, or whether the answer is
right. Only the one that is named is loaded.
"""

from collections.abc import Callable, Mapping
from typing import Any

from smoadsl.diagnostics.suggest import closest
from smoadsl.score import rules
from smoadsl.score.outcome import SHARE, Outcome, Said, Scored, Unreadable, absent
from smoadsl.score.rubrics import GRADED
from smoadsl.score.rules import Row, Rule

_GROUP = "smoadsl.scorers"

RULES: Mapping[str, Callable[..., Rule]] = {
    "exact": rules.exact,
    "numeric": rules.numeric,
    "choice": rules.choice,
    "contains": rules.contains,
    "matches": rules.matches,
    "json_field": rules.json_field,
}


NEED_RIGHT = frozenset(RULES) - {"matches"}  # these hold an answer against the row's right one


class UnknownScorer(Exception):
    """No scorer of that name, or one that can not be loaded; the message says what there is."""


def rule_named(name: str, **options: Any) -> Rule:
    """The scorer of that name, with its options. Raises `UnknownScorer`."""
    if name in GRADED:
        raise UnknownScorer(f"the scorer '{name}' is no rule: it asks a model that grades")
    if name not in RULES:
        if options:
            raise UnknownScorer(f"the scorer '{name}' takes no options: {', '.join(options)}")
        return _brought(name)
    try:
        return RULES[name](**options)
    except (TypeError, ValueError) as error:
        raise UnknownScorer(f"the scorer '{name}' can not be made: {error}") from None


def _brought(name: str) -> Rule:
    from importlib.metadata import entry_points  # half as dear to import as all of ours

    found = tuple(entry_points(group=_GROUP, name=name))
    if not found:
        known = sorted({*RULES, *GRADED, *(point.name for point in entry_points(group=_GROUP))})
        meant = closest(name, known)
        message = f"no scorer is called '{name}': there are {', '.join(known)}"
        raise UnknownScorer(f"{message}; did you mean `{meant}`?" if meant else message)
    if len(found) > 1:
        owners = ", ".join(sorted(point.dist.name if point.dist else "unknown" for point in found))
        raise UnknownScorer(f"several packages bring a scorer called '{name}': {owners}")
    try:
        function = found[0].load()
    except Exception as error:
        message = f"the scorer '{name}' of another package can not be loaded: {type(error).__name__}"
        raise UnknownScorer(message) from error
    if not callable(function):
        raise UnknownScorer(f"the scorer '{name}' of another package is no function")
    return function_rule(name, function)


def function_rule(name: str, function: Callable[[str, Row], Any]) -> Rule:
    """A rule made of a function. One that fails, or says what is no share, is counted as such, and ends nothing."""

    def score(said: Said, row: Row) -> Outcome:
        if (nothing := absent(said)) is not None:
            return nothing
        try:
            value = function(said.claim, row)
        except Exception as error:
            return Unreadable(f"the scorer '{name}' failed: {type(error).__name__}")
        if isinstance(value, bool | int | float) and SHARE.holds(value):
            return Scored(float(value), degraded=said.degraded)
        return Unreadable(f"the scorer '{name}' returned {str(value)[:40]!r}, which is no number from 0 to 1")

    return score
