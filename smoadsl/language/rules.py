"""Rules, to read a written value as the type that its place demands, and say so where it is another."""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from smoadsl.calls.price import Price
from smoadsl.calls.route import Env
from smoadsl.diagnostics.diagnostic import Related
from smoadsl.language import nodes, problems
from smoadsl.language.resolve import Names

T = TypeVar("T")
Rule = Callable[[Names, nodes.Value], Any]  # the value, or None after something was said


def describe(node: nodes.Value | nodes.Condition) -> str:
    """What a value is, in the author's words."""
    match node:
        case nodes.Number():
            return "a number"
        case nodes.Duration():
            return "a duration"
        case nodes.Money():
            return "an amount of money"
        case nodes.Rate():
            return "a rate"
        case nodes.Text():
            return "a text"
        case nodes.Bool():
            return "true or false"
        case nodes.Ref():
            return f"the name `{node.name}`"
        case nodes.Path():
            return f"`{'.'.join(node.parts)}`"
        case nodes.Call():
            return f"`{node.name.text}(…)`"
        case nodes.List():
            return "a list"
        case nodes.Object():
            return "a block of settings"
        case _:
            return "a condition"


def wrong_type(names: Names, node: nodes.Value, due: str) -> None:
    if isinstance(node, nodes.Ref) and names.unread(node.name):
        return
    found = names.value(node)
    if isinstance(found, nodes.Call) and found.name.text == "env":
        names.said.append(problems.env_elsewhere(found.span))
        return
    if isinstance(node, nodes.Ref) and found is not node and not isinstance(found, nodes.List | nodes.Ref):
        kind = due.partition(" from ")[0].partition(" of at least ")[0]
        if (node.name, kind) in names.misfits:
            return  # a value of the wrong type is one mistake, wherever the param stands
        names.misfits.add((node.name, kind))
    related = () if found is node else (Related("the param's value", found.span),)
    names.said.append(problems.wrong_type(node.span, due, describe(found), *related))


def number(low: float = -math.inf, high: float = math.inf, *, whole: bool = False) -> Rule:
    due = ("a whole number" if whole else "a number") + _range(low, high)

    def read(names: Names, node: nodes.Value) -> int | float | None:
        found = names.value(node)
        if not isinstance(found, nodes.Number) or (whole and not isinstance(found.value, int)):
            wrong_type(names, node, due)
        elif not low <= found.value <= high:
            names.said.append(problems.out_of_range(node.span, due))
        else:
            return found.value
        return None

    return read


def _range(low: float, high: float) -> str:
    if low == -math.inf and high == math.inf:
        return ""
    if high == math.inf:
        return f" of at least {low:g}"
    return f" from {low:,g} to {high:,g}" if high < 1e6 else f" from {low:,.0f} to {high:,.0f}"


def duration(names: Names, node: nodes.Value) -> float | None:
    found = names.value(node)
    if not isinstance(found, nodes.Duration):
        wrong_type(names, node, "a duration such as `20s`")
        return None
    if not 0 < found.seconds <= 7 * 86_400:
        names.said.append(problems.out_of_range(node.span, "a duration above 0s and up to a week"))
        return None
    return found.seconds


def money(names: Names, node: nodes.Value) -> Decimal | None:
    found = names.value(node)
    if not isinstance(found, nodes.Money):
        wrong_type(names, node, "an amount of money such as `$0.05`")
        return None
    return found.usd


def rate(names: Names, node: nodes.Value) -> float | None:
    found = names.value(node)
    if not isinstance(found, nodes.Rate):
        wrong_type(names, node, "a rate such as `600/min`")
        return None
    if found.per_s <= 0:
        names.said.append(problems.out_of_range(node.span, "a rate above zero"))
        return None
    return found.per_s


def price(names_: Names, node: nodes.Value) -> Price | None:
    """`{ input = $0.90, output = $0.90 }`, per million tokens; input from a cache is never dearer than other input."""
    found = names_.value(node)
    if not isinstance(found, nodes.Object):
        wrong_type(names_, node, "a block such as `{ input = $0.90, output = $0.90 }`")
        return None
    read = read_settings(names_, found, {"input": money, "output": money, "cached": money}, "a price")
    for key in ("input", "output"):
        if key not in {setting.key.text for setting in found.settings} and not names_.lost(found, key):
            names_.said.append(problems.setting_missing(node.span, "a price", key))
    if not {"input", "output"} <= read.keys():
        return None
    if read.get("cached", read["input"]) > read["input"]:
        at = next(setting.value.span for setting in found.settings if setting.key.text == "cached")
        names_.said.append(problems.out_of_range(at, f"an amount of at most `input`, ${read['input']},"))
        return None
    return Price(read["input"], read["output"], read.get("cached"))


def names(names_: Names, node: nodes.Value) -> tuple[nodes.Ref, ...] | None:
    """A declared name, or a list of them."""
    found = names_.value(node)
    items = found.items if isinstance(found, nodes.List) else (node,)
    refs = [name(names_, item) for item in items]
    return None if None in refs else tuple(ref for ref in refs if ref)


def text(names: Names, node: nodes.Value) -> str | None:
    found = names.value(node)
    if not isinstance(found, nodes.Text):
        wrong_type(names, node, "a text")
        return None
    return found.value


