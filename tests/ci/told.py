"""Told, to have diagnostics of every kind, made by hand, so that no wording of the compiler stands in what is saved."""

from smoadsl.diagnostics.diagnostic import Diagnostic, Related, Severity
from smoadsl.diagnostics.render.report import Paths, Report
from smoadsl.diagnostics.render.sarif import Rule
from smoadsl.diagnostics.source import Source, Span

PATHS = Paths("/project", "/project/team")
RULES = {code: Rule(f"The title of {code}", f"The text of {code}.", f"The *text* of {code}.") for code in ("E1", "A1")}


def span(source: Source, marked: str, occurrence: int = 1) -> Span:
    """The part of a source that is so written."""
    start = -1
    for _ in range(occurrence):
        start = source.text.index(marked, start + 1)
    return Span(source, start, start + len(marked))


EMOJI = Source("emoji.moa", '# 👩‍🔬 é\r\nmodel é😀 = 3\r\n\tmodel tab = 😀 "50 % off: a, b"\r\n')
SHARED = Source("../shared.moa", 'model m = "x"\nmodel m = "y"\n')
OUTSIDE = Source("/elsewhere/far away.moa", "one\ntwo\n")
TYPED = Source("--set k", "3")

REPORTS = (
    Report(
        "emoji.moa",
        (
            Diagnostic("E1", Severity.ERROR, "`é😀` means nothing here", span(EMOJI, "é😀"), "write `e`"),
            Diagnostic("E1", Severity.ERROR, "beside a tab: 100 %, [a](b) {0}", span(EMOJI, "tab"), "one, two"),
            Diagnostic("A1", Severity.ADVICE, "two lines", span(EMOJI, "😀 = 3\r\n\tmodel")),
        ),
    ),
    Report("fine.moa"),
    Report(
        "users.moa",
        (
            Diagnostic(
                "E1",
                Severity.ERROR,
                "`m` is declared twice",
                span(SHARED, "m", 4),
                "give one another name",
                (Related("first declared here", span(SHARED, "m", 2)),),
            ),
        ),
    ),
    Report("advice only.moa", (Diagnostic("A1", Severity.ADVICE, "out of reach", span(OUTSIDE, "two")),)),
    Report("typed.moa", (Diagnostic("E1", Severity.ERROR, "3 is no text", span(TYPED, "3"), "quote it"),)),
    Report("gone.moa", unread="No such file or directory"),
)
