"""Misread, to tell each word that can not be read once, and put in its place what lets the rest be read."""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator

from lark import Token

from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import syntax_problems as problems
from smoadsl.language.tokens import UNREADABLE
from smoadsl.language.unclosed import Unclosed, unclosed

_NUMBERS = ("INT", "FLOAT", "DURATION", "MONEY", "RATE")
_MOST_DIGITS = 30
_GOES_ON = re.compile(r"%|/[A-Za-z]\w*")
_TRIPLE = re.compile(r"'''([\s\S]*?)('''|\Z)")
_VARIABLE = re.compile(r"\$(?:\{[A-Za-z_]\w*\}|[A-Za-z_]\w*)")
_CURLY = re.compile(r"[‘’“”„‚][^\r\n‘’“”]*[‘’“”]?")
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]+")  # what follows is shown elsewhere than it stands
_COMMENT = re.compile(r"/\*[\s\S]*?(?:\*/|\Z)|//[^\r\n]*")


class Misread:
    """Reads tokens through, into which `text` is to be cut. `lines` are those of which something was said: a further
    complaint that a line does not fit together would only repeat it."""

    def __init__(self, source: Source, said: list[Diagnostic]) -> None:
        self.lines: set[int] = set()
        self.open_to_the_end = False
        self.open_texts: list[Span] = []  # what they hold may be more or less than was meant
        self._turns = deque(Span(source, *turn.span()) for turn in _TURNS.finditer(source.text))
        self._source = source
        self._said = said
        self._skip_to = 0  # what stands before this place is told and done with
        self._before = ""  # what kind of word came last
        self._first = ""  # the word with which the line begins
        self.text = source.text
        if forgotten := unclosed(source.text):
            self._tell_unclosed(forgotten)

    def readable(self, tokens: Iterable[Token]) -> Iterator[Token]:
        for token in tokens:
            if (token.start_pos or 0) < self._skip_to:
                continue
            if token.type in _NUMBERS:
                token = self._number(token)
            if self._turns:
                self._tell_turns(token.start_pos or 0, token.end_pos or 0, token.type != "UNKNOWN")
            if token.type in UNREADABLE:
                yield from self._unreadable(token)
            else:
                yield token
            if self._before in ("", "_NL", "LBRACE"):
                self._first = str(token)
            self._before = token.type
        end = len(self._source.text)
        self._tell_turns(end, end, True)

    def _tell_unclosed(self, block: Unclosed) -> None:
        self.text = block.left_out(self.text)
        self.open_to_the_end = True
        self.open_texts.append(Span(self._source, block.start, block.end))
        opening = Span(self._source, block.start, block.start + 3)
        read_as_end = Span(self._source, block.read_as_end, block.read_as_end + 3)
        self._said.append(problems.unterminated(opening, True, read_as_end))
        self.lines.add(self._source.place(block.start)[0])

    def _number(self, token: Token) -> Token:
        """A number as it is, or as a bad one: too long, a percentage, or a rate in a time that none is counted in."""
        if further := _GOES_ON.match(self._source.text, token.end_pos or 0):
            self._skip_to = further.end()
            token = token.update(type="BAD_NUMBER", value=token + further.group())
            token.end_pos = further.end()
        return token.update(type="BAD_NUMBER") if len(token) > _MOST_DIGITS else token

    def _tell_turns(self, begin: int, end: int, is_word: bool) -> None:
        """Those before a token stand in a comment, those inside it in a text; where it is no word, it is told too."""
        while self._turns and self._turns[0].start < end:
            span = self._turns.popleft()
            if span.start < begin or is_word:
                self._said.append(problems.turns_reading(span, in_text=span.start >= begin))

    def _unreadable(self, token: Token) -> Iterator[Token]:
        span = Span(self._source, token.start_pos or 0, token.end_pos or 0)
        match token.type:
            case "UNKNOWN":
                yield from self._unknown(token, span)
            case "SINGLE_QUOTED":
                yield self._quoted(token, span)
            case "BAD_NUMBER":
                self._say(token, problems.bad_number(span, self._before))
                yield token  # nothing takes it, so its statement is left out
            case _:
                self.open_to_the_end |= token.type == "OPEN_TEXT"
                first_line = span.start + len(re.split(r"[\r\n]", token, maxsplit=1)[0])
                shown = Span(self._source, span.start, first_line)
                self.open_texts.append(span)
                self._say(token, problems.unterminated(shown, token.type == "OPEN_TEXT"))
                yield _text(token, token.strip('"'))

    def _quoted(self, token: Token, span: Span) -> Token:
        """A text in single quotes, or in three of them, over several lines perhaps."""
        triple = _TRIPLE.match(self._source.text, span.start)
        text = triple[1] if triple else token.strip("'")
        if triple is None:
            self._say(token, problems.single_quotes(span, text))
            return _text(token, text)
        self._skip_to = triple.end()
        first_line = span.start + len(re.split(r"[\r\n]", triple.group(), maxsplit=1)[0])
        self._say(token, problems.single_quotes(Span(self._source, span.start, first_line), text, triple=True))
        if not triple[2]:
            self.open_to_the_end = True
            self.open_texts.append(Span(self._source, *triple.span()))
        replacement = _text(token, text)
        replacement.end_pos = triple.end()
        self.lines.add((token.line or 0) + text.count("\n"))
        return replacement

    def _unknown(self, token: Token, span: Span) -> Iterator[Token]:
        if comment := _COMMENT.match(self._source.text, span.start):
            self._skip_to = comment.end()
            self._say(token, problems.unknown_character(Span(self._source, span.start, span.start + 2)))
        elif quoted := _CURLY.match(self._source.text, span.start):
            self._skip_to = quoted.end()
            text = quoted.group().strip("‘’“”„‚")
            self._say(token, problems.single_quotes(Span(self._source, *quoted.span()), text))
            replacement = _text(token, text)
            replacement.end_pos = quoted.end()
            yield replacement
        elif variable := _VARIABLE.match(self._source.text, span.start):
            self._skip_to = variable.end()
            self._say(token, problems.unknown_character(Span(self._source, *variable.span())))
        elif token.line not in self.lines:
            self._say(token, problems.unknown_character(span, self._first))

    def _say(self, token: Token, problem: Diagnostic) -> None:
        self._said.append(problem)
        self.lines.add(token.line or 0)


def _text(token: Token, text: str) -> Token:
    return token.update(type="STRING", value=json.dumps(text))
