"""Guard, to say what in a parsed template could reach further or grow larger than a prompt may need.

It looks at Jinja's syntax tree alone: nothing is compiled, folded or called.
"""

from collections.abc import Iterator
from typing import Literal

from jinja2 import nodes

from smoadsl.builtins.prompts import FILTERS
from smoadsl.classes import dataclass

MOST_NODES = 20_000
MOST_DEPTH = 60
MOST_NESTED_LOOPS = 3
TESTS = (
    "defined undefined none string number sequence mapping odd even eq ne lt le gt ge in true false equalto lessthan "
    "greaterthan divisibleby"
).split()
TAGS = ("for", "if", "set")
METHODS = (
    "capitalize count endswith find get items keys lower lstrip rstrip split splitlines startswith strip title upper "
    "values"
).split()
_FORBIDDEN: dict[type[nodes.Node], str] = {
    nodes.Import: "import", nodes.FromImport: "from", nodes.Include: "include", nodes.Extends: "extends",
    nodes.Block: "block", nodes.Macro: "macro", nodes.CallBlock: "call", nodes.FilterBlock: "filter",
    nodes.With: "with", nodes.AssignBlock: "set … endset", nodes.ScopedEvalContextModifier: "autoescape",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a template may not do, the line it stands in, and what there is instead."""

    line: int
    kind: Literal["filter", "test", "tag", "function", "operator", "name", "size"]
    name: str
    known: tuple[str, ...] = ()


def faults(tree: nodes.Template) -> Iterator[Fault]:
    """All that is wrong with a tree, in its own order. Iterative, so that no nesting can exhaust it."""
    count = 0
    stack: list[tuple[nodes.Node, int, int]] = [(tree, 0, 0)]
    while stack:
        node, depth, loops = stack.pop()
        count += 1
        loops += isinstance(node, nodes.For)
        if count > MOST_NODES or depth > MOST_DEPTH or loops > MOST_NESTED_LOOPS:
            name = "too long" if count > MOST_NODES else "too deeply nested"
            yield Fault(node.lineno, "size", name)
            return
        yield from _of(node)
        stack += [(child, depth + 1, loops) for child in reversed(list(node.iter_child_nodes()))]


def _of(node: nodes.Node) -> Iterator[Fault]:
    match node:
        case nodes.Filter(name=name) if name not in FILTERS:
            yield Fault(node.lineno, "filter", name, tuple(FILTERS))
        case nodes.Test(name=name) if name not in TESTS:
            yield Fault(node.lineno, "test", name, tuple(TESTS))
        case nodes.Pow():
            yield Fault(node.lineno, "operator", "**")
        case nodes.Name(name=name) if name.startswith("_") or name == "self":
            yield Fault(node.lineno, "name", name)
        case nodes.Getattr(attr=name) if name.startswith("_"):
            yield Fault(node.lineno, "name", name)
        case nodes.Const(value=str() as name) if name.startswith("__"):  # `map(attribute="__class__")`
            yield Fault(node.lineno, "name", name)
        case nodes.Call(node=nodes.Name(name="range")):
            pass
        case nodes.Call(node=nodes.Getattr(node=nodes.Name(name="loop"), attr="cycle")):
            pass
        case nodes.Call(node=nodes.Getattr(attr=name)) if name in METHODS:
            pass
        case nodes.Call(node=nodes.Name(name=name) | nodes.Getattr(attr=name)):
            yield Fault(node.lineno, "function", name, ("range", *METHODS))
        case nodes.Call():
            yield Fault(node.lineno, "function", "call")
        case nodes.For(recursive=True):
            yield Fault(node.lineno, "tag", "for … recursive", TAGS)
        case _ if type(node) in _FORBIDDEN:
            yield Fault(node.lineno, "tag", _FORBIDDEN[type(node)], TAGS)
        case _:
            pass
