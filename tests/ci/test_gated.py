"""Test gated, to hold the plan's documents for CI to their schemas, to the right line, and to `docs/ci.md`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from smoadsl.tools.cli import main
from tests.ci.runner import commands
from tests.ci.test_ci_docs import TEXT
from tests.ci.test_documents import is_valid

PIPELINE = """\
model qwen = "together/qwen" { max_tokens = 1_000, price = { input = $1, output = $3 } }
model idle = "together/idle"

pipeline panel {
  layer one { propose qwen * 3 }

  aggregate qwen
}
"""
FORMATS = ["github", "sarif", "junit"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    Path("panel.moa").write_text(PIPELINE, encoding="utf-8")
    Path("broken.moa").write_text("pipeline p { aggregate n }\n", encoding="utf-8")


def plan(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plan", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["panel.moa"], 0),
        (["panel.moa", "--max-calls", "2"], 0),
        (["panel.moa", "--max-calls", "1"], 1),
        (["panel.moa", "--max-usd", "0", "--max-tokens", "5"], 1),
        (["broken.moa"], 1),
    ],
)
def test_a_document_is_valid_and_the_exit_code_that_of_the_text(format_: str, arguments: list[str], code: int) -> None:
    done = plan(*arguments, "--format", format_)
    assert done.exit_code == code == plan(*arguments).exit_code
    assert is_valid(format_, done.stdout)
    assert done.stderr == ""


def test_an_exceeded_limit_stands_beside_its_pipeline() -> None:
    told = commands(plan("panel.moa", "--max-usd", "0.0001", "--format", "github").stdout)
    (gate,) = [one for one in told if one.properties["title"] == "gate"]
    assert (gate.name, gate.properties["file"], gate.properties["line"]) == ("error", "panel.moa", "4")
    assert gate.data.startswith("cost $")
    assert [one.properties["title"] for one in told if one.name == "warning"] == ["MOA901"]
    log = json.loads(plan("panel.moa", "--max-calls", "1", "--format", "sarif").stdout)
    (result,) = [one for one in log["runs"][0]["results"] if one["ruleId"] == "gate"]
    region = result["locations"][0]["physicalLocation"]["region"]
    assert (region["startLine"], region["startColumn"], region["endColumn"]) == (4, 1, 17)


@pytest.mark.parametrize("more", [["--messages", "hi"], ["--against", "broken.moa"], ["--json"]])
def test_what_can_not_be_a_document_for_ci_is_refused(more: list[str]) -> None:
    assert plan("panel.moa", "--format", "sarif", *more).exit_code == 2


def test_the_steps_of_the_documentation_run(tmp_path: Path) -> None:
    found = re.search(r"<!-- steps -->\n```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert found
    gate, change = (step["run"] for step in YAML(typ="safe").load(found[1]))
    (tmp_path / ".git").rmdir()
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example"]
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["commit", "-qm", "x"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
    ):
        subprocess.run([*git, *words], check=True, capture_output=True)
    Path("panel.moa").write_text(PIPELINE.replace("1_000", "90_000"), encoding="utf-8")
    summary = tmp_path / "summary.md"
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    Path("smoadsl").write_text(f'#!/bin/sh\nexec {sys.executable} -m smoadsl "$@"\n', encoding="utf-8")
    Path("smoadsl").chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{beside}", "GITHUB_STEP_SUMMARY": str(summary)}
    done = subprocess.run(["bash", "-c", gate], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "::error file=panel.moa,line=4" in done.stdout
    subprocess.run(["bash", "-c", change], env=environ, check=True)
    assert "max_tokens" in summary.read_text(encoding="utf-8")
