"""Expecting, to read what a test expects of its run: typed, so that what can never hold is told before it runs."""

import re
from collections.abc import Collection, Mapping
from typing import Literal

from smoadsl.classes import dataclass
from smoadsl.language import nodes, pipeline_problems, problems, rules
from smoadsl.language.resolve import Names

Kind = Literal["text", "value", "number", "money", "duration", "truth", "list"]

FACTS: Mapping[str, Kind] = {
    "answer": "text",
    "value": "value",
    "calls": "number",
    "attempts": "number",
    "rounds": "number",
    "kept": "list",
    "stopped": "truth",
    "degraded": "truth",
    "failed": "truth",
    "tokens": "number",
    "usd": "money",
    "time": "duration",
    "plan.max_calls": "number",
    "plan.max_usd": "money",
}
"""What a run has, and of which type. A `value` is a text that may be a number: which, the run shows."""

_ORDERING = ("<", "<=", ">", ">=")
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OPERATORS: Mapping[Kind, Collection[str]] = {
    "text": ("==", "!=", "contains", "matches"),
    "value": ("==", "!=", *_ORDERING, "contains", "matches"),
    "number": ("==", "!=", *_ORDERING),
    "money": ("==", "!=", *_ORDERING),
    "duration": ("==", "!=", *_ORDERING),
    "truth": ("==", "!="),
    "list": ("==", "!=", "contains"),
}
_SHOWN: Mapping[Kind, str] = {
    "text": "a text",
    "value": "a text or a number",
    "number": "a number",
    "money": "an amount of money",
    "duration": "a duration",
    "truth": "true or false",
    "list": "a list of agents",
}
_LITERALS: Mapping[type, Kind] = {
    nodes.Text: "text",
    nodes.Number: "number",
    nodes.Money: "money",
    nodes.Duration: "duration",
    nodes.Bool: "truth",
    nodes.List: "list",
}


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a comparison: a fact by its name, or a value. `written` is where it stands, `node` what it means."""

    written: nodes.Operand
    node: nodes.Operand
    kind: Kind | None
    fact: str = ""


class Expectations:
    """Reads the expectations of one test; `agents` are those that the judges of its pipeline can keep, None
    where nobody knows them."""

    def __init__(self, names: Names, agents: Collection[str] | None) -> None:
        self._names = names
        self._agents = agents

    def read(self, node: nodes.Condition) -> nodes.Condition | None:
        """The condition with the values of params in it; None after something was said."""
        match node:
            case nodes.Or() | nodes.And():
                parts = [self.read(part) for part in node.parts]
                whole = tuple(part for part in parts if part)
                return type(node)(node.span, whole) if len(whole) == len(parts) else None
            case nodes.Not():
                part = self.read(node.part)
                return nodes.Not(node.span, part) if part else None
            case nodes.Comparison():
                return self._comparison(node)
            case _:
                return self._alone(node)

    def _alone(self, node: nodes.Operand) -> nodes.Condition | None:
        side = self._side(node)
        if side is None:
            return None
        if side.kind == "truth" or side.fact in ("answer", "value"):
            return side.node
        name = side.fact or "calls"
        help = "compare it: " + {"kept": '`kept == ["a"]`', "usd": "`usd < $0.01`", "time": "`time < 20s`"}.get(
            name, f"`{name} == 4`"
        )
        self._names.said.append(problems.not_a_condition(node.span, rules.describe(side.written), help))
        return None

    def _comparison(self, node: nodes.Comparison) -> nodes.Condition | None:
        left, right, operator = self._side(node.left), self._side(node.right, of=node.left), node.operator
        if left is None or right is None:
            return None
        if not left.fact and right.fact and operator in _FLIPPED:
            left, right, operator = right, left, _FLIPPED[operator]
        if not left.fact or left.kind is None:
            turned = f"turn it round: `{right.fact} {operator} …`"
            help = turned if right.fact else "name what a run has: `calls == 4`"
            self._names.said.append(problems.not_a_condition(node.span, rules.describe(left.written), help))
            return None
        if operator not in _OPERATORS[left.kind]:
            known = ", ".join(f"`{one}`" for one in _OPERATORS[left.kind])
            help = f"`{left.fact}` is compared by {known}"
            if left.fact == "answer":
                help = "compare `value`, which is a number where the pipeline says `answer number`"
            said = problems.wrong_expectation(node.span, left.fact, _SHOWN[left.kind], f"by `{operator}`", help)
        elif not _fits(left.kind, operator, right.kind) or (operator == "matches" and right.fact):
            how = f"with {_SHOWN[right.kind] if right.kind else rules.describe(right.written)}"
            how += f" by `{operator}`" * (operator == "matches" or (left.kind == "value" and operator in _ORDERING))
            help = _mend(left, operator, right)
            said = problems.wrong_expectation(right.written.span, left.fact, _SHOWN[left.kind], how, help)
        elif operator == "matches" and (why := _wrong_with_pattern(right.node)):
            said = problems.bad_pattern(right.written.span, why)
        elif left.kind == "list" and not self._known(right.node):
            return None
        else:
            return nodes.Comparison(node.span, left.node, operator, right.node)
        self._names.said.append(said)
        return None

    def _side(self, node: nodes.Operand, of: nodes.Operand | None = None) -> _Side | None:
        """A side of a comparison with `of`; None after something was said."""
        if not isinstance(node, nodes.Path):
            return _Side(node, node, _LITERALS.get(type(node)))
        name = ".".join(node.parts)
        if name in FACTS:
            return _Side(node, node, FACTS[name], name)
        value = self._names.value(nodes.Ref(node.span, name))
        if isinstance(value, nodes.Call | nodes.Object):
            return _Side(node, node, None)
        if not isinstance(value, nodes.Ref):
            return _Side(node, value, _LITERALS.get(type(value)))
        beside = ".".join(of.parts) if isinstance(of, nodes.Path) else ""
        kind = FACTS.get(beside)
        if kind == "list":
            return _Side(node, nodes.Text(node.span, value.name), "text")  # the name of an agent
        if self._names.unread(node.parts[0]):
            return None
        if kind in ("text", "value"):
            quoted = f'put it in quotes: `"{name}"`'
            said = problems.wrong_expectation(node.span, beside, _SHOWN[kind], f"with the name `{name}`", quoted)
        else:
            truth = problems.meant_truth(name) if kind == "truth" else ""
            said = pipeline_problems.unknown_expectation(node.span, name, FACTS, truth)
        self._names.said.append(said)
        return None

    def _known(self, node: nodes.Operand) -> bool:
        """Whether a judge can have kept all that are named; if not, it is said."""
        before = len(self._names.said)
        for item in node.items if isinstance(node, nodes.List) else (node,):
            match item:
                case nodes.Text(value=name) | nodes.Ref(name=name):
                    if self._agents is not None and name not in self._agents and not self._names.lost(item):
                        self._names.said.append(pipeline_problems.unknown_recipient(item.span, name, self._agents))
                case nodes.Path():
                    pass  # another fact
                case _:
                    rules.wrong_type(self._names, item, "the name of an agent")
        return len(self._names.said) == before


def _fits(kind: Kind, operator: str, other: Kind | None) -> bool:
    """Whether something of a kind can be compared with something of another."""
    if kind == "list":
        return other == ("text" if operator == "contains" else "list")
    if kind == "value":
        text, number = other in ("text", "value"), other in ("number", "value")
        return number if operator in _ORDERING else text if operator in ("contains", "matches") else text or number
    return other == kind or (other == "value" and kind in ("text", "number"))


def _mend(left: _Side, operator: str, right: _Side) -> str:
    """How the right side would be written."""
    written, name = right.written.span.text, left.fact
    if left.kind == "list" and isinstance(right.node, nodes.Text):
        return f'name agents in brackets: `{name} {operator} ["{right.node.value[:40]}"]`'
    if not right.fact and right.node is not right.written:
        return f"give the param `{written}` a value of that type"
    match left.kind, right.node:
        case "value", nodes.Bool(value=value):
            return f'write what was answered: `{name} {operator} "{"yes" if value else "no"}"`'
        case "duration", nodes.Number():
            return f"add a unit: `{name} {operator} {written}s`"
        case "money", nodes.Number(value=value) if value >= 0:
            return f"write it with a dollar sign: `{name} {operator} ${written}`"
        case (("number" | "value"), nodes.Text(value=text)) if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return f"write it without quotes: `{name} {operator} {text}`"
        case (("text" | "value"), nodes.Number()):
            return f'put it in quotes: `{name} {operator} "{written}"`'
    match left.kind:
        case _ if operator == "matches":
            return f'write a pattern: `{name} matches "^4"`'
        case "truth":
            return f"write `{name}`, or `not {name}`"
        case "list":
            return (
                'name an agent: `kept contains "a"`' if operator == "contains" else 'name agents: `kept == ["a", "b"]`'
            )
        case "text" | "value" if operator not in _ORDERING:
            return f'write a text: `{name} {operator} "…"`'
        case "duration":
            return f"write a duration: `{name} {operator} 20s`"
        case "money":
            return f"write an amount of money: `{name} {operator} $0.01`"
        case _:
            return f"write a number: `{name} {operator} 4`"


def _wrong_with_pattern(node: nodes.Operand) -> str:
    if isinstance(node, nodes.Text):
        try:
            re.compile(node.value)
        except re.error as error:
            return str(error)
    return ""
