"""Text, to show diagnostics to a person in a terminal, with the line they are about."""

import re
from collections.abc import Sequence

from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.diagnostics.source import Span

MOST_SHOWN = 100
_WIDTH = 100  # longer source lines are cut around the marked place
_COLOURS = {Severity.ERROR: "\x1b[1;31m", Severity.ADVICE: "\x1b[1;33m"}
_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"
# What a CI system takes for a command wherever it stands in a line of a log: `##[add-mask]` (GitHub Actions),
# `##vso[task.complete]` (Azure Pipelines), `##teamcity[`. Its second `#` is what is written otherwise.
LOG_COMMAND = re.compile(r"#(#)(?=\w*\[)")
_LINE_COMMAND = re.compile(r"((?:^|[\r\n])\s*):(?=:)")  # and at a line's begin: `::add-mask::` (GitHub Actions)


def printable(text: str) -> str:
    """The text on one line, with every character that could move a cursor, change a colour or reverse reading order,
    and every command to the system that keeps a log, made visible and harmless."""
    return LOG_COMMAND.sub(r"#\\u0023", "".join(map(_printable, text)))


def harmless(text: str) -> str:
    """Lines of text that are printable, or meant for a program, with every command to the system that keeps a log made
    visible and harmless."""
    return LOG_COMMAND.sub(r"#\\u0023", _LINE_COMMAND.sub(r"\1\\u003a:", text))


def _printable(character: str) -> str:
    if character == "\t":
        return " "
    return character if character.isprintable() else f"\\u{ord(character):04x}"


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
    shown = [*map(_printable, text)]
    for command in LOG_COMMAND.finditer(text):
        shown[command.start(1)] = "\\u0023"
    before, marked, after = (
        "".join(part) for part in (shown[:begin], shown[begin : begin + width], shown[begin + width :])
    )
    gutter = f"{line:5} | "
    marks = " " * len(before) + "^" * max(1, len(marked))
    return [f"{dim}{gutter}{reset}{before}{marked}{after}", f"{dim}{'':5} | {reset}{paint}{marks}{reset}"]
