"""Format, to give a text its one layout, without changing what it means.

It works on words, not on nodes, so that comments and blank lines survive. First the words are cut into lines: widths
are measured with single spaces, as if nothing were aligned. Then lines are aligned with their neighbours, and no word
moves to another line any more. So a text that has its layout keeps it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field

from smoadsl.classes import dataclass
from smoadsl.diagnostics.diagnostic import Outcome
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import layout, problems
from smoadsl.language.brackets import CLOSING, OPENING
from smoadsl.language.layout import Bracket, Gap, Kind, Word
from smoadsl.language.parse import MOST_CHARACTERS, parse

MOST_COLUMNS = 120
_INDENT = "  "
# One long line must not push its neighbours far to the right, nor make a file of a thousand lines a million columns
_MOST_ALIGNED = 40  # columns before what is aligned with the neighbours
_MOST_BESIDE_COMMENTS = 80  # columns of code beside comments that are aligned
_FAR = 4  # a comment further than this from its code was put into a column on purpose


@dataclass(slots=True)
class _Line:
    indent: int
    text: str = ""
    blank: bool = False  # whether a blank line stands above it
    start: int = -1  # where its first word was in the source
    after: Gap = field(default_factory=Gap)  # what the author left behind its last word
    is_comment: bool = False
    block: Bracket | None = None  # of a line that begins something: what that stands in
    kind: str = ""  # the kind of word it begins with
    stop: int = 0  # where spaces are put in to align it with its neighbours
    whole: bool = False  # whether what it begins ends on it too


@dataclass(slots=True)
class _Open:
    """A bracket that is being written, on several lines if it is `broken`."""

    bracket: Bracket
    broken: bool
    indent: int  # of the line on which it was opened
    inner: int  # of what it holds
    begun: _Line | None = None  # the line that begins the current statement, setting or item
    count: int = 0  # the words of that so far, without what is in brackets


def format(source: Source) -> Outcome[str]:
    """The text in its layout; nothing but diagnostics when there is something in it that can not be read."""
    parsed = Outcome(True, parse(source).diagnostics)
    if not parsed.ok:
        return Outcome(None, parsed.diagnostics)
    lines = _Writer(layout.read(re.sub(r"\r\n?", "\n", source.text))).lines()
    _set_items_apart(lines)
    _align(lines)
    text = "".join(f"{line}\n" for line in _with_comments(lines))
    if len(text) > MOST_CHARACTERS:
        return Outcome(None, (problems.too_large(Span(source, 0, 1), len(text), MOST_CHARACTERS),))
    return Outcome(text)


class _Writer:
    """Cuts words into lines."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self._brackets = layout.brackets(words)
        self._ends = layout.ends(words)
        self._open = [_Open(self._brackets[0], True, 0, 0)]
        self._line = _Line(0)
        self._lines: list[_Line] = []

    def lines(self) -> list[_Line]:
        self._after(0)
        for index in range(1, len(self._words)):
            self._write(index)
            self._after(index)
        return self._lines

    def _following(self, index: int) -> str:
        return self._words[index + 1].kind if index + 1 < len(self._words) else ""

    def _write(self, index: int) -> None:
        word, line = self._words[index], self._line
        if word.kind in CLOSING:
            self._open.pop()
        top = self._open[-1]
        if word.kind == "COMMA" and top.bracket.kind in layout.SEPARATED:
            last = self._following(index) in CLOSING
            if (last and not top.broken) or (top.broken and top.bracket.kind is Kind.SETTINGS):
                return
        begins = not line.text
        line.text += " " * (not begins and layout.spaced(self._words[index - 1], word)) + word.text
        if begins:
            line.start = word.start
        if word.kind in OPENING:
            broken = top.broken and not self._fits_closed(index)
            top.count += 1
            bracket = self._brackets[index]
            indent = top.inner if bracket.kind in layout.HOLDS_STATEMENTS else line.indent
            self._open.append(_Open(bracket, broken, indent, indent + 1))
        elif word.kind not in CLOSING:
            self._mark(index, top)

    def _fits_closed(self, index: int) -> bool:
        """Whether a bracket stays on one line. The block of a declaration is measured without what stands before it:
        that can not be shortened, and neighbours should not look different because one has a longer name."""
        bracket = self._brackets[index]
        width = self._ends[bracket.close] - self._ends[index] + 1
        if bracket.broken:
            return False
        if self._open[-1].bracket.kind is Kind.FILE and self._words[index].kind == "LBRACE":
            column = 0
        else:
            column = len(_INDENT) * self._line.indent + len(self._line.text) - 1
            width += self._ends[self._stays_with(bracket.close)] - self._ends[bracket.close]
        if column + width <= MOST_COLUMNS:
            return True
        closer, opener = self._words[bracket.close], self._words[index]
        last = closer.ends or self._following(bracket.close) in CLOSING
        if last and closer.after.comment:  # it was beside the line's beginning, and stays there
            opener.after.comment, closer.after.comment = closer.after.comment, []
        return False

    def _stays_with(self, index: int) -> int:
        """The last word that has to be on the same line as a word."""
        while True:
            word = self._words[index]
            if word.kind in ("LBRACE", "LSQB", *layout.LINE_GOES_ON_AFTER):
                return index
            if word.kind == "LPAR":
                index = self._brackets[index].close
            if self._words[index].ends or self._following(index) in CLOSING:
                return index
            index += 1

    def _mark(self, index: int, top: _Open) -> None:
        """Note what the line will be aligned by."""
        word, line, kind = self._words[index], self._line, top.bracket.kind
        if top.broken and top.begun is None:
            top.begun, line.block, line.kind = line, top.bracket, "" if kind is Kind.SETTINGS else word.kind
            if kind is Kind.LAYER:
                line.text += " " * (top.bracket.keyword - len(word.text))
        elif top.begun is line and not line.stop:
            if word.kind == "EQUAL" and (kind is not Kind.LAYER or top.count == 2):  # a layer's: `propose NAME =`
                line.stop = len(line.text) - len(" =")
            elif line.kind == "REPLY" and kind is Kind.TEST and "DOT" not in (word.kind, self._following(index)):
                line.stop = len(line.text)
        top.count += 1

    def _after(self, index: int) -> None:
        """End the line where it ends."""
        word, top = self._words[index], self._open[-1]
        following, kind = self._following(index), top.bracket.kind
        if not top.broken:
            return
        if following in CLOSING:
            if kind in (Kind.LIST, Kind.CALL) and word.kind not in ("COMMA", *OPENING):
                self._line.text += ","
            self._end_line(word.after, top.inner, top.indent)
            self._line.blank = False
        elif (
            word.ends
            or (word.kind == "COMMA" and kind in layout.SEPARATED)
            or word.kind in OPENING
            or index == 0
            or (kind is Kind.CONDITION and word.kind == top.bracket.operator)
        ):
            self._end_line(word.after, top.inner, top.inner)
        elif self._goes_on_below(index, top):
            further = 2 if kind is Kind.PIPELINE else 1  # what a layer holds stands one further in than the layer
            self._end_line(word.after, top.inner + further, top.inner + further, inside=True)

    def _goes_on_below(self, index: int, top: _Open) -> bool:
        """Whether the line ends in the middle of a statement."""
        word = self._words[index]
        if word.after.comment or word.after.own:
            return True
        if word.kind not in layout.LINE_GOES_ON_AFTER:
            return False
        column = len(_INDENT) * self._line.indent + len(self._line.text)
        too_wide = column + self._ends[self._stays_with(index + 1)] - self._ends[index] > MOST_COLUMNS
        return too_wide or (word.after.broken and top.bracket.kind is not Kind.CONDITION)

    def _end_line(self, gap: Gap, comments: int, indent: int, *, inside: bool = False) -> None:
        top, line = self._open[-1], self._line
        if not inside:
            line.whole = top.begun is line and "\n" not in line.text
            top.begun, top.count = None, 0
        line.after = gap
        if line.text:
            self._lines.append(line)
        first = not line.text or line.text[-1] in "([{"
        for blank, text in gap.own:
            blank = blank and not first and not inside
            self._lines.append(_Line(comments, text, blank, is_comment=True))
            first = False
        self._line = _Line(indent, blank=gap.blank and not first and not inside)


