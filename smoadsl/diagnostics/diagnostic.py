"""Diagnostic, to tell an author one thing: what is wrong, where, and how to mend it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Generic, TypeVar

from smoadsl.classes import dataclass
from smoadsl.diagnostics.source import Span

T = TypeVar("T", covariant=True)


class Severity(StrEnum):
    ERROR = "error"
    ADVICE = "advice"  # never changes the exit code


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that explains the problem, such as where a name was declared first."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. `code` is stable; `message` says what is wrong, `help` how to mend it."""

    code: str
    severity: Severity
    message: str
    span: Span
    help: str = ""
    related: tuple[Related, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """A value, if one could be made, and everything worth saying about it."""

    value: T | None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def ok(self) -> bool:
        return self.value is not None and not any(d.severity is Severity.ERROR for d in self.diagnostics)


def in_order(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The diagnostics as a reader meets them: by file in order of mention, then by place; duplicates once."""
    files = {source: number for number, source in enumerate(dict.fromkeys(d.span.source for d in diagnostics))}
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda d: (files[d.span.source], d.span.start, d.span.end, d.code)))
