"""Junit, to give results to what reads those of tests: the XML that Jenkins, GitLab and many others understand.

Its form is the one that Jenkins validates with, `junit-10.xsd` of github.com/jenkinsci/xunit-plugin.
"""

from collections.abc import Sequence
from xml.etree import ElementTree

from smoadsl.classes import dataclass
from smoadsl.diagnostics.render.report import Report
from smoadsl.diagnostics.render.text import LOG_COMMAND, printable
from smoadsl.diagnostics.render.text import render as render_text


@dataclass(frozen=True, slots=True)
class Case:
    """One test: passed, unless it has a `failure` (its message, and all of it) or an `error` (it could not be run).

    Lines of `failure`, `error` and `said` must be printable.
    """

    name: str
    seconds: float | None = None
    failure: tuple[str, str] | None = None
    error: tuple[str, str] | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    name: str
    cases: tuple[Case, ...]


def suite_of(reports: Sequence[Report]) -> Suite:
    """A case for each file: failed where it has errors, and one that only says something where it has advice."""
    return Suite("smoadsl check", tuple(case_of(report) for report in reports))


def case_of(report: Report) -> Case:
    if report.unread:
        return Case(report.file, error=(report.unread, ""))
    text = render_text(report.diagnostics)
    if report.errors:
        return Case(report.file, failure=(f"{report.errors} error{'s' * (report.errors != 1)}", text))
    return Case(report.file, said=text)


def render(suites: Sequence[Suite]) -> str:
    """The suites as one document; all of it is ASCII."""
    root = ElementTree.Element("testsuites", _counts([case for suite in suites for case in suite.cases]))
    for suite in suites:
        counts = _counts(suite.cases)
        group = ElementTree.SubElement(root, "testsuite", {"name": printable(suite.name), **counts})
        for case in suite.cases:
            _add(group, suite, case)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True).decode("ascii")
    return LOG_COMMAND.sub("#&#35;", text) + "\n"


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.failure is not None for case in cases)),
        "errors": str(sum(case.error is not None for case in cases)),
    }
    timed = [case.seconds for case in cases if case.seconds is not None]
    return counts | ({"time": f"{sum(timed):.3f}"} if timed else {})


def _add(group: ElementTree.Element, suite: Suite, case: Case) -> None:
    given = {"name": printable(case.name), "classname": printable(suite.name)}
    time = {} if case.seconds is None else {"time": f"{case.seconds:.3f}"}
    element = ElementTree.SubElement(group, "testcase", given | time)
    for kind, found in (("failure", case.failure), ("error", case.error)):
        if found is not None:
            told = ElementTree.SubElement(element, kind, {"message": printable(found[0]), "type": kind})
            told.text = found[1]
    if case.said:
        ElementTree.SubElement(element, "system-out").text = case.said
