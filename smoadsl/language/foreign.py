"""Foreign, to know by its look a file that is written in another language, of which no line can be read."""

import re

from smoadsl.diagnostics.source import Source, Span

_JSON = re.compile(r"\s*[\[{]\s*(?:[\"\[{\]}]|//)")
_KEY = re.compile(r"\s*(?:- +)?(?:[\w.-]+|\"[^\"\n]*\"|'[^'\n]*')\s*:(?=\s|$)")
_ITEM = re.compile(r"\s*- +\S|\s*-$|---\s*$|%YAML")
_CODE = re.compile(
    r"(?:from [\w.]+ import\b|import (?![\w.]+\.moa$)[\w.]+(?: as \w+)?(?:, [\w.]+)*$|(?:async )?def \w+\("
    r"|class \w+\s*[(:]|if __name__\b|@\w[\w.]*(?:\(.*\))?$)"
)
_LEAST_SHARE = 0.5  # of the lines, those that only this language has


def other_language(source: Source) -> tuple[str, Span] | None:
    """The language's name, and the first line that says something in it."""
    lines = [line for line in source.text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return None
    start = source.text.index(lines[0])
    first = Span(source, start + len(lines[0]) - len(lines[0].lstrip()), start + len(lines[0].rstrip()))
    keys = [line for line in lines if _KEY.match(line) or _ITEM.match(line)]
    if _JSON.match(source.text, start):
        return "JSON", first
    if any(_CODE.match(line) for line in lines):
        return "Python", first
    if keys[:1] == lines[:1] and 2 <= len(keys) >= _LEAST_SHARE * len(lines):
        return "YAML", first
    return None
