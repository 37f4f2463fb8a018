"""Report, to hold what was said of each file, and what every renderer asks of it."""

import os
from collections.abc import Iterable, Sequence

from smoadsl.classes import dataclass
from smoadsl.diagnostics.diagnostic import Diagnostic, Severity

MOST_REPORTED = 1_000  # diagnostics in one document: enough for any reader, and no hostile file fills a disk


@dataclass(frozen=True, slots=True)
class Report:
    """All that was said of one file. `unread` says why it could not be read at all: then there is nothing else."""

    file: str
    diagnostics: tuple[Diagnostic, ...] = ()
    unread: str = ""

    @property
    def errors(self) -> int:
        return sum(one.severity is Severity.ERROR for one in self.diagnostics)

    @property
    def advice(self) -> int:
        return len(self.diagnostics) - self.errors


def told_once(reports: Iterable[Report]) -> tuple[Diagnostic, ...]:
    """The diagnostics of all reports; what two files say of one that both import, once."""
    unique = {_identity(one): one for report in reports for one in report.diagnostics}
    return tuple(unique.values())


def _identity(one: Diagnostic) -> tuple[str, str, int, int, str]:
    return one.span.source.name, one.code, one.span.start, one.span.end, one.message


def left_out(diagnostics: Sequence[Diagnostic]) -> int:
    """How many diagnostics a document leaves out."""
    return max(0, len(diagnostics) - MOST_REPORTED)


@dataclass(frozen=True, slots=True)
class Paths:
    """How files are named to a system that knows the repository alone: `root` is the repository's folder, `here` the
    one that the names of sources are relative to. Both are absolute."""

    root: str
    here: str

    def inside(self, name: str) -> str | None:
        """The path from the root, with `/`. None outside of it, and for what was typed (`--set k`, `<stdin>`)."""
        whole = self.absolute(name)
        if whole is None or not whole.startswith(os.path.join(self.root, "")):
            return None
        return os.path.relpath(whole, self.root).replace(os.sep, "/")

    def absolute(self, name: str) -> str | None:
        """The whole path. None for what was typed."""
        return None if name.startswith(("--", "<")) else os.path.normpath(os.path.join(self.here, name))