def boolean(names: Names, node: nodes.Value) -> bool | None:
    found = names.value(node)
    if not isinstance(found, nodes.Bool):
        wrong_type(names, node, "`true` or `false`")
        return None
    return found.value


def ratio_or_true(default: float) -> Rule:
    """A share above 0 and up to 1; `true` means the default, `false` nothing."""
    due = "a number above 0 and up to 1, or `true` or `false`,"

    def read(names: Names, node: nodes.Value) -> float | None:
        found = names.value(node)
        match found:
            case nodes.Bool(value=value):
                return default if value else None
            case nodes.Number(value=value) if 0 < value <= 1:
                return float(value)
            case nodes.Number():
                names.said.append(problems.out_of_range(node.span, due))
            case _:
                wrong_type(names, node, due)
        return None

    return read


def texts(names: Names, node: nodes.Value) -> tuple[str, ...] | None:
    found = names.value(node)
    if isinstance(found, nodes.Text):
        return (found.value,)
    if not isinstance(found, nodes.List):
        wrong_type(names, node, "a text or a list of texts")
        return None
    read = [text(names, item) for item in found.items]
    return None if None in read else tuple(item for item in read if item is not None)


def one_of(*words: str) -> Rule:
    """One of a few words; a bare name and a text mean the same."""

    def read(names: Names, node: nodes.Value) -> str | None:
        found = names.value(node)
        word = found.name if isinstance(found, nodes.Ref) else found.value if isinstance(found, nodes.Text) else None
        if word in words:
            return word
        names.said.append(
            problems.wrong_type(node.span, "one of " + ", ".join(f"`{w}`" for w in words), describe(found))
        )
        return None

    return read


def secret(names: Names, node: nodes.Value) -> Env | None:
    found = names.value(node)
    if isinstance(found, nodes.Text):
        names.said.append(problems.literal_key(node.span))
        return None
    if _is_env(found):
        return _env(names, found)
    wrong_type(names, node, '`env("NAME")`')
    return None


def _is_env(node: nodes.Value) -> bool:
    return isinstance(node, nodes.Call) and node.name.text == "env"


def _env(names: Names, node: nodes.Value) -> Env | None:
    args = node.args if isinstance(node, nodes.Call) else ()
    if len(args) == 1 and isinstance(args[0], nodes.Text) and args[0].value:
        return Env(args[0].value)
    names.said.append(problems.wrong_arguments(node.span, "env", "the name of an environment variable as a text"))
    return None


def headers(names: Names, node: nodes.Value) -> Mapping[str, str | Env] | None:
    found = names.value(node)
    if not isinstance(found, nodes.Object):
        wrong_type(names, node, 'a block such as `{ "X-Team" = "ops" }`')
        return None
    read: dict[str, str | Env] = {}
    for setting in found.settings:
        value = _env(names, setting.value) if _is_env(setting.value) else text(names, setting.value)
        if value is not None:
            read[setting.key.text] = value
    return read


def name(names: Names, node: nodes.Value, due: str = "a declared name") -> nodes.Ref | None:
    """A declared name; what it must be is looked up where it is used."""
    found = names.value(node)
    if isinstance(found, nodes.Ref):
        return found
    wrong_type(names, node, due)
    return None


def anything(names: Names, node: nodes.Value) -> Any:
    """Any value that JSON can hold."""
    found = names.value(node)
    match found:
        case nodes.Number() | nodes.Bool() | nodes.Text():
            return found.value
        case nodes.List():
            return [anything(names, item) for item in found.items]
        case nodes.Object():
            return {setting.key.text: anything(names, setting.value) for setting in found.settings}
        case _:
            wrong_type(names, node, "a value that JSON can hold")
            return None


def as_written(names: Names, node: nodes.Value) -> nodes.Value:
    """The value itself, for who reads it further."""
    return names.value(node)


def later(what: str) -> Rule:
    """A setting of the language that this version does not carry out yet."""

    def read(names: Names, node: nodes.Value) -> None:
        names.said.append(problems.not_yet(node.span, f"`{what}`"))

    return read


def read_settings(names: Names, block: nodes.Object | None, table: Mapping[str, Rule], of: str) -> dict[str, Any]:
    """The settings of a block by name; unknown and repeated ones are said, wrong values left out."""
    read: dict[str, Any] = {}
    first: dict[str, nodes.Setting] = {}
    for setting in block.settings if block else ():
        key = setting.key.text
        if key in first:
            names.said.append(problems.setting_twice(setting.key.span, key, first[key].key.span))
            continue
        first[key] = setting
        if key not in table:
            names.said.append(problems.unknown_setting(setting.key.span, key, of, table if names.helps else ()))
            continue
        value = table[key](names, setting.value)
        if value is not None:
            read[key] = value
    return read


def arguments(names: Names, call: nodes.Call, due: str, *rules: Rule) -> Sequence[Any] | None:
    """The arguments of a call, one rule each; None after something was said."""
    if len(call.args) != len(rules):
        names.said.append(problems.wrong_arguments(call.span, call.name.text, due))
        return None
    read = [rule(names, arg) for rule, arg in zip(rules, call.args, strict=True)]
    return None if any(value is None for value in read) else read
