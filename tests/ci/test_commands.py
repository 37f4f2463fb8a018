"""Test commands, to hold `check` and `test` to what they say of any set of files: in each format, and as exit code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from smoadsl.tools.cli import main
from tests.ci.runner import commands
from tests.ci.test_documents import is_valid

GOOD = 'model m = "groq/x"\n\npipeline p {\n  aggregate m\n}\n'
PASSES = '\ntest "passes" for p {\n  prompt "hi"\n  reply  * "x"\n  expect calls == 1\n}\n'
FAILS = '\ntest "fails" for p {\n  prompt "hi"\n  reply  * "x"\n  expect calls == 2\n  expect answer == "y"\n}\n'
FILES: Mapping[str, bytes] = {
    "good.moa": GOOD.encode(),
    "advice.moa": f'model idle = "groq/y"\n{GOOD}'.encode(),
    "broken.moa": b"\xef\xbb\xbf" + GOOD.replace("aggregate m", "aggregate n").replace("\n", "\r\n").encode(),
    "bytes.moa": b'model m = "\xff"\n',
    "passes.moa": (GOOD + PASSES).encode(),
    "fails.moa": (GOOD + PASSES + FAILS).encode(),
    "imports.moa": b'import "broken.moa"\n\npipeline q {\n  aggregate m\n}\n',
}


@dataclass(frozen=True)
class Set:
    """Files, and what comes of them: exit codes, errors by file, advice, and tests that pass and fail."""

    files: str
    check: int
    test: int
    errors: Mapping[str, int]
    advice: int = 0
    unread: int = 0
    passed: int = 0
    failed: int = 0


SETS = [
    Set("good.moa", 0, 0, {}),
    Set("advice.moa", 0, 0, {}, advice=1),
    Set("broken.moa", 1, 1, {"broken.moa": 1}),
    Set("bytes.moa good.moa", 1, 1, {"bytes.moa": 1}),
    Set("gone.moa", 2, 2, {}, unread=1),
    Set("gone.moa broken.moa good.moa", 2, 2, {"broken.moa": 1}, unread=1),
    Set("passes.moa", 0, 0, {}, passed=1),
    Set("passes.moa passes.moa", 0, 0, {}, passed=1),
    Set("fails.moa passes.moa", 0, 1, {}, passed=2, failed=1),
    Set("broken.moa fails.moa advice.moa", 1, 1, {"broken.moa": 1}, advice=1, passed=1, failed=1),
    Set("broken.moa imports.moa", 1, 1, {"broken.moa": 1, "imports.moa": 1}),
]
NAMES = ["check", "test"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "team").mkdir()
    monkeypatch.chdir(tmp_path / "team")
    for name, content in FILES.items():
        Path(name).write_bytes(content)


def smoadsl(name: str, format_: str, files: str) -> Result:
    return CliRunner().invoke(main, [name, "--format", format_, *files.split()], catch_exceptions=False)


@pytest.mark.parametrize("case", SETS, ids=lambda case: case.files)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("format_", ["text", "json", "github", "sarif", "junit"])
def test_the_exit_code_is_the_same_in_every_format(name: str, format_: str, case: Set) -> None:
    done = smoadsl(name, format_, case.files)
    assert done.exit_code == getattr(case, name)
    assert is_valid(format_, done.stdout)
    assert len(done.stderr.splitlines()) == 1 or format_ == "text", "what is said beside a document is one line"


@pytest.mark.parametrize("case", SETS, ids=lambda case: case.files)
@pytest.mark.parametrize("name", NAMES)
def test_as_json(name: str, case: Set) -> None:
    document = json.loads(smoadsl(name, "json", case.files).stdout)
    assert [file["file"] for file in document["files"]] == list(dict.fromkeys(case.files.split()))
    assert {file["file"]: file["errors"] for file in document["files"] if file["errors"]} == case.errors
    assert sum(file["advice"] for file in document["files"]) == case.advice
    assert sum(file["unread"] is not None for file in document["files"]) == case.unread
    if name == "test":
        assert [test["passed"] for test in document["tests"]].count(True) == case.passed
        failed = [test for test in document["tests"] if not test["passed"]]
        assert [test["title"] for test in failed] == ["fails"] * case.failed
        assert all(set(test) == {"file", "title", "span", "passed", "seconds", "failures"} for test in failed)


@pytest.mark.parametrize("case", SETS, ids=lambda case: case.files)
@pytest.mark.parametrize("name", NAMES)
def test_as_annotations(name: str, case: Set) -> None:
    told = commands(smoadsl(name, "github", case.files).stdout)
    expectations = 2 * case.failed * (name == "test")
    broken = len({"broken.moa" if file == "imports.moa" else file for file in case.errors})  # is told once
    assert [one.name for one in told].count("error") == broken + case.unread + expectations
    assert [one.name for one in told].count("warning") == case.advice
    assert {one.properties["file"] for one in told} <= {f"team/{file}" for file in case.files.split()}


@pytest.mark.parametrize("case", SETS, ids=lambda case: case.files)
@pytest.mark.parametrize("name", NAMES)
def test_as_sarif(name: str, case: Set) -> None:
    (run,) = json.loads(smoadsl(name, "sarif", case.files).stdout)["runs"]
    assert run["invocations"][0]["executionSuccessful"] == (not case.unread)
    assert len(run["artifacts"]) == len(set(case.files.split()))
    expectations = 2 * case.failed * (name == "test")
    assert [one["ruleId"] for one in run["results"]].count("test") == expectations
    assert all(rule["help"]["markdown"] and rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"])


@pytest.mark.parametrize("case", SETS, ids=lambda case: case.files)
def test_as_junit(case: Set) -> None:
    files = set(case.files.split())
    root = ElementTree.fromstring(smoadsl("check", "junit", case.files).stdout)
    assert root.get("tests") == str(len(files))
    assert (root.get("failures"), root.get("errors")) == (str(len(case.errors)), str(case.unread))
    assert len(root.findall(".//system-out")) == case.advice

    root = ElementTree.fromstring(smoadsl("test", "junit", case.files).stdout)
    assert root.get("tests") == str(case.passed + case.failed + len(case.errors) + case.unread)
    assert (root.get("failures"), root.get("errors")) == (str(case.failed), str(len(case.errors) + case.unread))
    assert {suite.get("name") for suite in root} == files
    timed = [float(one.get("time", "nan")) for one in root.iter("testcase") if one.find("error") is None]
    assert all(0 <= seconds < 10 for seconds in timed)


def test_a_failed_test_says_what_was_expected_and_what_was_there() -> None:
    done = smoadsl("test", "text", "fails.moa")
    assert done.stdout.startswith(
        "pass  fails.moa: passes\n"
        "FAIL  fails.moa: fails\n\n"
        "    fails.moa:16: expect calls == 2\n      calls is 1\n\n"
        '    fails.moa:17: expect answer == "y"\n      answer is "x"\n\n'
        "    what happened:\n\n"
    )
    assert done.stderr == "1 passed, 1 failed\n"

    first, second = commands(smoadsl("test", "github", "fails.moa").stdout)
    assert first.properties == {
        "file": "team/fails.moa", "line": "16", "endLine": "16", "col": "3", "endColumn": "20", "title": "test"
    }  # fmt: skip
    assert (first.data, second.data) == (
        '"fails": expect calls == 2: calls is 1',
        '"fails": expect answer == "y": answer is "x"',
    )

    (failure,) = ElementTree.fromstring(smoadsl("test", "junit", "fails.moa").stdout).iter("failure")
    assert failure.get("message") == "expect calls == 2: calls is 1 (and 1 more)"
    assert failure.text == (
        "fails.moa:16\n  expected: calls == 2\n  actual: calls is 1\n"
        'fails.moa:17\n  expected: answer == "y"\n  actual: answer is "x"\n'
    )


def test_the_last_line_counts() -> None:
    assert smoadsl("check", "json", "good.moa").stderr == "1 file: no problems\n"
    assert smoadsl("check", "json", "broken.moa gone.moa").stderr == "2 files, 1 with errors, 1 not read\n"
    assert smoadsl("test", "json", "good.moa").stderr == "no tests\n"
    assert smoadsl("test", "json", "broken.moa passes.moa").stderr == "1 passed, 0 failed; 2 files, 1 with errors\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_link_is_not_followed_out_of_the_repository(name: str, tmp_path: Path) -> None:
    (tmp_path.parent / "secret.moa").write_text("the secret of another folder", encoding="utf-8")
    Path("link.moa").symlink_to(tmp_path.parent / "secret.moa")
    Path("environ.moa").symlink_to("/proc/self/environ")
    Path("folder").symlink_to(tmp_path.parent)
    done = smoadsl(name, "text", "link.moa environ.moa folder/secret.moa")
    assert done.exit_code == 2
    assert done.stderr.count(": a link that leads out of its repository\n") == 3
    assert "the secret" not in done.output
    Path("inside.moa").symlink_to("good.moa")
    assert smoadsl(name, "text", "inside.moa").exit_code == 0
