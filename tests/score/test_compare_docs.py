"""Test compare docs, to run the commands of the document on comparing, and to hold its lists against what there is."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from smoadsl.score.named import RULES
from smoadsl.score.rubrics import GRADED
from smoadsl.tools.cli import main
from tests.test_docs import ROOT, blocks

TEXT = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
BLOCKS = blocks(ROOT / "docs" / "compare.md")


def listed(head: str) -> list[str]:
    """The scorers in the table with that head."""
    table = TEXT.split(head)[1].split("\n\n")[0]
    return [word for row in table.splitlines()[2:] for word in re.findall(r"`(\w+)[=`]", row.split("|")[1])]


def test_all_scorers_are_listed() -> None:
    assert list(dict.fromkeys(listed("| `--score` | is 1 when |"))) == list(RULES)
    assert listed("| `--score` | is |") == list(GRADED)


def test_the_commands_do_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "pipelines" / "papers" / "efficiency", tmp_path / "efficiency")
    monkeypatch.chdir(tmp_path / "efficiency")
    commands = [line for block in BLOCKS if block.language == "sh" for line in block.text.splitlines()]
    assert commands.pop(0) == "cd pipelines/papers/efficiency"
    written = []
    for command in commands:
        done = CliRunner().invoke(main, shlex.split(command)[1:])
        assert done.exit_code == 0, f"{command}\n{done.output}"
        written.append(done.stdout)
    (table,) = (block.text for block in BLOCKS if block.marks.get("shown") == "table")
    assert written[0].startswith(table)
    assert {path.name for path in Path("comparison").iterdir()} >= {"comparison.html", "comparison.json", "run"}
