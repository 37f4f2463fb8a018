"""Checking, to say everything about a file; it is planned only where a budget or a context is written."""

from smoadsl.diagnostics.diagnostic import Outcome, in_order
from smoadsl.diagnostics.source import Source
from smoadsl.language.check import Given, check
from smoadsl.language.checked import Program
from smoadsl.language.load import Reader, load


def everything_about(source: Source, reader: Reader, given: Given | None = None) -> Outcome[Program]:
    """What the file means, with all that it imports, and everything worth saying about it."""
    loaded = load(source, reader)
    assert loaded.value is not None  # loading always gives a file set, though perhaps an empty one
    program = check(loaded.value, given)
    outcome = Outcome(program.value, in_order([*loaded.diagnostics, *program.diagnostics]))
    if program.value is None or not program.value.is_limited:
        return outcome
    from smoadsl.plan.compile import hold  # plans take a moment to import

    return hold(outcome)
