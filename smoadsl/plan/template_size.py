"""Template size, to bound what an author's template can write, from its syntax alone.

A size is linear in the sizes of what the template is given: of all responses, the longest of them, the conversation,
and so many tokens of its own. A loop over responses writes each once, and what does not speak of them as often as there
are responses. What can not be bounded so may write as much as any template.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cache

from jinja2 import Environment, nodes

from smoadsl.builtins.prompts import FILTERS
from smoadsl.classes import dataclass

MOST_TOKENS = 8_000_000  # of 4 million characters, the most that a template may write
_ESCAPED = 6  # how many characters one becomes at most where it is written as an escape
_SMALL = 64  # tokens of a name, a number, a mark around a text

Symbol = str  # a variable of the template, or a loop's, whose size is known only later


class Unbounded(Exception):
    """Nothing in the syntax says how much this can write."""


@dataclass(frozen=True, slots=True)
class Size:
    """So many tokens, and so often the size of each symbol."""

    tokens: float = 0.0
    times: Mapping[Symbol, float] = field(default_factory=dict)

    def plus(self, other: "Size") -> "Size":
        names = {**self.times, **other.times}
        both = {name: self.times.get(name, 0.0) + other.times.get(name, 0.0) for name in names}
        return Size(self.tokens + other.tokens, both)

    def scaled(self, factor: float) -> "Size":
        return Size(factor * self.tokens, {name: factor * count for name, count in self.times.items()})

    def put(self, symbol: Symbol, value: "Size") -> "Size":
        """With a size in the place of a symbol."""
        rest = {name: count for name, count in self.times.items() if name != symbol}
        return Size(self.tokens, rest).plus(value.scaled(self.times.get(symbol, 0.0)))


@dataclass(frozen=True, slots=True)
class Given:
    """What a template is given, in tokens: `responses` in all (or `references`), so many, the `largest`, and the
    conversation. `small` is the rest: a role, criteria, what a router is told."""

    responses: float
    count: int
    largest: float
    conversation: float
    small: float


def tokens_written(template: str, given: Given) -> int:
    """The most tokens that a template can write."""
    try:
        size = _of_template(template, max(given.count, 1), int(given.conversation) + 1)
    except Unbounded:
        return MOST_TOKENS
    values = {"responses": given.responses, "largest": given.largest, "conversation": given.conversation}
    total = size.tokens + sum(count * values.get(name, given.small) for name, count in size.times.items())
    return min(int(total) + 1, MOST_TOKENS)


@cache
def _of_template(template: str, count: int, turns: int) -> Size:
    try:
        tree = Environment(autoescape=False).parse(template)  # only parsed, never rendered
    except Exception as error:  # one that can not be read is refused elsewhere, and writes nothing
        raise Unbounded from error
    return _Sizes(count, turns).body(tree.body, {})


_WHOLE: Mapping[str, Symbol] = {
    "references": "responses", "responses": "responses", "own": "largest",
    "prompt": "conversation", "messages": "conversation", "input": "conversation",
}  # fmt: skip
_SAME = frozenset(
    "default first last list map rejectattr reverse select selectattr reject sort trim lower unique".split()
)
_SHORT = frozenset("length round int float count".split())
_METHODS_SAME = frozenset("get items keys lower lstrip rstrip split splitlines strip values".split())

Known = Mapping[str, Size]  # what names of the template's own stand for


@dataclass(frozen=True, slots=True)
class _Sizes:
    count: int  # of responses
    turns: int  # of the conversation, at most

    def body(self, statements: Sequence[nodes.Node], known: Known) -> Size:
        total, known = Size(), dict(known)
        for statement in statements:
            match statement:
                case nodes.Output(nodes=parts):
                    for part in parts:
                        size = self.expression(part, known)
                        total = total.plus(size.scaled(_ESCAPED).plus(Size(_SMALL)) if _is_whole(part, known) else size)
                case nodes.If(body=body, elif_=others, else_=last):
                    for branch in (body, *(other.body for other in others), last):
                        total = total.plus(self.body(branch, known))
                case nodes.For():
                    total = total.plus(self.loop(statement, known))
                case nodes.Assign(target=nodes.Name(name=name), node=value):
                    known[name] = known.get(name, Size()).plus(self.expression(value, known))
                case _:
                    raise Unbounded
        return total

    def loop(self, loop: nodes.For, known: Known) -> Size:
        """Each thing once, and all else as often as there are things."""
        over = self.expression(loop.iter, known)
        targets = loop.target.items if isinstance(loop.target, nodes.Tuple) else [loop.target]
        names = [target.name for target in targets if isinstance(target, nodes.Name)]
        symbols = {name: f"{name} {id(loop)}" for name in names}
        inner = {**known, **{name: Size(0.0, {symbol: 1.0}) for name, symbol in symbols.items()}}
        once = self.body(loop.body, inner)
        alone = once
        for symbol in symbols.values():
            alone = alone.put(symbol, Size())
        total = alone.scaled(self.length(loop.iter, over))
        for symbol in symbols.values():
            total = total.plus(over.scaled(once.times.get(symbol, 0.0)))
        return total.plus(self.body(loop.else_, known))

    def length(self, iterated: nodes.Node, over: Size) -> float:
        """How many things there are to go through."""
        match iterated:
            case nodes.Call(node=nodes.Name(name="range"), args=[*_, nodes.Const(value=int() as last)]):
                return max(last, 0)
            case nodes.Call(node=nodes.Name(name="range")):
                raise Unbounded
            case nodes.List(items=items) | nodes.Tuple(items=items):
                return len(items)
            case _:
                return self.count if set(over.times) <= {"responses"} and over.times else self.turns

    def expression(self, node: nodes.Node, known: Known) -> Size:
        match node:
            case nodes.TemplateData(data=text):
                return _text(text)
            case nodes.Const(value=value):
                return _text(str(value))
            case nodes.Name(name=name):
                return known.get(name) or Size(0.0, {_WHOLE[name]: 1.0} if name in _WHOLE else {name: 1.0})
            case nodes.Getattr(node=of) | nodes.Getitem(node=of):
                return self.expression(of, known)
            case nodes.Filter():
                return self.filtered(node, known)
            case nodes.Concat(nodes=parts):
                return self.sum(parts, known)
            case (
                nodes.Add(left=left, right=right) | nodes.Or(left=left, right=right) | nodes.And(left=left, right=right)
            ):
                return self.sum((left, right), known)
            case nodes.CondExpr(expr1=one, expr2=other):
                return self.sum((one, other) if other else (one,), known)
            case nodes.List(items=parts) | nodes.Tuple(items=parts):
                return self.sum(parts, known)
            case nodes.Call(node=nodes.Getattr(node=of, attr=name)) if name in _METHODS_SAME:
                return self.expression(of, known)
            case nodes.Compare() | nodes.Not() | nodes.Test() | nodes.Sub() | nodes.Neg():
                return Size(_SMALL)
            case _:
                raise Unbounded

    def filtered(self, node: nodes.Filter, known: Known) -> Size:
        assert node.node is not None
        inner = self.expression(node.node, known)
        more = self.sum([*node.args, *(named.value for named in node.kwargs)], known)
        if node.name == "fenced":
            return inner.plus(Size(3 * _SMALL * (self.count + 2)))
        if node.name == "join":
            return inner.plus(more.scaled(self.turns if "conversation" in inner.times else self.count))
        if node.name == "tojson":
            return inner.scaled(_ESCAPED).plus(Size(_SMALL * (self.count + self.turns)))
        if node.name in _SHORT:
            return Size(_SMALL)
        if node.name in _SAME and node.name in FILTERS:
            return inner.plus(more)
        raise Unbounded

    def sum(self, parts: Sequence[nodes.Node], known: Known) -> Size:
        total = Size()
        for part in parts:
            total = total.plus(self.expression(part, known))
        return total


def _is_whole(node: nodes.Node, known: Known) -> bool:
    """Whether a list or an object itself is written: as Python writes it, with escapes."""
    return isinstance(node, nodes.Name) and (node.name in known or node.name in _WHOLE) and node.name != "prompt"


def _text(text: str) -> Size:
    return Size(len(text.encode("utf-8", "surrogatepass")) / 2 + 1)
