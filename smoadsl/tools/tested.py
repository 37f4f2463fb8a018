"""Tested, to write how the tests of files came out: as text, or as one of the documents for machines."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from smoadsl.classes import dataclass
from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.diagnostics.render import json, junit, sarif
from smoadsl.diagnostics.render.report import Report
from smoadsl.diagnostics.render.text import printable
from smoadsl.show.safe import one_line
from smoadsl.tools import formats
from smoadsl.tools.expectations import Failure
from smoadsl.tools.failing import failing_text
from smoadsl.tools.rehearse import Rehearsal

_CODE = "test"  # under which a failed test stands among the diagnostics
_ABOUT = "A test that is written in the file came out otherwise than it says. `smoadsl test FILE` shows how."
_RULE = sarif.Rule("an expectation of a test is not met", _ABOUT, _ABOUT)


@dataclass(frozen=True, slots=True)
class Tested:
    """A file's tests, each with the seconds that it took; a file with errors has none."""

    report: Report
    results: tuple[tuple[Rehearsal, float], ...] = ()


DOCUMENTS: dict[str, Callable[[Sequence[Tested]], str]] = {
    "json": lambda files: json.render([file.report for file in files], tests=[_case(*one) for one in _named(files)]),
    "github": lambda files: formats.DOCUMENTS["github"](_with_failures(files)),
    "sarif": lambda files: formats.sarif_log(_with_failures(files), {_CODE: _RULE}),
    "junit": lambda files: junit.render([_suite(file) for file in files]),
}


def as_text(file: str, result: Rehearsal) -> str:
    """`pass  FILE: TITLE`, and below a test that failed what it expected, what was there instead, and what happened."""
    line = f"{'pass' if result.passed else 'FAIL'}  {printable(file)}: {one_line(result.test.title)}\n"
    return line if result.passed else f"{line}\n{failing_text(result)}"


def _named(files: Sequence[Tested]) -> list[tuple[str, Rehearsal, float]]:
    return [(file.report.file, result, seconds) for file in files for result, seconds in file.results]


def _case(file: str, result: Rehearsal, seconds: float) -> dict[str, object]:
    return {
        "file": file,
        "title": result.test.title,
        "span": json.span_of(result.test.span),
        "passed": result.passed,
        "seconds": round(seconds, 3),
        "failures": [
            {
                "file": failure.span.source.name,
                "expected": failure.expected,
                "actual": failure.actual,
                "span": json.span_of(failure.span),
            }
            for failure in result.failures
        ],
    }


def _with_failures(files: Sequence[Tested]) -> list[Report]:
    """The reports, with a diagnostic for every expectation that is not met."""
    return [replace(file.report, diagnostics=(*file.report.diagnostics, *_failed(file))) for file in files]


def _failed(file: Tested) -> list[Diagnostic]:
    return [
        Diagnostic(_CODE, Severity.ERROR, f'"{result.test.title}": {_in_words(failure)}', failure.span)
        for result, _ in file.results
        for failure in result.failures
    ]


def _in_words(failure: Failure) -> str:
    return f"{one_line(failure.expected)}: {one_line(failure.actual)}"


def _suite(file: Tested) -> junit.Suite:
    """A case for each test. A file that can not be read, or has errors, is one case: its tests are not known."""
    report = file.report
    if report.unread or report.errors:
        case = junit.case_of(report)
        broken = replace(case, failure=None, error=case.error or case.failure)
        return junit.Suite(report.file, (broken,))
    cases = []
    for result, seconds in file.results:
        told = [*map(_in_words, result.failures)]
        more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        failure = (told[0] + more, "".join(map(_expected_and_actual, result.failures))) if told else None
        cases.append(junit.Case(result.test.title, seconds, failure))
    return junit.Suite(report.file, tuple(cases))


def _expected_and_actual(failure: Failure) -> str:
    expected = one_line(failure.expected).removeprefix("expect ")
    return f"{printable(failure.origin)}\n  expected: {expected}\n  actual: {one_line(failure.actual)}\n"