def _set_items_apart(lines: Sequence[_Line]) -> None:
    """One blank line between items; those of one kind that take a line each may stand together."""
    before: _Line | None = None
    end = 0  # the line after the item before
    for number, line in enumerate(lines):
        if line.block is not None and line.block.kind is Kind.FILE:
            together = before is not None and before.whole and line.whole and before.kind == line.kind
            if before is not None and not together and not any(one.blank for one in lines[end : number + 1]):
                lines[end].blank = True
            before = line
        if not line.is_comment:
            end = number + 1


def _align(lines: Sequence[_Line]) -> None:
    """The `=` of neighbours, and what the replies of a test are."""
    for run in _runs(lines):
        _pad(run)
    tests: dict[Bracket | None, list[_Line]] = {}
    for line in lines:
        if line.kind == "REPLY" and 0 < line.stop <= _MOST_ALIGNED:
            tests.setdefault(line.block, []).append(line)
    for replies in tests.values():
        _pad(replies)
        if all(line.text.startswith("reply * ") for line in replies):
            for line in replies:
                line.text = line.text.replace(" * ", "  *  ", 1)  # under the text of the prompt


def _pad(lines: Sequence[_Line]) -> None:
    column = max(line.stop for line in lines)
    for line in lines:
        line.text = line.text[: line.stop] + " " * (column - line.stop) + line.text[line.stop :]


