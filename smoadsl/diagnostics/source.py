"""Source, to hold a text and turn character offsets into places that a person can find."""

import re
from bisect import bisect_right
from dataclasses import field
from functools import cached_property

from smoadsl.classes import dataclass

_LINE_END = re.compile(r"\r\n|\n|\r")  # what editors count; `str.splitlines` would also split at U+2028 and others
ARGUMENT = "<argument>"  # the name of a source that was typed: `FILE:NAME`


@dataclass(frozen=True, eq=False)
class Source:
    """A text and the name under which it is shown: a path as the user gave it, or `<text>`."""

    name: str
    text: str

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(end.end() for end in _LINE_END.finditer(self.text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of a character offset, both counted from 1 as editors do."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def place_utf16(self, offset: int) -> tuple[int, int]:
        """As `place`, with the column in UTF-16 code units: what SARIF and language servers count."""
        line, column = self.place(offset)
        if self.text.isascii():
            return line, column
        before = self.text[offset - column + 1 : offset]
        return line, len(before.encode("utf-16-le", "surrogatepass")) // 2 + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        starts = self._line_starts
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters in one source. Lines and columns are computed only where something is shown."""

    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def origin(self) -> str:
        """`file:line`, as the plan and the events carry it: what of the name no encoding has is escaped."""
        name = self.source.name.encode("utf-8", "backslashreplace").decode()
        return f"{name}:{self.source.place(self.start)[0]}"
