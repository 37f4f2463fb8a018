"""Test documents, to hold each format to what is saved of it, and to its published schema."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from xmlschema import XMLSchema

from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.diagnostics.render import github, junit, sarif, text
from smoadsl.diagnostics.render import json as as_json
from smoadsl.diagnostics.render.report import MOST_REPORTED, Report, told_once
from smoadsl.diagnostics.source import Source, Span
from tests.ci.told import EMOJI, PATHS, REPORTS, RULES, SHARED, TYPED

HERE = Path(__file__).parent
SCHEMAS = HERE.parent / "schemas"

DOCUMENTS: dict[str, Callable[[tuple[Report, ...]], str]] = {
    "text.txt": lambda reports: text.render(told_once(reports)),
    "json.json": as_json.render,
    "github.txt": lambda reports: github.render(reports, PATHS),
    "sarif.json": lambda reports: sarif.render(reports, PATHS, RULES, "1.2.3"),
    "junit.xml": lambda reports: junit.render([junit.suite_of(reports)]),
}


@cache
def sarif_schema() -> Draft4Validator:
    return Draft4Validator(json.loads((SCHEMAS / "sarif-2.1.0.json").read_bytes()))


@cache
def junit_schema() -> XMLSchema:
    return XMLSchema(str(SCHEMAS / "junit-10.xsd"))


def is_valid(name: str, document: str) -> bool:
    """Whether a document is in the format that its name says."""
    if name.startswith("sarif"):
        sarif_schema().validate(json.loads(document))
    elif name.startswith("junit"):
        junit_schema().validate(StringIO(document))
    elif name.startswith("json"):
        json.loads(document)
    return True


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_as_saved(name: str, accepting: bool) -> None:
    document = DOCUMENTS[name](REPORTS)
    assert is_valid(name, document)
    saved = HERE / "saved" / name
    if accepting:
        saved.write_text(document, encoding="utf-8", newline="")
    assert document == saved.read_bytes().decode()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_to_say_is_a_document_too(name: str) -> None:
    assert is_valid(name, DOCUMENTS[name]((Report("fine.moa"),)))
    assert is_valid(name, DOCUMENTS[name](()))


def test_a_schema_refuses_what_is_wrong() -> None:
    log = json.loads(DOCUMENTS["sarif.json"](REPORTS))
    log["runs"][0]["results"][0]["level"] = "advice"
    assert not sarif_schema().is_valid(log)
    assert not junit_schema().is_valid(StringIO("<testsuites><testcase/></testsuites>"))


# ---- what programs build on


def test_the_form_of_the_json_document() -> None:
    """Who changes this raises the version."""
    document = json.loads(DOCUMENTS["json.json"](REPORTS))
    assert shape(document) == {
        "version": "int",
        "files": [{"file": "str", "errors": "int", "advice": "int", "unread": "NoneType"}],
        "diagnostics": [
            {
                "file": "str",
                "code": "str",
                "severity": "str",
                "message": "str",
                "help": "str",
                "span": {"start": PLACE, "end": PLACE},
                "related": [],
            }
        ],
        "left_out": "int",
    }
    assert document["version"] == 1
    assert shape(document["diagnostics"][3]["related"][0]) == {
        "file": "str",
        "message": "str",
        "span": {"start": PLACE, "end": PLACE},
    }


PLACE = {"offset": "int", "line": "int", "column": "int", "utf16_column": "int"}


def shape(value: Any) -> Any:
    """The keys and types of a document; of a list, those of its first item."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value[:1]] if isinstance(value, list) else type(value).__name__


def test_places_in_the_json_document() -> None:
    first, second, *_ = json.loads(DOCUMENTS["json.json"](REPORTS))["diagnostics"]
    assert first["span"] == {
        "start": {"offset": 15, "line": 2, "column": 7, "utf16_column": 7},
        "end": {"offset": 17, "line": 2, "column": 9, "utf16_column": 10},
    }
    at = second["span"]["start"]
    assert EMOJI.text[at["offset"] :].startswith("tab")
    assert (at["line"], at["column"]) == (3, 8)


def test_files_are_named_from_the_root() -> None:
    log = json.loads(DOCUMENTS["sarif.json"](REPORTS))
    places = [one["locations"][0]["physicalLocation"]["artifactLocation"] for one in results(log) if one["locations"]]
    assert {(place["uri"], place.get("uriBaseId")) for place in places} == {
        ("team/emoji.moa", "%SRCROOT%"),
        ("shared.moa", "%SRCROOT%"),
        ("file:///elsewhere/far%20away.moa", None),
    }
    assert PATHS.inside(SHARED.name) == "shared.moa"
    assert PATHS.inside(TYPED.name) is PATHS.inside("<stdin>") is PATHS.inside("/projects/x.moa") is None


def results(log: Any) -> list[Any]:
    return list(log["runs"][0]["results"])


def test_what_two_files_say_of_a_third_is_said_once() -> None:
    twice = (REPORTS[2], Report("others.moa", REPORTS[2].diagnostics))
    assert len(json.loads(as_json.render(twice))["diagnostics"]) == 1
    assert github.render(twice, PATHS).count("\n") == 1


def test_a_fingerprint_stays_when_lines_move_and_differs_between_equal_lines() -> None:
    def prints(reports: tuple[Report, ...]) -> list[str]:
        log = json.loads(sarif.render(reports, PATHS, RULES, "1"))
        return [one["partialFingerprints"]["primaryLocationLineHash"] for one in results(log)]

    def report(text: str) -> tuple[Report, ...]:
        source = Source("x.moa", text)
        marks = [Span(source, at, at + 1) for at, sign in enumerate(text) if sign == "!"]
        return (Report("x.moa", tuple(Diagnostic("E1", Severity.ERROR, "a mark", mark) for mark in marks)),)

    before, moved = prints(report("a!\nb!\nb!\n")), prints(report("new\n\na!\n  b!\n\nb!\n"))
    assert before == moved
    assert len(set(before)) == 3


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_has_an_end(name: str) -> None:
    example = REPORTS[0].diagnostics[0]
    many = tuple(replace(example, message=f"mistake {number}") for number in range(5 * MOST_REPORTED))
    document = DOCUMENTS[name]((Report("x.moa", many),))
    assert len(document) < 2_000_000
    assert is_valid(name, document)
    assert f"{5 * MOST_REPORTED} errors" in document or str(4 * MOST_REPORTED) in document
