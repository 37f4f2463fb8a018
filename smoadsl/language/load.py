"""Load, to bring together the files that one file imports, each once, through a reader that is passed in."""

from collections import deque
from os.path import normpath
from typing import Protocol

from smoadsl.classes import dataclass
from smoadsl.diagnostics.diagnostic import Diagnostic, Outcome, Severity
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import nodes, problems
from smoadsl.language.parse import parse

MOST_FILES = 1_000
MOST_CHARACTERS_IN_ALL = 10_000_000


class Refused(Exception):
    """A file that can not or may not be read; the message says why, in words that follow the path, and `help` how to
    mend it, where more is known than what paths are."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


class Absent(Refused):
    """A file that is not there."""


class Reader(Protocol):
    def read(self, path: str, beside: Source) -> Source:
        """The file at a path that is relative to the file in which it stands. Raises `Refused`, and `Absent` where
        there is none."""
        ...


class NoFiles:
    """The reader of a text that stands alone."""

    def read(self, path: str, beside: Source) -> Source:
        raise Absent("can not be read: this text has no files beside it")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file set: the file that was asked for first, then what it imports, in the order in which it is met."""

    source: Source
    files: tuple[nodes.File, ...]
    reader: Reader
    whole: bool  # whether all of it could be read
    missing: bool  # whether a file that is imported could not: what seems to be undeclared may be in it


def load(source: Source, reader: Reader | None = None) -> Outcome[Loaded]:
    """Parse a file and all that it imports. A file that can not be read, and a cycle of imports, are diagnostics."""
    reader = reader or NoFiles()
    said: list[Diagnostic] = []
    missing = False
    files = {normpath(source.name): _parse(source, said)}
    chain = list(files)  # the imports that lead to the file being read
    size = len(source.text)
    waiting = [_imports(files[chain[0]])]  # for each of them, what it still has to import
    while waiting:
        if not waiting[-1]:
            waiting.pop()
            chain.pop()
            continue
        item = waiting[-1].popleft()
        found = _read(item.path, reader, said)
        if found is None:
            missing = True
            continue
        if found.name in chain:
            said.append(problems.import_cycle(item.path.span, [*chain[chain.index(found.name) :], found.name]))
        elif found.name not in files:
            size += len(found.text)
            if len(files) >= MOST_FILES or size > MOST_CHARACTERS_IN_ALL:
                why = f"is one too many: {MOST_FILES:,} files and {MOST_CHARACTERS_IN_ALL:,} characters are the most"
                said.append(problems.import_refused(item.path.span, item.path.value, why))
                missing = True
                break
            files[found.name] = _parse(found, said)
            chain.append(found.name)
            waiting.append(_imports(files[found.name]))
    whole = not any(problem.severity is Severity.ERROR for problem in said)
    return Outcome(Loaded(source, tuple(files.values()), reader, whole, missing), tuple(said))


def _parse(source: Source, said: list[Diagnostic]) -> nodes.File:
    parsed = parse(source)
    said.extend(parsed.diagnostics)
    return parsed.value or nodes.File(())


def _imports(file: nodes.File) -> deque[nodes.Import]:
    return deque(item for item in file.items if isinstance(item, nodes.Import))


def _read(path: nodes.Text, reader: Reader, said: list[Diagnostic]) -> Source | None:
    try:
        return reader.read(path.value, path.span.source)
    except Refused as why:
        said.append(problems.import_refused(path.span, path.value, str(why), why.help))
        return None


def read_beside(call: nodes.Call, reader: Reader, said: list[Diagnostic]) -> Source | None:
    """The file that `file("path")` names."""
    if len(call.args) != 1 or not isinstance(call.args[0], nodes.Text):
        said.append(problems.wrong_arguments(call.span, "file", "a path as a text"))
        return None
    return _read(call.args[0], reader, said)


def whole(source: Source) -> Span:
    return Span(source, 0, len(source.text))
