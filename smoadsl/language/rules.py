"""Rules, to read a written value as the type that its place demands, and say so where it is another."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from smoadsl.calls.price import Price
from smoadsl.calls.route import Env, Rate
from smoadsl.diagnostics.diagnostic import Related
from smoadsl.diagnostics.source import Span
from smoadsl.language import nodes, problems, provider_problems
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
    found = names.value(node)
    if any(isinstance(one, nodes.Ref) and names.unread(one.name) for one in (node, found)):
        return
    if isinstance(found, nodes.Call) and found.name.text == "env":
        names.said.append(problems.env_elsewhere(found.span))
        return
    if isinstance(node, nodes.Ref) and found is not node and not isinstance(found, nodes.List | nodes.Ref):
        kind = due.partition(" from ")[0].partition(" of at least ")[0]
        if (node.name, kind) in names.misfits:
            return  # a value of the wrong type is one mistake, wherever the param stands
        names.misfits.add((node.name, kind))
    related = () if found is node else (Related("the param's value", found.span),)
    help = ""
    if isinstance(found, nodes.Ref) and found.name not in names.declared and names.helps:
        help = problems.no_param(found.name, names.of_kind(nodes.Param), due)
    names.said.append(problems.wrong_type(node.span, due, describe(found), *related, help=help))


def number(low: float = -math.inf, high: float = math.inf, *, whole: bool = False) -> Rule:
    due = ("a whole number" if whole else "a number") + _range(low, high)

    def read(names: Names, node: nodes.Value) -> int | float | None:
        found = names.value(node)
        if not isinstance(found, nodes.Number):
            wrong_type(names, node, due)
        elif whole and not isinstance(found.value, int):
            names.said.append(problems.wrong_type(node.span, due, "a number with a fraction"))
        elif not low <= found.value <= high:
            names.said.append(problems.out_of_range(node.span, due, problems.as_share(found.value, low, high)))
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


def rate(names: Names, node: nodes.Value) -> Rate | None:
    found = names.value(node)
    if not isinstance(found, nodes.Rate):
        wrong_type(names, node, "a rate such as `600/min`")
        return None
    if found.count <= 0:
        names.said.append(problems.out_of_range(node.span, "a rate above zero"))
        return None
    return Rate(found.count, found.period_s)


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


def names(names_: Names, node: nodes.Value) -> tuple[nodes.Ref, ...]:
    """A declared name, or a list of them; those that are none are said and left out."""
    found = names_.value(node)
    items = found.items if isinstance(found, nodes.List) else (node,)
    return tuple(ref for item in items if (ref := name(names_, item)))


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
            case nodes.Number(value=value):
                names.said.append(problems.out_of_range(node.span, due, problems.as_share(value, 0, 1)))
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
        names.said.append(provider_problems.literal_key(node.span))
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
    for setting in each_once(names, found):
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
        case nodes.Number() if not _fits_json(found.value):
            help = "write it in double quotes if the provider takes a text"
            names.said.append(problems.out_of_range(node.span, "a number of no more than 64 bits", help))
            return None
        case nodes.Number() | nodes.Bool() | nodes.Text():
            return found.value
        case nodes.List():
            return [anything(names, item) for item in found.items]
        case nodes.Object():
            return {setting.key.text: anything(names, setting.value) for setting in each_once(names, found)}
        case _:
            wrong_type(names, node, "a value that JSON can hold")
            return None


def _fits_json(value: int | float) -> bool:
    """Whether it is a number that those who read JSON take as it stands."""
    return math.isfinite(value) if isinstance(value, float) else -(1 << 63) <= value < 1 << 64


def constant(names: Names, node: nodes.Value) -> None:
    """The value of a param: a literal, the name of a thing that is none, or a list of these."""
    due = "a number, text, duration, amount, rate, name, or a list of these,"
    for item in node.items if isinstance(node, nodes.List) else (node,):
        if isinstance(item, nodes.Ref) and isinstance(names.declared.get(item.name), nodes.Param):
            names.said.append(problems.wrong_type(item.span, due, "another param"))
        elif isinstance(item, nodes.Call | nodes.Object | nodes.List):
            wrong_type(names, item, due)


def block(names: Names, node: nodes.Value) -> Any:
    """A block of settings that JSON can hold."""
    if isinstance(names.value(node), nodes.Object):
        return anything(names, node)
    wrong_type(names, node, 'a block such as `{ service_tier = "flex" }`')
    return None


def as_written(names: Names, node: nodes.Value) -> nodes.Value:
    """The value itself, for who reads it further."""
    return names.value(node)


def read_settings(names: Names, block: nodes.Object | None, table: Mapping[str, Rule], of: str) -> dict[str, Any]:
    """The settings of a block by name; unknown and repeated ones are said, wrong values left out."""
    read: dict[str, Any] = {}
    for setting in each_once(names, block) if block else ():
        key = setting.key.text
        if key not in table:
            names.said.append(problems.unknown_setting(setting.key.span, key, of, table if names.helps else ()))
            continue
        value = table[key](names, setting.value)
        if value is not None:
            read[key] = value
    return read


def each_once(names: Names, block: nodes.Object) -> Iterator[nodes.Setting]:
    """The settings of a block, and of several of one name the first; the others are said."""
    first: dict[str, Span] = {}
    for setting in block.settings:
        key = setting.key
        if key.text in first:
            names.said.append(problems.setting_twice(key.span, key.text, first[key.text]))
        else:
            first[key.text] = key.span
            yield setting


def arguments(names: Names, call: nodes.Call, due: str, *rules: Rule) -> Sequence[Any] | None:
    """The arguments of a call, one rule each; None after something was said."""
    if len(call.args) != len(rules):
        names.said.append(problems.wrong_arguments(call.span, call.name.text, due))
        return None
    read = [rule(names, arg) for rule, arg in zip(rules, call.args, strict=True)]
    return None if any(value is None for value in read) else read
