"""Expectations, to hold what a test expects against the facts of its run, and say what was there instead."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import orjson

from smoadsl.classes import dataclass
from smoadsl.diagnostics.source import Span
from smoadsl.language import nodes
from smoadsl.language.expecting import FACTS

_ORDER: Mapping[str, Callable[[Any, Any], Any]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


@dataclass(frozen=True, slots=True)
class Failure:
    """What a test expected and did not find: the expectation as written, what was there instead, and its place."""

    expected: str
    actual: str
    span: Span

    @property
    def origin(self) -> str:
        return self.span.origin


def unmet(expects: Sequence[nodes.Expect], facts: Mapping[str, Any]) -> list[Failure]:
    """The expectations that the facts of a run do not meet."""
    failures = []
    for expect in expects:
        if not _holds(expect.condition, facts):
            mentioned = dict.fromkeys(_facts_in(expect.condition))
            actual = ", ".join(f"{name} is {_shown(name, facts[name])}" for name in mentioned)
            failures.append(Failure(expect.span.text, actual, expect.span))
    return failures


def speaks_of_failing(node: nodes.Condition) -> bool:
    """Whether a condition says what it expects of a run without an answer: it names `failed`, or asks whether there is
    an `answer`."""
    match node:
        case nodes.Or() | nodes.And():
            return any(map(speaks_of_failing, node.parts))
        case nodes.Not():
            return speaks_of_failing(node.part)
        case nodes.Path(parts=("answer",)):
            return True
        case _:
            return "failed" in _facts_in(node)


def _facts_in(node: nodes.Condition) -> Iterator[str]:
    """The facts that a condition speaks of, in the order in which they stand."""
    match node:
        case nodes.Or() | nodes.And():
            for part in node.parts:
                yield from _facts_in(part)
        case nodes.Not():
            yield from _facts_in(node.part)
        case nodes.Comparison():
            yield from _facts_in(node.left)
            yield from _facts_in(node.right)
        case nodes.Path():
            yield ".".join(node.parts)
        case _:
            pass


def _shown(name: str, value: Any) -> str:
    """A fact as an author would write it."""
    if value is None:
        return "not known" if name == "plan.max_usd" else "not there"
    match FACTS[name]:
        case "duration":
            return f"{value:.6g}s"
        case "money":
            return f"${Decimal(repr(float(value))).normalize():f}"
        case "number":
            return f"{value:,}".replace(",", "_")
        case "list":
            return f"[{', '.join(orjson.dumps(agent).decode() for agent in value)}]"
        case _:
            return orjson.dumps(value).decode()


def _holds(node: nodes.Condition, facts: Mapping[str, Any]) -> bool:
    match node:
        case nodes.Or():
            return any(_holds(part, facts) for part in node.parts)
        case nodes.And():
            return all(_holds(part, facts) for part in node.parts)
        case nodes.Not():
            return not _holds(node.part, facts)
        case nodes.Comparison():
            return _compared(_value(node.left, facts), node.operator, _value(node.right, facts))
        case nodes.Path(parts=("answer" | "value" as name,)):
            return facts[name] is not None  # whether there is one
        case _:
            return bool(_value(node, facts))


def _value(node: nodes.Operand, facts: Mapping[str, Any]) -> Any:
    match node:
        case nodes.Path():
            return facts[".".join(node.parts)]
        case nodes.Number() | nodes.Text() | nodes.Bool():
            return node.value
        case nodes.Money():
            return float(node.usd)
        case nodes.Duration():
            return node.seconds
        case nodes.List():
            return [item.name if isinstance(item, nodes.Ref) else _value(item, facts) for item in node.items]  # type: ignore[arg-type]
        case _:
            return None


def _compared(left: Any, operator: str, right: Any) -> bool:
    """Numbers as numbers also where a value is read as text; texts without regard to case. What is not there equals
    nothing, and no comparison with it holds but `!=`."""
    if left is None or right is None:
        return operator == "!="
    if operator == "contains":
        return right in left
    if operator == "matches":
        return re.search(right, left) is not None
    if _is_number(left) != _is_number(right):
        left, right = _number(left), _number(right)
        if left is None or right is None:
            return operator == "!="
    if isinstance(left, str) and isinstance(right, str):
        left, right = left.casefold().strip(), right.casefold().strip()
    return bool(_ORDER[operator](left, right))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    """A number, itself or as the text of a value."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value if _is_number(value) else None
