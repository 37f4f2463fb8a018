"""Json, to give diagnostics to programs: one document of a form that changes only with its `version`.

All is ASCII: what could steer a terminal or the log of a CI system stands in it as an escape.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.diagnostics.render.report import MOST_REPORTED, Report, left_out, told_once
from smoadsl.diagnostics.render.text import LOG_COMMAND
from smoadsl.diagnostics.source import Span

VERSION = 1


def render(reports: Sequence[Report], **more: Any) -> str:
    """A document of all reports; `more` stands in it beside them."""
    diagnostics = told_once(reports)
    return dumps(
        {
            "version": VERSION,
            "files": [
                {"file": one.file, "errors": one.errors, "advice": one.advice, "unread": one.unread or None}
                for one in reports
            ],
            "diagnostics": [_diagnostic(one) for one in diagnostics[:MOST_REPORTED]],
            "left_out": left_out(diagnostics),
            **more,
        }
    )


def dumps(document: Mapping[str, Any]) -> str:
    """JSON in lines, all of it ASCII and harmless in a log."""
    text = json.dumps(document, indent=2)
    return LOG_COMMAND.sub(r"#\\u0023", text) + "\n"  # the same text to who reads it: all of it stands in strings


def _diagnostic(one: Diagnostic) -> dict[str, Any]:
    return {
        "file": one.span.source.name,
        "code": one.code,
        "severity": str(one.severity),
        "message": one.message,
        "help": one.help,
        "span": span_of(one.span),
        "related": [
            {"file": other.span.source.name, "message": other.message, "span": span_of(other.span)}
            for other in one.related
        ],
    }


def span_of(span: Span) -> dict[str, dict[str, int]]:
    """Where a half-open range begins and ends. Offsets count characters from 0, lines and columns from 1."""
    return {"start": _place(span, span.start), "end": _place(span, span.end)}


def _place(span: Span, offset: int) -> dict[str, int]:
    line, column = span.source.place(offset)
    return {"offset": offset, "line": line, "column": column, "utf16_column": span.source.place_utf16(offset)[1]}
