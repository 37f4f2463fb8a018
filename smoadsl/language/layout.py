"""Layout, to see how an author laid a text out: the comments and blank lines between words, and what brackets hold."""

import re
from collections.abc import Sequence
from dataclasses import field
from enum import Enum, auto
from itertools import pairwise

from smoadsl.classes import dataclass
from smoadsl.language.brackets import CLOSING, OPENING
from smoadsl.language.tokens import LineEnds, words

LINE_GOES_ON_AFTER = ("COMMA", "AND", "OR")  # where a line may end in the middle of a statement
_BETWEEN = re.compile(r"#[^\n]*|\n")  # what counts of the text between two words


@dataclass(slots=True)
class Gap:
    """What the author left between a word and the next."""

    comment: list[str] = field(default_factory=list)  # after the word, and what goes on under it in the same column
    line_start: int = -1  # the place of the first word of the comment's line
    column: int = -1  # the comment's, counted from there; -1 where it is not known
    own: list[tuple[bool, str]] = field(default_factory=list)  # comments on their own lines; a blank line above?
    blank: bool = False  # whether there is a blank line above the next word
    broken: bool = False  # whether the next word begins a line

    def then(self, other: "Gap") -> "Gap":
        """Both as one, when the word between them is written before them."""
        if not (self.comment or self.own):
            return other
        own = [*self.own, *((False, line) for line in other.comment), *other.own]
        return Gap(self.comment, -1, -1, own, other.blank, self.broken or other.broken)


@dataclass(slots=True)
class Word:
    kind: str
    text: str
    start: int
    ends: bool = False  # whether a line end that counts follows: the end of a statement
    after: Gap = field(default_factory=Gap)


class Kind(Enum):
    """What an opening bracket holds."""

    FILE = auto()
    PIPELINE = auto()
    LAYER = auto()
    TEST = auto()
    SETTINGS = auto()
    LIST = auto()
    CALL = auto()
    CONDITION = auto()


SEPARATED = (Kind.SETTINGS, Kind.LIST, Kind.CALL)  # their commas separate, so a line may end after each
_FREE = (Kind.LIST, Kind.CALL, Kind.CONDITION)  # line ends inside mean nothing, but for the one after the bracket
HOLDS_STATEMENTS = (Kind.PIPELINE, Kind.LAYER, Kind.TEST)
_STATEMENT_BLOCKS = {
    (Kind.FILE, "PIPELINE"): Kind.PIPELINE,
    (Kind.FILE, "TEST"): Kind.TEST,
    (Kind.PIPELINE, "LAYER"): Kind.LAYER,
}


@dataclass(slots=True, eq=False)
class Bracket:
    kind: Kind
    close: int = 0
    broken: bool = False  # whether the author, or a comment inside, wants it on several lines
    tall: bool = False  # whether it holds a text block of several lines
    operator: str = ""  # the one that binds a condition least: lines end after it
    first: str = ""  # the kind of word that the current statement begins with
    keyword: int = 0  # the length of the longest of these words


def read(text: str) -> list[Word]:
    """The words of a text whose lines end in LF, with what stands between them. The first is the empty beginning."""
    found = [Word("START", "", 0)]
    begin, line_start = 0, -1  # where the last word ends, and where the first of its line starts
    for token in LineEnds().process(words(text)):
        if token.type == "_NL":
            found[-1].ends = True
            continue
        start, end = token.start_pos or 0, token.end_pos or 0
        found[-1].after = _gap(text, begin, start, line_start)
        if found[-1].after.broken or begin == 0:
            line_start = start
        if "\n" in token:
            line_start = -1
        found.append(Word(token.type, str(token), start))
        begin = end
    found[-1].after = _gap(text, begin, len(text), line_start)
    found[-1].ends = True
    for word, following in pairwise(found):
        if following.kind in LINE_GOES_ON_AFTER and (word.after.comment or word.after.own):
            word.after, following.after = Gap(), word.after.then(following.after)
    return found


def _gap(text: str, begin: int, end: int, line_start: int) -> Gap:
    gap = Gap()
    ends = below = 0  # line ends since the last comment; the column in which the comment after the word may go on
    for piece in _BETWEEN.finditer(text, begin, end):
        if piece.group() == "\n":
            ends += 1
            gap.broken = True
            continue
        comment, at = piece.group().rstrip(), piece.start()
        before = text[text.rfind("\n", 0, at) + 1 : at]
        if not gap.broken and begin:
            gap.comment = [comment]
            below = len(before) * ("\t" not in before)
            if line_start >= 0 and "\t" not in text[line_start:at]:
                gap.line_start, gap.column = line_start, at - line_start
        elif below and before == " " * below and ends == 1 and not gap.own:
            gap.comment.append(comment)
        else:
            gap.own.append((ends > 1, comment))
        ends = 0
    gap.blank = ends > 1
    return gap


def brackets(found: Sequence[Word]) -> dict[int, Bracket]:
    """What is known of each opening bracket before anything is laid out, by the number of its word."""
    file = Bracket(Kind.FILE)
    stack, known = [file], {0: file}
    for index, word in enumerate(found[1:], 1):
        following = found[index + 1].kind if index + 1 < len(found) else ""
        if word.kind in CLOSING:
            closed = stack.pop()
            closed.close = index
            closed.broken |= closed.tall and closed.kind not in (Kind.CALL, Kind.CONDITION)
            stack[-1].broken |= closed.broken
            stack[-1].tall |= closed.tall
        top = stack[-1]
        if not top.first:
            top.first, top.keyword = word.kind, max(top.keyword, len(word.text))
        if word.kind in OPENING:
            top = Bracket(_kind(top, word, found[index - 1]))
            stack.append(top)
            known[index] = top
        if word.after.comment or word.after.own:
            top.broken = True
        elif word.after.broken and not (word.kind in OPENING and following in CLOSING):
            top.broken |= word.kind in OPENING or top.kind not in _FREE
        top.tall |= "\n" in word.text
        if word.kind in ("AND", "OR"):
            top.operator = max(top.operator, word.kind)
        if word.ends:
            top.first = ""
    return known


def _kind(around: Bracket, word: Word, before: Word) -> Kind:
    if word.kind == "LSQB":
        return Kind.LIST
    if word.kind == "LPAR":
        return Kind.CALL if before.kind == "NAME" else Kind.CONDITION
    return _STATEMENT_BLOCKS.get((around.kind, around.first), Kind.SETTINGS)


def spaced(before: Word, word: Word) -> bool:
    """Whether a space stands between two words of one line."""
    if before.kind in ("START", "LPAR", "LSQB", "DOT") or word.kind in ("RPAR", "RSQB", "COMMA"):
        return False
    if word.kind == "DOT":
        return before.kind == "INT"  # `a.1.b` would be read as a number
    if word.kind == "LPAR":
        return before.kind != "NAME"
    return not (before.kind == "LBRACE" and word.kind == "RBRACE")


def ends(found: Sequence[Word]) -> list[int]:
    """Where each word would end if all stood on one line, without the commas that nothing follows in their bracket."""
    places = [0]
    for index, (before, word) in enumerate(pairwise(found), 2):
        dropped = word.kind == "COMMA" and index < len(found) and found[index].kind in CLOSING
        width = 0 if dropped else len(word.text.rpartition("\n")[2])
        places.append(places[-1] + spaced(before, word) + width)
    return places
