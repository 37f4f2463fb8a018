"""Corpus files, to read and rewrite small cases of the language with what is to be said about each line above it.

    --- a judge can not keep more than there are ---
    # with: --set k=3
    model m = "groq/x"
    pipeline p {
      layer one {
        propose m, m
        # error: MOA301 18-19 the judge can not keep 3 of 2 responses
        # help: keep 1 or fewer
        judge m keep k
      }
      aggregate m
    }

An expectation is about the next line, its columns counted from 1, the end not included (`5-+2:3` ends two lines
further). `3:5-7` names the line itself, `# error in --set k:` another text. Message and help may be beginnings; help
and `# there:` (a related place) may be left out. `# with: --escapes` reads `\\xff`, `\\r`, `\\n`, `\\\\` and
`\\*70{[}` (70 times `[`) in the case; its expectations stand at the top. `--pipeline NAME` asks for the plan of that
pipeline, `--pipeline ""` for that of the only one. What follows `# file: lib/b.moa` is a file of that name beside it.
"""

import argparse
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.diagnostics.source import Source

FOLDER = Path(__file__).parent / "corpus"
SOURCE = "case.moa"
_HEAD = re.compile(r"^--- (.+) ---$", re.MULTILINE)
_EXPECTED = re.compile(
    r"^\s*# (?P<severity>error|advice)(?: in (?P<source>.+?))?: (?P<code>MOA\d{3}) "
    r"(?:(?P<line>\d+):)?(?P<column>\d+)-(?:\+(?P<lines>\d+):)?(?P<end>\d+)(?: (?P<message>.*))?$"
)
_MORE = re.compile(r"^\s*# (?P<kind>help|there): (?P<text>.*)$")
_FILE = re.compile(r"^# file: (?P<name>\S+)$")
_WITH = re.compile(r"^# with: (?P<options>.*)$")
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})|\\([rn\\])|\\\*(\d+)\{([^{}]*|[{}])\}")


@dataclass(frozen=True, slots=True)
class Expected:
    """One diagnostic. Lines count from 1 in the case without its expectations; texts may be beginnings."""

    severity: str
    source: str
    code: str
    start: tuple[int, int]
    end: tuple[int, int]
    message: str
    help: str | None = None
    there: tuple[str, ...] | None = None

    def fits(self, said: "Expected") -> bool:
        """Whether what was said is what was expected."""
        same = replace(said, message=self.message, help=self.help, there=self.there) == self
        begins = said.message.startswith(self.message) and (said.help or "").startswith(self.help or "")
        return same and begins and (self.help != "" or not said.help) and self.there in (None, said.there)


@dataclass(frozen=True, slots=True)
class Case:
    """`texts` has the text of each file of the case, that which is compiled first."""

    file: Path
    name: str
    texts: Mapping[str, str]
    options: str
    expected: tuple[Expected, ...] = field(repr=False)

    @property
    def id(self) -> str:
        return f"{self.file.stem}: {self.name}"

    @property
    def given(self) -> argparse.Namespace:
        options = argparse.ArgumentParser()
        for name in ("--set", "--model", "--base-url"):
            options.add_argument(name, action="append", default=[])
        options.add_argument("--pipeline")
        options.add_argument("--escapes", action="store_true")
        return options.parse_args(shlex.split(self.options))

    def content(self, name: str) -> bytes:
        """The bytes of one of its files."""
        raw = self.texts[name].encode()
        return _ESCAPE.sub(_unescaped, raw.rstrip(b"\n")) if self.given.escapes else raw


def _unescaped(found: re.Match[bytes]) -> bytes:
    code, sign, times, repeated = found.groups()
    if code:
        return bytes.fromhex(code.decode())
    return {b"r": b"\r", b"n": b"\n", b"\\": b"\\"}[sign] if sign else repeated * int(times)


def pairs(values: Sequence[str]) -> Mapping[str, str]:
    """`NAME=VALUE` options as a mapping."""
    return dict(value.split("=", 1) for value in values)


def cases(family: str) -> list[Case]:
    """All cases of a family of files, in order of file and line."""
    return [case for path in sorted((FOLDER / family).glob("*.moa")) for case in _cases_of(path)]


def _cases_of(path: Path) -> Iterator[Case]:
    parts = _HEAD.split(path.read_text(encoding="utf-8"))
    if len(set(parts[1::2])) < len(parts[1::2]):
        raise ValueError(f"{path.name} has two cases of one name")
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        yield _case(path, name, body)


