"""Test unpaid, to see a comparison stop where the money does not last for its grading, and go on with more."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from smoadsl.diagnostics.source import Source
from smoadsl.plan.plan import Plan
from smoadsl.tools import api
from smoadsl.tools.cli import main

SHIPPED = Path(__file__).parents[2] / "pipelines" / "papers" / "efficiency"


def priced(model: str) -> Plan:
    text = f'model grader = "{model}" {{ price = {{ input = $1, output = $10 }}, temperature = 0 }}'
    plan = api.compile(Source("--grader", f"{text}\npipeline grading {{ aggregate grader }}")).value
    assert plan is not None
    return plan


def test_grading_for_which_the_money_does_not_last_is_no_comparison_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smoadsl.tools.marking.grader_plan", priced)
    questions = (SHIPPED / "questions.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    few = tmp_path / "few.jsonl"
    few.write_text("".join(questions[::16]), encoding="utf-8")
    typed = ["compare", str(SHIPPED / "single.moa"), "--data", str(few), "-o", str(tmp_path / "out")]
    graded = [*typed, "--score", "just_eval", "--grader", "simulated/judge", "--max-usd"]
    done = CliRunner().invoke(main, [*graded, "0.012"])
    assert done.exit_code == 3, done.output
    assert "grading by simulated/judge: the budget of $" in done.stderr
    assert done.stderr.endswith("; a higher --max-usd goes on\n")
    done = CliRunner().invoke(main, [*graded, "100"])
    assert done.exit_code == 0, done.output
    (entry,) = json.loads((tmp_path / "out" / "comparison.json").read_bytes())["entries"]
    assert entry["scored"] == 4
