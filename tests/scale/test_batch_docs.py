"""Test batch docs, to run the commands of the document on batches against a server, and see what it says come true."""

import dataclasses
import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from smoadsl.scale.records import Result
from smoadsl.tools.cli import main
from tests.adapters.attempts import completion
from tests.adapters.wall import Act, Attempt, answer
from tests.adapters.walled import walled
from tests.test_docs import ROOT, blocks

TEXT = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
BLOCKS = blocks(ROOT / "docs" / "batch.md")


def lab(attempt: Attempt) -> Iterable[Act]:
    assert not attempt.json["stream"], "nobody reads an answer while it comes"
    return [answer(completion("Air scatters blue light."))]


def test_the_commands_do_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_KEY", "a-key")
    commands = [line for block in BLOCKS if block.language == "sh" for line in block.text.splitlines()]
    (shown,) = (block.text for block in BLOCKS if block.marks.get("shown") == "batch")
    with walled(lab) as wall:
        for block in BLOCKS:
            if name := block.marks.get("file"):
                Path(name).write_text(block.text.replace("http://127.0.0.1:8139", wall.url), encoding="utf-8")
        said = [CliRunner().invoke(main, shlex.split(command)[1:]) for command in commands]
        assert len(wall.attempts) == 2 * 4, "and nothing more for what is run again"
    assert [done.exit_code for done in said] == [3, 3]
    assert said[0].stderr == shown
    assert said[1].stderr.startswith("2 answered before, 1 without an answer · 0 calls · ")
    rows = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert [row.get("id") for row in rows] == ["q1", "q2", None]
    assert rows[0]["smoadsl"]["answer"] == "Air scatters blue light."


def test_every_field_of_the_output_is_described() -> None:
    (table,) = re.findall(r"\| in `smoadsl` \| is \|\n\|---\|---\|\n((?:\|.*\n)+)", TEXT)
    described = re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in table.splitlines()))
    assert sorted(described) == sorted(["row", *(field.name for field in dataclasses.fields(Result))])