def _runs(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    """The lines whose `=` are aligned: neighbours of one kind. Comments between them do no harm."""
    run: list[_Line] = []
    for line in lines:
        fits = line.whole and line.kind != "REPLY" and 0 < line.stop <= _MOST_ALIGNED
        neighbours = fits and run and run[-1].block is line.block and run[-1].kind == line.kind
        if run and (line.blank or not (neighbours or line.is_comment)):
            yield run
            run = []
        if fits:
            run.append(line)
    if run:
        yield run


def _with_comments(lines: Iterable[_Line]) -> Iterator[str]:
    """The lines as text, comments of neighbouring lines under each other."""
    run: list[_Line] = []
    for line in lines:
        if run and not (_alignable(line) and _alignable(run[-1]) and line.indent == run[-1].indent and not line.blank):
            yield from _beside(run)
            run = []
        run.append(line)
    yield from _beside(run)


def _alignable(line: _Line) -> bool:
    return bool(line.after.comment) and len(line.text) <= _MOST_BESIDE_COMMENTS and "\n" not in line.text


def _beside(run: Sequence[_Line]) -> Iterator[str]:
    """Comments stand two columns behind the widest line, or where the author put one of them, if that is further."""
    widths = [len(line.text.rpartition("\n")[2]) for line in run]
    column = max(widths, default=0) + 2
    columns = [
        line.after.column
        for line, width in zip(run, widths, strict=True)
        if line.after.line_start == line.start and width + _FAR < line.after.column <= MOST_COLUMNS
    ]
    column = max(column, min(columns, default=0))
    for line, width in zip(run, widths, strict=True):
        if line.blank:
            yield ""
        indent = _INDENT * line.indent
        comments = line.after.comment
        yield indent + line.text + (" " * (column - width) + comments[0] if comments else "")
        hanging = " " * column + ("" if "\n" in line.text else indent)
        yield from (hanging + comment for comment in comments[1:])
