"""Checking, to say everything about a file; it is planned only where a budget or a context is written."""

from smoadsl.diagnostics.diagnostic import Outcome
from smoadsl.diagnostics.source import Source
from smoadsl.language.check import Given, read_program
from smoadsl.language.checked import Program
from smoadsl.language.load import Reader


def everything_about(source: Source, reader: Reader, given: Given | None = None) -> Outcome[Program]:
    """What the file means, with all that it imports, and everything worth saying about it."""
    program = read_program(source, reader, given)
    if program.value is None or not program.value.is_limited:
        return program
    from smoadsl.plan.compile import hold  # plans take a moment to import

    return hold(program)
