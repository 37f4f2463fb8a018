"""Expectations, to hold what a test expects against the facts of its run."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from smoadsl.diagnostics.source import Span
from smoadsl.language import nodes


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
            mentioned = [name for name in facts if re.search(rf"(?<![\w.]){re.escape(name)}\b", expect.span.text)]
            actual = ", ".join(f"{name} is {_shown(facts[name])}" for name in mentioned)
            failures.append(Failure(expect.span.text, actual, expect.span))
    return failures


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode() if isinstance(value, str | list | bool | None) else f"{value:g}"


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
    """Numbers as numbers also where an answer is read as text; texts without regard to case."""
    if operator == "contains":
        return left is not None and (right in left if isinstance(left, list) else str(right) in str(left))
    if operator == "matches":
        return left is not None and re.search(str(right), str(left)) is not None
    if isinstance(right, int | float) and not isinstance(right, bool) and isinstance(left, str):
        try:
            left = float(left)
        except ValueError:
            return operator == "!="
    if isinstance(left, str) and isinstance(right, str):
        left, right = left.casefold().strip(), right.casefold().strip()
    if operator in ("==", "!="):
        return bool((left == right) == (operator == "=="))
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]
