"""Resolve, to collect the names of a file set and find what a reference means."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import TypeVar

from smoadsl.classes import dataclass
from smoadsl.diagnostics.diagnostic import Diagnostic, Related, Severity, in_order
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import nodes, problems
from smoadsl.language.syntax_problems import KEYWORDS

KINDS: dict[type, str] = {
    nodes.Provider: "provider",
    nodes.Model: "model",
    nodes.Role: "role",
    nodes.Roles: "list of roles",
    nodes.Template: "template",
    nodes.Param: "param",
    nodes.Pipeline: "pipeline",
}
MOST_HELPED = 100  # no more problems than this are shown at a time, and guesses are slow
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
    misfits: set[tuple[str, str]] = field(default_factory=set)  # params told to be no such value as is due
    _unknown: dict[str, list[Diagnostic]] = field(default_factory=dict)  # what was said of names that nothing declares
    _set_at: dict[Span, Span] = field(default_factory=dict)  # by where a param stands: where its value was set
    left_out: dict[Source, tuple[nodes.Unread, ...]] = field(default_factory=dict)  # in order of place

    def collect(self, files: Iterable[nodes.File]) -> None:
        for file in files:
            self.broken |= file.broken
            if file.unread:
                self.left_out[file.unread[0].span.source] = file.unread
            for item in file.items:
                if isinstance(item, nodes.Import | nodes.Test):
                    continue
                first = self.declared.setdefault(item.name.text, item)
                if first is not item:
                    self.said.append(problems.declared_twice(item.name.span, item.name.text, first.name.span))

    def unread(self, name: str) -> bool:
        """Whether a name may be declared in what could not be read, so that nothing is said of it."""
        return self.missing or name in self.broken or "" in self.broken

    def lost(self, node: nodes.Node, word: str | None = None, parts: Sequence[nodes.Node] = ()) -> bool:
        """Whether something in a node could not be read, and may be a statement or setting that begins with this word.
        What is left out of its `parts` (in order of place) is not its own."""
        left_out = self.left_out.get(node.span.source, ())
        at = bisect_left(left_out, node.span.start, key=lambda one: one.span.start)
        waiting = iter(parts)
        part = next(waiting, None)
        for one in (left_out[index] for index in range(max(0, at - 1), len(left_out))):
            if one.span.start >= node.span.end:
                break
            if one.span.end <= node.span.start:
                continue
            while part is not None and part.span.end <= one.span.start:
                part = next(waiting, None)
            inside = part is not None and part.span.start < one.span.start
            if not inside and (word in (None, one.word) or one.word not in KEYWORDS):
                return True
        return False

    def of_kind(self, kind: type[D]) -> list[str]:
        return [name for name, item in self.declared.items() if isinstance(item, kind)]

    @property
    def helps(self) -> bool:
        """Whether so little was said so far that it is worth the time to guess what was meant."""
        return len(self.said) < MOST_HELPED

    def value(self, node: nodes.Value) -> nodes.Value:
        """The node, or what the param that it names stands for (also where it was set on the command line)."""
        if isinstance(node, nodes.Ref):
            param = self.declared.get(node.name)
            if isinstance(param, nodes.Param):
                self.used.add(node.name)
                if node.name in self.params:
                    self._set_at[node.span] = self.params[node.name].span
                return self.params.get(node.name, param.value)
        return node

    def where_set(self, node: nodes.Value) -> Span | None:
        """Where a value is set on the command line, if it is that of a param which is."""
        self.value(node)
        return self._set_at.get(node.span)

    def find(
        self, name: str, span: Span, kinds: tuple[type[D], ...], what: str, written: Span | None = None
    ) -> D | None:
        """The declaration of one of the kinds that the name means at a place; what stands in the way is said. `written`
        is where the name itself stands, if that is in the value of a param."""
        item = self.declared.get(name)
        if isinstance(item, kinds):
            self.used.add(name)
            return item
        if item is None and self.unread(name):
            return None
        known = [one for one, declared in self.declared.items() if isinstance(declared, kinds)] if self.helps else []
        if nodes.Model in kinds and not any(isinstance(self.declared[one], nodes.Model) for one in known):
            known = []  # pipelines alone are not what one looks for
        if item is not None:
            self.used.add(name)
            self.said.append(problems.wrong_kind(span, name, KINDS[type(item)], what, known, item.name.span))
        else:
            self.say_unknown(name, problems.unknown_name(written or span, name, what, known))
        return None

    def say_unknown(self, name: str, problem: Diagnostic) -> None:
        """Say of a name, at one of its uses, that nothing declares it."""
        self.said.append(problem)
        self._unknown.setdefault(name, []).append(problem)

    def all_said(self) -> tuple[Diagnostic, ...]:
        """What was said, in order of place; of each name that nothing declares, once."""
        more: dict[Diagnostic, int] = {}
        left_out: set[Diagnostic] = set()
        for told in self._unknown.values():
            first, *others = in_order(told)  # each once
            more[first] = len(others)
            left_out.update(others)
        said = [one for one in self.said if one not in left_out]
        said = [problems.in_more_places(one, more[one]) if more.get(one) else one for one in said]
        return in_order([*_once(self._at_what_was_set(one) for one in said)])

    def _at_what_was_set(self, told: Diagnostic) -> Diagnostic:
        """An error that a value from the command line makes, told there. What is wrong with the param's type, which no
        such value changes, stays where it is: it names the value as another place."""
        at = self._set_at.get(told.span)
        if at is None or told.severity is not Severity.ERROR or any(other.span == at for other in told.related):
            return told
        return replace(told, span=at, related=(Related("used here", told.span), *told.related))


def _once(said: Iterable[Diagnostic]) -> Iterable[Diagnostic]:
    """What is told of a value that was set, at the first of the places that say the same of it."""
    first: dict[tuple[str, str, Span], Diagnostic] = {}
    for one in said:
        first.setdefault((one.code, one.message, one.span), one)
    return first.values()
