"""Fields, to find what a template reads of a response, a message or an agent, and none of them has.

Only what is certain is told: a name stands for such a thing where a loop, an index or a `set` makes it one. What a
template asks for itself, as in `r.note is defined`, it may read.
"""

from collections.abc import Iterable, Iterator

from jinja2 import nodes

from smoadsl.builtins.prompts import LISTS, SINGLE, Shape
from smoadsl.classes import dataclass

_STILL_LISTS = ("list", "reverse", "sort", "unique", "selectattr", "rejectattr")
_ATTRIBUTE_AT = {"selectattr": 0, "rejectattr": 0, "join": 1, "unique": 1, "sort": 2}  # among a filter's arguments
_ASKS = ("defined", "undefined")


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing of a shape, or a list of them."""

    shape: Shape
    many: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that is read where nothing has it."""

    kind: Kind
    name: str
    line: int


Known = dict[str, Kind]  # what the names of a template stand for, where that is certain


def missing_fields(tree: nodes.Template, given: Iterable[str]) -> Iterator[Missing]:
    """The fields that a template, which is given these names, can not be filled with."""
    lists = {name: Kind(shape, many=True) for name, shape in LISTS.items()}
    known = {**lists, **{name: Kind(shape, many=False) for name, shape in SINGLE.items()}}
    asked = set(_asked_for(tree))
    for one in _read(tree, {name: known[name] for name in given if name in known}):
        if one.name not in asked:
            yield one


def _asked_for(tree: nodes.Template) -> Iterator[str]:
    """The fields of which a template asks whether they are there, or says what stands in for them."""
    for node in tree.find_all((nodes.Test, nodes.Filter, nodes.Compare)):
        match node:
            case nodes.Test(name="defined" | "undefined", node=of) | nodes.Filter(name="default" | "d", node=of):
                match of:
                    case nodes.Getattr(attr=name) | nodes.Getitem(arg=nodes.Const(value=str() as name)):
                        yield name
            case nodes.Compare(expr=nodes.Const(value=str() as name)):
                yield name


def _read(node: nodes.Node, known: Known) -> Iterator[Missing]:
    """What a node reads, in order. What it sets goes into `known`."""
    match node:
        case nodes.For():
            yield from _loop(node, known)
        case nodes.If():
            yield from _branches(node, known)
        case nodes.Assign():
            yield from _read(node.node, known)
            _set(node.target, _kind(node.node, known), known)
        case _:
            for part in node.iter_child_nodes():
                yield from _read(part, known)
            yield from _of(node, known)


def _loop(node: nodes.For, known: Known) -> Iterator[Missing]:
    yield from _read(node.iter, known)
    over, inside = _kind(node.iter, known), dict(known)
    _set(node.target, Kind(over.shape, many=False) if over and over.many else None, inside)
    inside.pop("loop", None)
    for part in [*([node.test] if node.test else []), *node.body]:
        yield from _read(part, inside)
    otherwise = dict(known)
    for part in node.else_:
        yield from _read(part, otherwise)


def _branches(node: nodes.If, known: Known) -> Iterator[Missing]:
    """After it a name is what all branches leave it."""
    ends: list[Known] = []
    for branch in (node, *node.elif_):
        yield from _read(branch.test, known)
        ends.append(dict(known))
        for part in branch.body:
            yield from _read(part, ends[-1])
    ends.append(dict(known))
    for part in node.else_:
        yield from _read(part, ends[-1])
    for name in {name for end in ends for name in end}:
        kinds = [end.get(name) for end in ends]
        _set(nodes.Name(name, "store"), kinds[0] if len(set(kinds)) == 1 else None, known)


def _set(target: nodes.Node, kind: Kind | None, known: Known) -> None:
    if isinstance(target, nodes.Name) and kind is not None:
        known[target.name] = kind
        return
    for name in [target] if isinstance(target, nodes.Name) else target.find_all(nodes.Name):
        known.pop(name.name, None)


def _kind(node: nodes.Node, known: Known) -> Kind | None:
    """What an expression stands for, where that is certain."""
    match node:
        case nodes.Name(name=name):
            return known.get(name)
        case nodes.Getitem(node=of, arg=nodes.Slice()):
            kind = _kind(of, known)
            return kind if kind and kind.many else None
        case nodes.Getitem(node=of) | nodes.Filter(name="first" | "last", node=nodes.Node() as of):
            kind = _kind(of, known)
            return Kind(kind.shape, many=False) if kind and kind.many else None
        case nodes.Filter(name=name, node=nodes.Node() as of) if name in _STILL_LISTS:
            kind = _kind(of, known)
            return kind if kind and kind.many else None
        case _:
            return None


def _of(node: nodes.Node, known: Known) -> Iterator[Missing]:
    """The field that a node itself reads, if nothing has it."""
    match node:
        case nodes.Getattr(node=of, attr=name) | nodes.Getitem(node=of, arg=nodes.Const(value=str() as name)):
            kind = _kind(of, known)
            if kind and not _has(kind, name):
                yield Missing(kind, name, node.lineno)
        case nodes.Filter(node=nodes.Node() as of):
            kind, path = _kind(of, known), _attribute(node)
            name = path.split(".")[0]
            if kind and kind.many and name and name not in kind.shape.fields:
                yield Missing(Kind(kind.shape, many=False), name, node.lineno)


def _has(kind: Kind, name: str) -> bool:
    if kind.many:
        return hasattr(list, name)
    return name in kind.shape.fields or hasattr(dict, name)


def _attribute(node: nodes.Filter) -> str:
    """The field by which a filter looks at each thing of a list; empty where there is none, or it may be missing."""
    named: dict[str, nodes.Node] = {str(pair.key): pair.value for pair in node.kwargs}
    at = _ATTRIBUTE_AT.get(node.name, len(node.args))
    value = named.get("attribute") or next(iter(node.args[at : at + 1]), None)
    asks = any(isinstance(arg, nodes.Const) and arg.value in _ASKS for arg in node.args[1:])
    if "default" in named or asks or not isinstance(value, nodes.Const) or not isinstance(value.value, str):
        return ""
    return value.value
