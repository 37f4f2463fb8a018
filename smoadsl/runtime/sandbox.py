"""Sandbox, to compile a guarded template so that what it does has a bound: loops are counted, sizes capped."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, Template, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from smoadsl.builtins.guard import faults
from smoadsl.builtins.prompts import FILTERS

MOST_CHARACTERS = 4_000_000
MOST_STEPS = 200_000
_MOST_NUMBER = 10**18
_MOST_INDENT = 100


class Refused(Exception):
    """A template that may not run, or ran too far; the message says why."""


class Fuel:
    """Counts the steps of all loops of one rendering."""

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def tick(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Refused(f"its loops take more than {MOST_STEPS:,} steps")


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(("+", "*", "%", "-", "//", "/"))

    def __init__(self, filters: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, optimized=False, finalize=_as_written
        )
        capped: dict[str, Callable[..., Any]] = {
            "indent": _indent, "join": _join, "replace": _replace, "tojson": _tojson, **filters
        }  # fmt: skip
        self._plain = {name: self.filters[name] for name in FILTERS if name in self.filters}
        self.filters = {name: capped.get(name, self._plain.get(name)) for name in FILTERS}
        self.globals = {"range": self.globals["range"], "_concat": _concat}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _bounded(operator, left, right)
        return super().call_binop(context, operator, left, right)


@pass_context
def _as_written(context: Context, value: Any) -> Any:
    """Taking the context keeps Jinja from folding constants when a template is compiled, even in dead branches."""
    return value


def _bounded(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result could be large, before it is made."""
    sizes = [len(side) if isinstance(side, str | list | tuple) else None for side in (left, right)]
    if sizes == [None, None]:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "*" and numbers and abs(left) * abs(right) > _MOST_NUMBER:
            raise Refused("it multiplies to too large a number")
        return
    if operator == "%" and isinstance(left, str):
        raise Refused("it formats with `%`: write `~` between the parts")
    if operator == "*":
        times = right if sizes[0] is not None else left
        if isinstance(times, int) and (sizes[0] or sizes[1] or 0) * times > MOST_CHARACTERS:
            raise Refused(f"it repeats to more than {MOST_CHARACTERS:,} characters")
    elif (sizes[0] or 0) + (sizes[1] or 0) > MOST_CHARACTERS:
        raise Refused(f"it joins to more than {MOST_CHARACTERS:,} characters")


def _checked(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise Refused(f"it builds more than {MOST_CHARACTERS:,} characters")
    return text


def _concat(*parts: Any) -> str:
    texts = [str(part) for part in parts]
    if sum(map(len, texts)) > MOST_CHARACTERS:
        raise Refused(f"it joins to more than {MOST_CHARACTERS:,} characters")
    return "".join(texts)


def _indent(text: Any, width: int = 4, first: bool = False, blank: bool = False) -> str:
    if not 0 <= width <= _MOST_INDENT:
        raise Refused(f"it indents by more than {_MOST_INDENT}")
    lines = str(text).split("\n")
    if (width + 1) * len(lines) > MOST_CHARACTERS:
        raise Refused(f"it builds more than {MOST_CHARACTERS:,} characters")
    pad = " " * width
    return "\n".join(pad + line if (number or first) and (line or blank) else line for number, line in enumerate(lines))


def _join(value: Any, separator: str = "", attribute: str | None = None) -> str:
    items = [item.get(attribute, "") if attribute and isinstance(item, dict) else item for item in value]
    texts = [str(item) for item in items]
    if sum(map(len, texts)) + len(str(separator)) * len(texts) > MOST_CHARACTERS:
        raise Refused(f"it joins to more than {MOST_CHARACTERS:,} characters")
    return str(separator).join(texts)


def _replace(text: Any, old: str, new: str, count: int = -1) -> str:
    found = str(text).count(old) if count < 0 else min(count, str(text).count(old))
    if len(str(text)) + found * len(new) > MOST_CHARACTERS:
        raise Refused(f"it builds more than {MOST_CHARACTERS:,} characters")
    return str(text).replace(old, new, count)


def _tojson(value: Any) -> str:
    import orjson

    return _checked(orjson.dumps(value).decode())


@cache
def environment(filters: tuple[tuple[str, Callable[..., Any]], ...]) -> _Environment:
    return _Environment(dict(filters))


@cache
def compiled(text: str, filters: tuple[tuple[str, Callable[..., Any]], ...]) -> Template:
    """The template, with a tick in the body of each loop and every `~` counted. Raises `Refused` and Jinja's errors."""
    env = environment(filters)
    tree = env.parse(text)
    fault = next(faults(tree), None)
    if fault is not None:
        raise Refused(f"line {fault.line}: {fault.kind} `{fault.name}` is not allowed")
    _instrument(tree)
    template: Template = env.template_class.from_code(env, env.compile(tree), {**env.globals})
    return template


def _instrument(tree: nodes.Template) -> None:
    for loop in tree.find_all(nodes.For):
        tick = nodes.Call(nodes.Name("_tick", "load"), [], [], None, None)
        loop.body.insert(0, nodes.ExprStmt(tick, lineno=loop.lineno))
    for node in list(tree.find_all(nodes.Node)):
        for name in node.fields:
            value = getattr(node, name)
            if isinstance(value, nodes.Concat):
                setattr(node, name, _counted(value))
            elif isinstance(value, list):
                value[:] = [_counted(item) if isinstance(item, nodes.Concat) else item for item in value]


def _counted(concat: nodes.Concat) -> nodes.Call:
    return nodes.Call(nodes.Name("_concat", "load"), concat.nodes, [], None, None, lineno=concat.lineno)
