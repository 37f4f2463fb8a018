"""Text, to show diagnostics to a person in a terminal, with the line they are about."""

from collections.abc import Sequence

from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.diagnostics.source import Span

MOST_SHOWN = 100
_WIDTH = 100  # longer source lines are cut around the marked place
_COLOURS = {Severity.ERROR: "\x1b[1;31m", Severity.ADVICE: "\x1b[1;33m"}
_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"


def printable(text: str) -> str:
    """The text with every character that could move a cursor, change a colour or reverse reading order made visible."""
    return "".join(c if c.isprintable() or c == " " else f"\\u{ord(c):04x}" for c in text.replace("\t", " "))


def render(diagnostics: Sequence[Diagnostic], *, colour: bool = False) -> str:
    """All diagnostics as paragraphs, with a count at the end. Empty when there is nothing to say."""
    if not diagnostics:
        return ""
    parts = [_one(diagnostic, colour) for diagnostic in diagnostics[:MOST_SHOWN]]
    if len(diagnostics) > MOST_SHOWN:
        parts.append(f"… and {len(diagnostics) - MOST_SHOWN} more\n")
    return "\n".join([*parts, _count(diagnostics) + "\n"])


def _count(diagnostics: Sequence[Diagnostic]) -> str:
    errors = sum(d.severity is Severity.ERROR for d in diagnostics)
    advice = len(diagnostics) - errors
    words = [f"{errors} error{'s' * (errors != 1)}"] * bool(errors)
    words += [f"{advice} piece{'s' * (advice != 1)} of advice"] * bool(advice)
    return ", ".join(words)


def _one(diagnostic: Diagnostic, colour: bool) -> str:
    paint, bold, dim, reset = (_COLOURS[diagnostic.severity], _BOLD, _DIM, _RESET) if colour else ("", "", "", "")
    line, column = diagnostic.span.source.place(diagnostic.span.start)
    where = f"{printable(diagnostic.span.source.name)}:{line}:{column}"
    lines = [
        f"{paint}{diagnostic.severity}[{diagnostic.code}]{reset}{bold}: {printable(diagnostic.message)}{reset}",
        f"{dim}  --> {reset}{where}",
        *_excerpt(diagnostic.span, paint, dim, reset),
    ]
    for related in diagnostic.related:
        number = related.span.source.place(related.span.start)
        place = f"{printable(related.span.source.name)}:{number[0]}:{number[1]}"
        lines += [f"{dim}  ::: {reset}{place}: {printable(related.message)}", *_excerpt(related.span, dim, dim, reset)]
    if diagnostic.help:
        lines.append(f"  {bold}help{reset}: {printable(diagnostic.help)}")
    return "\n".join(lines) + "\n"


def _excerpt(span: Span, paint: str, dim: str, reset: str) -> list[str]:
    line, column = span.source.place(span.start)
    text = span.source.line(line)
    begin = column - 1
    width = max(1, min(span.end - span.start, len(text) - begin))
    if len(text) > _WIDTH:
        cut = max(0, begin - _WIDTH // 3)
        text, begin = text[cut : cut + _WIDTH], begin - cut
        width = max(1, min(width, _WIDTH - begin))
    before, marked, after = (
        printable(text[:begin]),
        printable(text[begin : begin + width]),
        printable(text[begin + width :]),
    )
    gutter = f"{line:5} | "
    marks = " " * len(before) + "^" * max(1, len(marked))
    return [f"{dim}{gutter}{reset}{before}{marked}{after}", f"{dim}{'':5} | {reset}{paint}{marks}{reset}"]