def _case(path: Path, name: str, body: str) -> Case:
    options: list[str] = []
    kept: dict[str, list[str]] = {SOURCE: []}
    here = SOURCE
    expected: list[Expected] = []
    for line in body.strip("\n").split("\n"):
        if found := _EXPECTED.match(line):
            expected.append(_expectation(found, here, len(kept[here]) + 1))
        elif (more := _MORE.match(line)) and expected:
            expected[-1] = _with_more(expected[-1], more["kind"], more["text"])
        elif (given := _WITH.match(line)) and not kept[SOURCE]:
            options.append(given["options"])
        elif begins := _FILE.match(line):
            here = begins["name"]
            kept[here] = []
        else:
            kept[here].append(line)
    texts = {name: _text(lines) for name, lines in kept.items()}
    return Case(path, name, texts, " ".join(options), tuple(expected))


def _text(lines: Sequence[str]) -> str:
    text = "\n".join(lines).strip("\n")
    return text + "\n" * bool(text)


def _expectation(found: re.Match[str], here: str, next_line: int) -> Expected:
    line = int(found["line"] or next_line)
    end = (line + int(found["lines"] or 0), int(found["end"]))
    source = found["source"] or here
    return Expected(found["severity"], source, found["code"], (line, int(found["column"])), end, found["message"] or "")


def _with_more(expected: Expected, kind: str, text: str) -> Expected:
    if kind == "help":
        return replace(expected, help=text)
    return replace(expected, there=(*(expected.there or ()), text))


def said(diagnostic: Diagnostic) -> Expected:
    """A diagnostic as a case would expect it."""
    span = diagnostic.span
    there = tuple(
        "{}:{}-{} {}".format(*r.span.source.place(r.span.start), r.span.source.place(r.span.end)[1], r.message)
        for r in diagnostic.related
    )
    return Expected(
        diagnostic.severity.value,
        span.source.name,
        diagnostic.code,
        span.source.place(span.start),
        span.source.place(span.end),
        diagnostic.message,
        diagnostic.help,
        there,
    )


def all_inside(source: Source, diagnostics: Sequence[Diagnostic]) -> bool:
    """Whether every diagnostic is about a place in the text."""
    spans = [span for one in diagnostics for span in (one.span, *(related.span for related in one.related))]
    return all(0 <= span.start <= span.end <= len(source.text) for span in spans if span.source is source)


def shown(expected: Sequence[Expected]) -> str:
    """The expectations as text, for comparing and for a person."""
    return "\n".join(line for one in expected for line in _lines(one, explicit=True))


def _lines(one: Expected, *, explicit: bool) -> Iterator[str]:
    where = f" in {one.source}" if one.source.startswith(("-", "<")) else ""
    line = f"{one.start[0]}:" if explicit else ""
    further = f"+{one.end[0] - one.start[0]}:" if one.end[0] != one.start[0] else ""
    yield f"# {one.severity}{where}: {one.code} {line}{one.start[1]}-{further}{one.end[1]} {one.message}".rstrip()
    if one.help:
        yield f"# help: {one.help}"
    for place in one.there or ():
        yield f"# there: {place}"


def accept(case: Case, now: Sequence[Expected]) -> None:
    """Rewrite the case in its file with what is said now."""
    parts = _HEAD.split(case.file.read_text(encoding="utf-8"))
    at = parts.index(case.name, 1)
    lines = [f"# with: {case.options}"] if case.options else []
    for name, text in case.texts.items():
        lines += [f"# file: {name}"] if name != SOURCE else []
        lines += _expecting(text, [one for one in now if one.source == name], explicit=case.given.escapes)
        if name == SOURCE:
            lines[bool(case.options) : 0] = [
                line for one in now if one.source not in case.texts for line in _lines(one, explicit=True)
            ]
    parts[at + 1] = "\n" + "\n".join(lines).rstrip("\n") + "\n\n"
    heads = [f"--- {part} ---" if index % 2 else part for index, part in enumerate(parts)]
    case.file.write_text("".join(heads).rstrip("\n") + "\n", encoding="utf-8")


def _expecting(text: str, now: Sequence[Expected], *, explicit: bool) -> Iterator[str]:
    """The lines of a text, each under what is said about it; about no line of it, at the top."""
    written = text.split("\n")[:-1] or [""]
    above = [one for one in now if explicit or one.start[0] > len(written)]
    for one in above:
        yield from _lines(one, explicit=True)
    for number, line in enumerate(written, 1):
        indent = line[: len(line) - len(line.lstrip(" "))]
        for one in now:
            if one.start[0] == number and one not in above:
                yield from (indent + said for said in _lines(one, explicit=False))
        yield line
