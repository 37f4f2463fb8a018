"""Gated, to write what is said of a plan, and the limits that it exceeds, as a document for a CI system."""

from collections.abc import Iterable, Sequence

from smoadsl.diagnostics.diagnostic import Diagnostic, Outcome, Severity
from smoadsl.diagnostics.render import sarif
from smoadsl.diagnostics.render.report import Report
from smoadsl.diagnostics.source import Source, Span
from smoadsl.plan.diff import Reviewed
from smoadsl.tools import formats
from smoadsl.tools.gates import Gates, exceeded
from smoadsl.tools.named import Named
from smoadsl.tools.reader import read_source

_CODE = "gate"  # under which an exceeded limit stands among the diagnostics
_ABOUT = (
    "One prompt could take more than a limit that `smoadsl plan` was given; `smoadsl plan FILE` shows what it takes."
)
_RULE = sarif.Rule("a plan exceeds a limit", _ABOUT, _ABOUT)


def over(what: Named, outcome: Outcome[Reviewed], gates: Gates) -> tuple[Diagnostic, ...]:
    """A diagnostic for each limit that the plan exceeds, where its pipeline stands."""
    if outcome.value is None:
        return ()
    plan = outcome.value.plan
    span = _line(what, plan.pipeline.origin)
    return tuple(Diagnostic(_CODE, Severity.ERROR, sentence, span) for sentence in exceeded(plan, gates))


def document(what: Named, said: Sequence[Diagnostic], format_: str) -> str:
    """All that is said, as GitHub annotations, SARIF or JUnit."""
    reports = [Report(what.shown, tuple(said))]
    return formats.sarif_log(reports, {_CODE: _RULE}) if format_ == "sarif" else formats.DOCUMENTS[format_](reports)


def _line(what: Named, origin: str) -> Span:
    """The line that an origin names; the file's beginning where it can not be found on the disk."""
    name, _, number = origin.rpartition(":")
    read = read_source(what.file).value if what.revision is None and name == what.file else None
    if read is None:
        return Span(Source(what.shown, ""), 0, 0)
    lines: Iterable[str] = read.text.splitlines(keepends=True)[: int(number)]
    *before, line = lines
    start = sum(map(len, before))
    return Span(read, start, start + len(line.rstrip()))
