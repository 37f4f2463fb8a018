"""Test places, to hold documents to the right characters, beside emoji, tabs, marks and line ends of every kind."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.diagnostics.render import github, sarif
from smoadsl.diagnostics.render import json as as_json
from smoadsl.diagnostics.render.report import Paths, Report, told_once
from smoadsl.diagnostics.source import Source, Span
from smoadsl.plan.compile import analyse
from smoadsl.tools import formats
from smoadsl.tools.reader import DiskReader, read_source
from tests.ci.runner import commands
from tests.ci.test_documents import sarif_schema
from tests.corpus_files import SOURCE, Case, cases

PATHS = Paths("/project", "/project")
RULES = {"E1": sarif.Rule("A title", "A text.", "A text.")}
TEXTS = st.text(st.sampled_from("ab \t\r\n😀é\u2028\x85👩\u200d"), max_size=40)


def marked(log: Any, region: Any, raw: bytes) -> str:
    """What a viewer of a SARIF log marks in a file: lines by the run's line ends, columns by its kind of column."""
    run = log["runs"][0]
    assert run["columnKind"] == "utf16CodeUnits"
    text = raw.decode("utf-8-sig")
    ends = re.finditer("|".join(map(re.escape, run["newlineSequences"])), text)
    starts = [0, *(end.end() for end in ends)]

    def offset(line: int, column: int) -> int:
        units = text[starts[line - 1] :].encode("utf-16-le")[: 2 * (column - 1)]
        return starts[line - 1] + len(units.decode("utf-16-le"))

    return text[offset(region["startLine"], region["startColumn"]) : offset(region["endLine"], region["endColumn"])]


@given(TEXTS, st.data())
def test_every_format_marks_what_the_diagnostic_is_about(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    one = Diagnostic("E1", Severity.ERROR, "here", Span(Source("x.moa", text), start, end))
    reports = (Report("x.moa", (one,)),)

    log = json.loads(sarif.render(reports, PATHS, RULES, "1"))
    region = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert marked(log, region, b"\xef\xbb\xbf" + text.encode()) == text[start:end]

    place = json.loads(as_json.render(reports))["diagnostics"][0]["span"]
    assert text[place["start"]["offset"] : place["end"]["offset"]] == text[start:end]

    (command,) = commands(github.render(reports, PATHS))
    lines = re.split("\r\n|\n|\r", text)
    if "endColumn" in command.properties and "\r" not in text:
        line = lines[int(command.properties["line"]) - 1]
        columns = slice(int(command.properties["col"]) - 1, int(command.properties["endColumn"]) - 1)
        assert line[columns] == text[start:end]
    assert 1 <= int(command.properties["line"]) <= int(command.properties["endLine"]) <= len(lines)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=20)


@given(st.lists(NAMES, min_size=1, max_size=3).map("/".join))
@example("a b%20c:d?e#f.moa")
@example("é😀\udc80.moa")
@example("a/./../b.moa")
def test_a_uri_leads_to_its_file(name: str) -> None:
    if PATHS.absolute(name) is None:
        return
    source = Source(name, "x")
    report = Report(name, (Diagnostic("E1", Severity.ERROR, "here", Span(source, 0, 1)),))
    log = json.loads(sarif.render((report,), PATHS, RULES, "1"))
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"].isascii()
    path = unquote(place["uri"].removeprefix("file://"), errors="surrogateescape")
    assert (f"/project/{path}" if "uriBaseId" in place else path) == PATHS.absolute(name)


WRONG = [case for case in cases("language") if case.expected and not case.options]


def test_a_log_of_all_that_is_ever_said_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reports = [report(number, case) for number, case in enumerate(WRONG)]
    spans = {str(place(one.span)): one.span.text for each in reports for one in told_once([each])}
    log = json.loads(formats.sarif_log(reports))
    sarif_schema().validate(log)
    rules = [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]]
    assert len(log["runs"][0]["results"]) > len(WRONG) / 2
    for result in log["runs"][0]["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        (where,) = (location["physicalLocation"] for location in result["locations"])
        file = where["artifactLocation"]["uri"]
        found = marked(log, where["region"], Path(unquote(file)).read_bytes())
        assert found == spans[str((file, *where["region"].values()))]


def place(span: Span) -> tuple[object, ...]:
    return span.source.name, *span.source.place_utf16(span.start), *span.source.place_utf16(span.end)


def report(number: int, case: Case) -> Report:
    """What is said of a case, in a folder of its own; nothing where not even its text can be read."""
    for name in case.texts:
        path = Path(str(number), name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.content(name))
    file = f"{number}/{SOURCE}"
    read = read_source(file)
    return Report(file, analyse(read.value, None, DiskReader(Path())).diagnostics if read.value else ())
