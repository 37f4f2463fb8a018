"""Failing, to tell why a test failed: what was expected, what was there instead, and what happened in its run."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from textwrap import indent

from smoadsl.diagnostics.render.text import harmless
from smoadsl.runtime import events
from smoadsl.show.report import report_text
from smoadsl.show.safe import one_line
from smoadsl.tools.rehearse import Rehearsal

_WIDTH = 80
_INDENT = "    "
_MOST_SHOWN = 600  # characters of what was there


def failing_text(rehearsal: Rehearsal) -> str:
    """A paragraph for each expectation that was not met, and below them the run in brief."""
    parts = [
        f"{one_line(failure.origin)}: {one_line(failure.expected)}\n  {one_line(failure.actual, _MOST_SHOWN)}"
        for failure in rehearsal.failures
    ]
    runs = [report_text(run, brief=True, width=_WIDTH - 2 * len(_INDENT)) for run in _runs(rehearsal.events)]
    if runs:
        happened = "\n\n".join(run.strip("\n") for run in runs)
        parts.append(f"what happened:\n\n{indent(happened, _INDENT)}")
    return harmless(indent("\n\n".join(parts), _INDENT) + "\n")


def _runs(told: Sequence[events.Event]) -> Iterator[Sequence[events.Event]]:
    """The events of each turn of a conversation: each is a run."""
    starts = [place for place, event in enumerate(told) if isinstance(event, events.RunStarted)]
    for start, end in pairwise([*starts, len(told)]):
        yield told[start:end]
