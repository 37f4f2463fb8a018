"""Resolve, to collect the names of a file set and find what a reference means."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.diagnostics.source import Span
from smoadsl.language import nodes, problems

KINDS: dict[type, str] = {
    nodes.Provider: "provider",
    nodes.Model: "model",
    nodes.Role: "role",
    nodes.Roles: "list of roles",
    nodes.Template: "template",
    nodes.Param: "param",
    nodes.Pipeline: "pipeline",
}
D = TypeVar("D", bound=nodes.Declaration)


@dataclass
class Names:
    """All declarations by name, where diagnostics are said, and which names are too broken to ask about."""

    said: list[Diagnostic] = field(default_factory=list)
    declared: dict[str, nodes.Declaration] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    missing: bool = False  # whether a file that is imported could not be read: it may declare anything
    used: set[str] = field(default_factory=set)
    params: Mapping[str, nodes.Value] = field(default_factory=dict)

    def collect(self, files: Iterable[nodes.File]) -> None:
        for file in files:
            self.broken |= file.broken
            for item in file.items:
                if isinstance(item, nodes.Import | nodes.Test):
                    continue
                first = self.declared.setdefault(item.name.text, item)
                if first is not item:
                    self.said.append(problems.declared_twice(item.name.span, item.name.text, first.name.span))

    def unread(self, name: str) -> bool:
        """Whether a name may be declared in what could not be read, so that nothing is said of it."""
        return self.missing or name in self.broken

    def of_kind(self, kind: type[D]) -> list[str]:
        return [name for name, item in self.declared.items() if isinstance(item, kind)]

    def value(self, node: nodes.Value) -> nodes.Value:
        """The node, or what the param that it names stands for (also where it was set on the command line)."""
        if isinstance(node, nodes.Ref):
            param = self.declared.get(node.name)
            if isinstance(param, nodes.Param):
                self.used.add(node.name)
                return self.params.get(node.name, param.value)
        return node

    def find(self, name: str, span: Span, kinds: tuple[type[D], ...], what: str) -> D | None:
        """The declaration of one of the kinds that the name means; what stands in the way is said."""
        item = self.declared.get(name)
        if isinstance(item, kinds):
            self.used.add(name)
            return item
        if item is not None:
            self.used.add(name)
            self.said.append(problems.wrong_kind(span, name, KINDS[type(item)], what, item.name.span))
        elif not self.unread(name):
            known = [other for other, declared in self.declared.items() if isinstance(declared, kinds)]
            self.said.append(problems.unknown_name(span, name, what, known))
        return None
