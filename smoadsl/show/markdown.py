"""Markdown, to put what files say into a comment: as code that no text can end, and that nobody is notified by."""

import re
from collections.abc import Sequence

from smoadsl.diagnostics.render.text import printable
from smoadsl.show.safe import one_line

_PLAIN = re.compile(r"(?! )[^`|\\]*[^`|\\ ]")  # what a code span in a table's cell may hold as it stands


def code(text: str, most: int = 120) -> str:
    """The text on one line, as a code span. Nothing in one is a link, a mention, markup or the end of a cell."""
    line = one_line(text, most)
    if not line:
        return ""
    return f"`{line}`" if _PLAIN.fullmatch(line) else html_code(line, most)


def html_code(text: str, most: int = 120) -> str:
    """The same where HTML stands: all that could be markup, in whatever dialect, is written as its number."""
    line = one_line(text, most)
    shown = "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in line)
    return f"<code>{shown}</code>"


def block(lines: Sequence[str], language: str = "") -> str:
    """Lines as a block of code, between marks that are longer than any in it."""
    shown = [printable(line) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    mark = "`" * max(3, longest + 1)
    return "\n".join([f"{mark}{language}", *shown, mark])


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], align: str = "") -> str:
    """A table. The cells are Markdown already; `align` has an `l` or an `r` for each column."""
    rules = [":--" if side == "l" else "--:" for side in (align or "l" * len(heads))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, rules, *rows))


def details(summary: str, inside: str) -> str:
    """What is folded away until somebody opens it. `summary` is HTML, `inside` is Markdown."""
    return f"<details><summary>{summary}</summary>\n\n{inside}\n\n</details>"
