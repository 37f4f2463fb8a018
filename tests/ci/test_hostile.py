"""Test hostile, to hold every command, in every format, to words: nothing that a file says steers who reads it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from smoadsl.diagnostics.render.text import printable
from smoadsl.tools.cli import COMMANDS, main
from tests.ci.hostile import CHECKOUTS, HOSTILE, RAW
from tests.ci.runner import commands

FORMATS = ("text", "json", "github", "sarif", "junit")
FOR_EACH = [
    ("fmt", "--check"), ("fmt", "--diff"), ("fmt",), ("plan",), ("graph",), ("graph", "--format", "dot"),
    ("graph", "--format", "svg"), ("lock", "--check"),
]  # fmt: skip
ALL = [(name, "--format", format_) for name in ("check", "test") for format_ in FORMATS] + FOR_EACH
EXIST = [pytest.param(words, id=" ".join(words)) for words in ALL if words[0] in COMMANDS]


@pytest.fixture(params=CHECKOUTS)
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()
    for name, text in CHECKOUTS[request.param].files.items():
        Path(name).write_bytes(text.encode())
    return [name for name in CHECKOUTS[request.param].files if name.endswith(".moa")]


def smoadsl(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def said(words: tuple[str, ...], files: list[str]) -> list[Result]:
    return [smoadsl(*words, *files)] if words[0] in ("check", "test", "fmt") else [smoadsl(*words, f) for f in files]


@pytest.mark.parametrize("words", EXIST)
def test_what_is_said_of_a_hostile_file_is_words(words: tuple[str, ...], files: list[str]) -> None:
    for done in said(words, files):
        assert done.exit_code in (0, 1, 2)
        for stream in (done.stdout, done.stderr):
            assert not RAW & set(stream), "a sign that steers a terminal"
            assert all(ours(command.name, words) for command in commands(stream)), commands(stream)


def ours(command: str, words: tuple[str, ...]) -> bool:
    return words[-1] == "github" and command in ("error", "warning")


@pytest.mark.parametrize("name", ["check", "test"])
def test_every_annotation_is_of_a_file_that_was_given(name: str, files: list[str]) -> None:
    known = {"", *map(printable, files), "t.jinja"}
    for command in commands(smoadsl(name, "--format", "github", *files).stdout):
        assert command.properties.get("file", "") in known
        assert set(command.properties) <= {"file", "line", "endLine", "col", "endColumn", "title"}


@pytest.mark.parametrize("name", ["check", "test"])
def test_documents_can_be_read(name: str, files: list[str]) -> None:
    for format_ in ("json", "sarif"):
        assert json.loads(smoadsl(name, "--format", format_, *files).stdout)
    document = smoadsl(name, "--format", "junit", *files).stdout
    assert ElementTree.fromstring(document).tag == "testsuites"


def test_what_is_asked_for_is_no_command_either() -> None:
    for words in (("explain", HOSTILE), ("check", HOSTILE), ("fmt", HOSTILE), ("plan", HOSTILE), (HOSTILE,)):
        done = smoadsl(*(word.replace("\0", "") for word in words))
        assert done.exit_code == 2
        assert not commands(done.output)
        assert not RAW & set(done.output)


def test_the_runner_is_steered_by_what_is_not_kept_from_it() -> None:
    """That the tests above could fail."""
    assert {command.name for command in commands(HOSTILE)} >= {"set-env", "error", "add-mask", "stop-commands"}
    assert RAW & set(HOSTILE)


@pytest.mark.parametrize("name", ["in quotes", "on one line", "in a text block"])
def test_the_hostile_files_go_all_the_way(name: str, tmp_path: Path) -> None:
    """They mean something, so that plans and failed tests tell of them too."""
    path = tmp_path / "p.moa"
    path.write_bytes(CHECKOUTS[name].files["p.moa"].encode())
    assert smoadsl("check", str(path)).exit_code == 0
    assert smoadsl("plan", str(path)).exit_code == 0
    if "test " in CHECKOUTS[name].files["p.moa"]:
        assert "0 passed, 1 failed" in smoadsl("test", str(path)).stderr
