"""Sarif, to give diagnostics to code scanning: a log of the Static Analysis Results Interchange Format 2.1.0.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os.html
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from smoadsl.classes import dataclass
from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.diagnostics.render.json import dumps
from smoadsl.diagnostics.render.report import MOST_REPORTED, Paths, Report, left_out, told_once
from smoadsl.diagnostics.render.text import printable
from smoadsl.diagnostics.source import Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_LEVELS = {Severity.ERROR: "error", Severity.ADVICE: "warning"}
_MOST_HASHED = 1_000  # characters of a line


@dataclass(frozen=True, slots=True)
class Rule:
    """What is told of a code: `text` and `markdown` are the whole page."""

    title: str
    text: str
    markdown: str


def render(reports: Sequence[Report], paths: Paths, rules: Mapping[str, Rule], version: str) -> str:
    """A log with one run. `rules` has the codes that can occur; those that do are described in it."""
    diagnostics = told_once(reports)
    shown = diagnostics[:MOST_REPORTED]
    codes = sorted({one.code for one in shown})
    run = {
        "tool": {
            "driver": {
                "name": "smoadsl",
                "version": version,
                "rules": [_rule(code, rules[code]) for code in codes],
            }
        },
        "columnKind": "utf16CodeUnits",
        "newlineSequences": ["\r\n", "\n", "\r"],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "the repository's root folder"}}},
        "invocations": [_invocation(reports, paths, left_out(diagnostics))],
        "artifacts": [
            {"location": location, "roles": ["analysisTarget"], "sourceLanguage": "moa"}
            for location in {str(one): one for one in (_artifact(report.file, paths) for report in reports)}.values()
        ],
        "results": _results(shown, codes, paths),
    }
    return dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(code: str, rule: Rule) -> dict[str, Any]:
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "help": {"text": rule.text, "markdown": rule.markdown},
    }


def _invocation(reports: Sequence[Report], paths: Paths, more: int) -> dict[str, Any]:
    told: list[dict[str, Any]] = [
        {
            "level": "error",
            "message": {"text": _text(one.unread)},
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(one.file, paths)}}],
        }
        for one in reports
        if one.unread
    ]
    told += [{"level": "warning", "message": {"text": f"{more} more are left out"}}] * bool(more)
    return {
        "executionSuccessful": not any(one.unread for one in reports),
        "toolExecutionNotifications": told,
    }


def _results(diagnostics: Sequence[Diagnostic], codes: Sequence[str], paths: Paths) -> list[dict[str, Any]]:
    index = {code: number for number, code in enumerate(codes)}
    seen: Counter[str] = Counter()
    results = []
    for one in diagnostics:
        fingerprint = _fingerprint(one, paths)
        seen[fingerprint] += 1
        message = _text(one.message) + (f"\nhelp: {_text(one.help)}" if one.help else "")
        results.append(
            {
                "ruleId": one.code,
                "ruleIndex": index[one.code],
                "level": _LEVELS[one.severity],
                "message": {"text": message},
                "locations": _locations(one.span, paths),
                "relatedLocations": [
                    {"id": number, "message": {"text": _text(other.message)}, **location}
                    for number, other in enumerate(one.related)
                    for location in _locations(other.span, paths)
                ],
                "partialFingerprints": {"primaryLocationLineHash": f"{fingerprint}:{seen[fingerprint]}"},
            }
        )
    return results


def _text(text: str) -> str:
    """A plain text message in which nothing is a link: `[text](target)` would be one."""
    return printable(text).replace("](", "] (")


def _locations(span: Span, paths: Paths) -> list[dict[str, Any]]:
    """Where a range lies; nowhere for what was typed on the command line."""
    if paths.absolute(span.source.name) is None:
        return []
    (line, column), (end_line, end_column) = (span.source.place_utf16(at) for at in (span.start, span.end))
    region = {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}
    return [{"physicalLocation": {"artifactLocation": _artifact(span.source.name, paths), "region": region}}]


def _artifact(name: str, paths: Paths) -> dict[str, str]:
    inside = paths.inside(name)
    if inside is not None:
        return {"uri": quote(inside, errors="surrogateescape"), "uriBaseId": _ROOT}
    return {"uri": PurePath(paths.absolute(name) or paths.root).as_uri()}


def _fingerprint(one: Diagnostic, paths: Paths) -> str:
    """The same for the same problem in the same words wherever it moves to in its file."""
    source = one.span.source
    line = source.line(source.place(one.span.start)[0]).strip()[:_MOST_HASHED]
    parts = (one.code, paths.inside(source.name) or source.name, line)
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
