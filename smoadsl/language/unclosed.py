"""Unclosed, to find the text block that was never closed, where the quotes that open the next one end it.

Everything behind it would be read inside out: the next text as statements, and the last block as the open one.
"""

import re

from smoadsl.classes import dataclass
from smoadsl.language.tokens import words

_QUOTES = '"""'
_STAND_IN = '"x"'  # a text that is as long as the quotes
_STATEMENT = re.compile(
    r"""[ \t]*(?:prompt[ \t]+"|import[ \t]+"|test[ \t]+".*\bfor\b|\w+[ \t]*=[ \t]*\"{3}"""
    r"""|reply[ \t]+[\w.*]+(?:[ \t]+after[ \t]+\w+)?[ \t]+(?:["\[{]|error\b|true\b|false\b)"""
    r"""|expect[ \t]+(?:not[ \t]+)?(?:[\w.]+[ \t]*[=<>!]|(?:answer|value|failed|degraded|stopped)\b)"""
    r"""|(?:model|role|roles|template|param|provider)[ \t]+\w+[ \t]*=|(?:pipeline|layer)[ \t]+\w.*\{[ \t]*(?:\#.*)?$)"""
)
_BEFORE_IT = re.compile(r"[ \t}]*\r?\n")  # the end of a block, or nothing


@dataclass(frozen=True, slots=True)
class Unclosed:
    """Where a text block begins, where it should have ended at the latest, and the quotes that were read as its end."""

    start: int
    end: int
    read_as_end: int

    def left_out(self, text: str) -> str:
        """The file with a short text in the place of the block: what follows stands where it stood."""
        body = re.sub(r"[^\r\n]", " ", text[self.start + len(_QUOTES) : self.end])
        return text[: self.start] + _STAND_IN + body + text[self.end :]


def unclosed(text: str) -> Unclosed | None:
    """The first text block that ends with quotes which open another, in a file whose last one is open."""
    if text.count(_QUOTES) % 2 == 0:
        return None
    found: Unclosed | None = None
    for token in words(text):
        if token.type == "TEXT" and found is None:
            found = _swallowing(token.start_pos or 0, str(token))
        elif token.type == "OPEN_TEXT":
            return found
    return None


def _swallowing(start: int, block: str) -> Unclosed | None:
    """A block whose last line, the closing quotes included, is a statement; it ends before the first such line."""
    lines = block.splitlines(keepends=True)
    if len(lines) == 1 or not _STATEMENT.match(lines[-1]):
        return None
    first = next(i for i, line in enumerate(lines) if i and _STATEMENT.match(line))
    while first > 1 and _BEFORE_IT.fullmatch(lines[first - 1]):
        first -= 1
    before = sum(map(len, lines[:first]))
    return Unclosed(start, start + before, start + len(block) - len(_QUOTES))
