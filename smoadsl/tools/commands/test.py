"""Test, to run the tests that stand in files, on a virtual clock, without network or key."""

import sys
from collections.abc import Sequence
from time import perf_counter

import click

from smoadsl.diagnostics.render.report import Report
from smoadsl.language import checked
from smoadsl.show.safe import encodable
from smoadsl.tools import api, formats
from smoadsl.tools.options import Exit, Format, counted, files_exit, format_option, show_report
from smoadsl.tools.rehearse import Rehearsal, rehearse
from smoadsl.tools.tested import DOCUMENTS, Tested, as_text


@click.command()
@click.argument("files", nargs=-1, required=True)
@format_option
def command(files: tuple[str, ...], format_: Format) -> None:
    """Run the tests in FILES."""
    tested = []
    for file in dict.fromkeys(files):
        report, tests = _read(file)
        if format_ == "text":
            show_report(report)
        results = []
        for test in tests:
            results.append(_timed(test))
            if format_ == "text":
                click.echo(encodable(as_text(file, results[-1][0]), sys.stdout.encoding), nl=False)
        tested.append(Tested(report, tuple(results)))
    if format_ != "text":
        formats.write(DOCUMENTS[format_](tested))
    click.echo(_summary(tested), err=True)
    failed = any(not result.passed for file in tested for result, _ in file.results)
    sys.exit(files_exit([file.report for file in tested]) or (Exit.PROBLEMS if failed else Exit.DONE))


def _read(file: str) -> tuple[Report, Sequence[checked.Test]]:
    try:
        program = api.analyse(file)
    except OSError as error:
        return Report(file, unread=error.strerror or str(error)), ()
    report = Report(file, program.diagnostics)
    return report, program.value.tests if program.value and program.ok else ()


def _timed(test: checked.Test) -> tuple[Rehearsal, float]:
    begun = perf_counter()
    return rehearse(test), perf_counter() - begun


def _summary(tested: Sequence[Tested]) -> str:
    passed = [result.passed for file in tested for result, _ in file.results]
    count = f"{sum(passed)} passed, {len(passed) - sum(passed)} failed" if passed else "no tests"
    reports = [file.report for file in tested]
    return f"{count}; {counted(reports)}" if files_exit(reports) else count
