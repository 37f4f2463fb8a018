"""Conditions, to turn a written condition into a typed one: what is compared has a unit, and can come out both ways."""

from math import inf

from smoadsl.classes import dataclass
from smoadsl.language import checked, nodes, pipeline_problems, problems, rules
from smoadsl.language.declare import Declarations

_FLIPPED = {">=": "<=", "<=": ">=", ">": "<", "<": ">", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Measure:
    """What a measure is compared with, and between which values it lies."""

    unit: type[nodes.Number] | type[nodes.Money] | type[nodes.Duration]
    low: float
    high: float


MEASURES: dict[str, Measure] = {
    "agreement": Measure(nodes.Number, 0, 1),
    "similarity": Measure(nodes.Number, 0, 1),
    "change": Measure(nodes.Number, 0, 1),
    "score.best": Measure(nodes.Number, 1, 5),
    "score.mean": Measure(nodes.Number, 1, 5),
    "score.worst": Measure(nodes.Number, 1, 5),
    "round": Measure(nodes.Number, 1, inf),
    "spent.calls": Measure(nodes.Number, 0, inf),
    "spent.tokens": Measure(nodes.Number, 0, inf),
    "spent.usd": Measure(nodes.Money, 0, inf),
    "spent.time": Measure(nodes.Duration, 0, inf),
}
_DUE = {nodes.Number: "a number", nodes.Money: "an amount of money", nodes.Duration: "a duration"}


class Conditions:
    """Reads the conditions of one place. `scored` says whether the verdict it speaks of has scores."""

    def __init__(self, declarations: Declarations, scored: bool) -> None:
        self._declarations = declarations
        self._names = declarations.names
        self._scored = scored

    def read(self, node: nodes.Condition) -> checked.Condition | None:
        match node:
            case nodes.Or() | nodes.And():
                parts = [self.read(part) for part in node.parts]
                whole = tuple(part for part in parts if part is not None)
                if len(whole) < len(parts):
                    return None
                return checked.Or(whole) if isinstance(node, nodes.Or) else checked.And(whole)
            case nodes.Not():
                part = self.read(node.part)
                return checked.Not(part) if part else None
            case nodes.Comparison():
                return self._comparison(node)
            case nodes.Call():
                return self._moderator(node)
            case nodes.Bool():
                return checked.Constant(node.value)
            case nodes.Path():
                return self._flag(node)
            case _:
                self._names.said.append(problems.not_a_condition(node.span, rules.describe(node)))
                return None

    def _flag(self, node: nodes.Path) -> checked.Condition | None:
        value = self._constant(node)
        if isinstance(value, nodes.Bool):
            return checked.Constant(value.value)
        name = ".".join(node.parts)
        if name in MEASURES or value is not None:
            self._names.said.append(problems.not_a_condition(node.span, rules.describe(value or node)))
        elif not self._names.unread(name):
            self._names.said.append(problems.unknown_measure(node.span, name, [*MEASURES, "moderator"]))
        return None

    def _moderator(self, node: nodes.Call) -> checked.Condition | None:
        if node.name.text != "moderator":
            self._names.said.append(
                problems.unknown_function(node.name.span, node.name.text, "condition", ["moderator"])
            )
            return None
        if not 1 <= len(node.args) <= 2:
            due = "a model, and a template if you like"
            self._names.said.append(problems.wrong_arguments(node.span, "moderator", due))
            return None
        model = self._declarations.model_of(node.args[0])
        template: checked.Template | None = None
        if len(node.args) == 2:
            named = rules.name(self._names, node.args[1], "a template")
            template = self._declarations.template_for({"template": named}, "moderator")
        if model is None or (len(node.args) == 2 and template is None):
            return None
        return checked.Moderator(model, template)

    def _comparison(self, node: nodes.Comparison) -> checked.Condition | None:
        left, right, operator = node.left, node.right, node.operator
        if self._measure(left) is None and self._measure(right) is not None and operator in _FLIPPED:
            left, right, operator = right, left, _FLIPPED[operator]
        measure = self._measure(left)
        if measure is None or not isinstance(left, nodes.Path):
            known = isinstance(left, nodes.Path) and not self._names.unread(left.parts[0])
            if known and isinstance(left, nodes.Path):
                self._names.said.append(problems.unknown_measure(left.span, ".".join(left.parts), MEASURES))
            elif not isinstance(left, nodes.Path):
                self._names.said.append(problems.not_a_condition(node.span, rules.describe(left)))
            return None
        name = ".".join(left.parts)
        if operator not in _FLIPPED:
            self._names.said.append(problems.wrong_type(node.span, "a comparison of numbers", f"`{operator}`"))
            return None
        if name.startswith("score.") and not self._scored:
            self._names.said.append(pipeline_problems.needs_scores(left.span, name))
        return self._against(node, name, measure, operator, right)

    def _against(
        self, node: nodes.Comparison, name: str, measure: Measure, operator: str, right: nodes.Operand
    ) -> checked.Condition | None:
        value = self._constant(right) if isinstance(right, nodes.Path) else right
        if value is None and self._measure(right) and isinstance(right, nodes.Path):
            found = f"the measure `{'.'.join(right.parts)}`"
            self._names.said.append(problems.wrong_type(right.span, _DUE[measure.unit], found))
            return None
        if value is None and isinstance(right, nodes.Path):
            if not self._names.unread(right.parts[0]):
                known = self._names.of_kind(nodes.Param)
                self._names.said.append(problems.unknown_name(right.span, ".".join(right.parts), "param", known))
            return None
        match value:
            case nodes.Number() if measure.unit is nodes.Number:
                amount = float(value.value)
            case nodes.Money() if measure.unit is nodes.Money:
                amount = float(value.usd)
            case nodes.Duration() if measure.unit is nodes.Duration:
                amount = value.seconds
            case _:
                found = rules.describe(value) if value is not None else "nothing"
                self._names.said.append(problems.wrong_type(right.span, _DUE[measure.unit], found))
                return None
        if _constant(operator, amount, measure.low, measure.high):
            self._names.said.append(problems.can_never_hold(node.span, name, amount, measure.low, measure.high))
            return None
        return checked.Compare(name, operator, amount)

    def _measure(self, node: nodes.Operand) -> Measure | None:
        return MEASURES.get(".".join(node.parts)) if isinstance(node, nodes.Path) else None

    def _constant(self, node: nodes.Path) -> nodes.Value | None:
        if len(node.parts) != 1:
            return None
        ref = nodes.Ref(node.span, node.parts[0])
        value = self._names.value(ref)
        return None if value is ref else value


def _constant(operator: str, value: float, low: float, high: float) -> bool:
    """Whether a comparison comes out the same for every value between low and high."""
    match operator:
        case ">=" | "<":
            return value <= low or value > high
        case "<=" | ">":
            return value < low or value >= high
        case _:
            return not low <= value <= high


def mentions_scores(node: nodes.Condition) -> bool:
    """Whether a condition, as written, speaks of the judge's scores."""
    match node:
        case nodes.Or() | nodes.And():
            return any(mentions_scores(part) for part in node.parts)
        case nodes.Not():
            return mentions_scores(node.part)
        case nodes.Comparison():
            return mentions_scores(node.left) or mentions_scores(node.right)
        case nodes.Path():
            return node.parts[0] == "score"
        case _:
            return False
