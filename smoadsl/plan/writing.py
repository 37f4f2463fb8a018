"""Writing, to write parts of a plan back as the language does: conditions, views, judges, values of settings."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_never

import orjson

from smoadsl.builtins.answers import AnswerForm
from smoadsl.plan import plan as plans

_CENT = Decimal("0.01")


def condition(rule: plans.Condition) -> str:
    """`agreement >= 0.9 and not moderator(qwen)`, with the brackets that it needs."""
    match rule:
        case plans.Or(parts=parts):
            return " or ".join(map(condition, parts))
        case plans.And(parts=parts):
            return " and ".join(_enclosed(part, plans.Or) for part in parts)
        case plans.Not(part=part):
            return f"not {_enclosed(part, (plans.Or, plans.And))}"
        case plans.Compare(measure=measure, operator=operator, value=value):
            return f"{measure} {operator} {_amount(measure, value)}"
        case plans.Moderator(call=call):
            return f"moderator({call.model}{'' if call.built_in else f', {call.template}'})"
        case plans.Constant(value=value):
            return str(value).lower()
        case _:
            assert_never(rule)


def _amount(measure: str, value: float) -> str:
    """A value in the measure's own unit."""
    match measure:
        case "spent.time":
            return f"{value:g}s"
        case "spent.usd":
            return f"${value:g}"
        case _:
            return f"{value:_.10g}"


def _enclosed(part: plans.Condition, kinds: type | tuple[type, ...]) -> str:
    return f"({condition(part)})" if isinstance(part, kinds) else condition(part)


def stop(rule: plans.Stop) -> str:
    """`stop pipeline when agreement >= 0.9`."""
    return f"stop {'pipeline ' if rule.whole_pipeline else ''}when {condition(rule.condition)}"


def view(sees: plans.View) -> str:
    match sees.kind:
        case "all" | "none" | "own" | "peers":
            return sees.kind
        case "ring":
            return f"ring({sees.distance})"
        case "named":
            return f"[{', '.join(sees.names)}]"
        case _:
            assert_never(sees.kind)


def judge(by: plans.ModelJudge | plans.FreeJudge) -> str:
    """`qwen`, `score(qwen)`, `vote()`."""
    match by:
        case plans.ModelJudge(kind="rank", call=call):
            return call.model
        case plans.ModelJudge(kind=kind, call=call):
            return f"{kind}({call.model})"
        case plans.FreeJudge(kind=kind, seed=seed):
            return f"{kind}({'' if seed is None else seed})"
        case _:
            assert_never(by)


def gate(activate: plans.Activate) -> str:
    """`2 by router(qwen)`."""
    return f"{activate.count} by {chooser(activate)}"


def chooser(activate: plans.Activate) -> str:
    """`router(qwen)`, `random()`."""
    if activate.router:
        return f"router({activate.router.model})"
    return f"random({'' if activate.seed is None else activate.seed})"


def quorum(needed: plans.Quorum) -> str:
    return f"{needed.count} after {needed.after_s:g}s"


def aggregate(end: plans.Aggregate) -> str:
    """`qwen`, `vote()`."""
    match end:
        case plans.ModelAggregate(call=call):
            return call.model
        case plans.FreeAggregate(kind=kind):
            return f"{kind}()"
        case _:
            assert_never(end)


def answer(form: AnswerForm) -> str:
    return f"{form.kind}({', '.join(form.detail)})" if form.detail else form.kind


def value(setting: Any) -> str | None:
    """A setting's value; None where it is not set. Money is the only thing that is a `Decimal`."""
    match setting:
        case None | () | "":
            return None
        case bool():
            return str(setting).lower()
        case Decimal():
            return f"${setting.quantize(_CENT) if setting == setting.quantize(_CENT) else setting.normalize():f}"
        case int():
            return f"{setting:_}"
        case float():
            return f"{setting:g}"
        case str():
            return setting
        case _:
            return orjson.dumps(setting, default=str).decode()


def flat(values: Mapping[str, Any], inside: str = "") -> dict[str, Any]:
    """Nested values under names with dots."""
    found: dict[str, Any] = {}
    for name, one in values.items():
        found |= flat(one, f"{inside}{name}.") if isinstance(one, dict) and one else {f"{inside}{name}": one}
    return found
