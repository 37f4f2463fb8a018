"""Test exporting, to find a batch's answers in the form that each benchmark's own tools read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from smoadsl.tools.cli import main

ONE = """
model m = "simulated/m" { words = 5 }
pipeline one { aggregate m }
"""
QUESTION = {"question_id": 81, "category": "writing", "turns": ["Write a line.", "Now a shorter one."]}


def exported(folder: Path, rows: Sequence[Any], form: str, *more: str) -> tuple[str, str]:
    """What was said, and what stands in the file."""
    (folder / "one.moa").write_text(ONE)
    (folder / "rows.jsonl").write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    typed = [str(folder / "one.moa"), str(folder / "rows.jsonl"), "-o", str(folder / "out.jsonl"), "--export", form]
    done = CliRunner().invoke(main, ["batch", *typed, *more])
    (path,) = folder.glob(f"out.{form}.json*")
    assert f"{path} written" in " ".join(done.output.split())
    return done.output, path.read_text()


def answers_in(folder: Path) -> list[Any]:
    return [json.loads(line)["smoadsl"] for line in (folder / "out.jsonl").read_text().splitlines()]


def test_alpaca_eval(tmp_path: Path) -> None:
    rows = [{"instruction": "Name a bird.", "dataset": "d"}, "no json", {"instruction": "Name a fish."}]
    said, text = exported(tmp_path, rows, "alpaca_eval", "--generator", "Ours")
    first, _, last = (found["answer"] for found in answers_in(tmp_path))
    assert json.loads(text) == [
        {"instruction": "Name a bird.", "output": first, "generator": "Ours", "dataset": "d"},
        {"instruction": "Name a fish.", "output": last, "generator": "Ours"},
    ]
    assert "2 answers, without 1 that have no answer" in " ".join(said.split())


def test_just_eval(tmp_path: Path) -> None:
    _, text = exported(tmp_path, [{"id": 1, "instruction": "Name a bird.", "source_id": "s"}], "just_eval")
    (found,) = json.loads(text)
    (answer,) = answers_in(tmp_path)
    assert found["output"] == answer["answer"]
    assert (found["generator"], found["id"], found["instruction"]) == ("one", 1, "Name a bird.")


def test_both_turns_of_mt_bench(tmp_path: Path) -> None:
    _, text = exported(tmp_path, [QUESTION], "mt_bench")
    (line,) = text.splitlines()
    (answer,) = answers_in(tmp_path)
    found = json.loads(line)
    assert found["choices"] == [{"index": 0, "turns": answer["answers"]}]
    assert len(answer["answers"]) == 2
    assert (found["question_id"], found["model_id"]) == (81, "one")


@pytest.mark.parametrize(("form", "rows"), [("alpaca_eval", []), ("mt_bench", [])])
def test_nothing_is_a_whole_file_too(form: str, rows: list[Any], tmp_path: Path) -> None:
    _, text = exported(tmp_path, rows, form)
    assert text == ("[]\n" if form == "alpaca_eval" else "")


def test_a_row_that_is_none_of_the_format_is_said(tmp_path: Path) -> None:
    (tmp_path / "one.moa").write_text(ONE)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Name a bird."}\n')
    typed = [str(tmp_path / "one.moa"), str(tmp_path / "rows.jsonl"), "-o", str(tmp_path / "out.jsonl")]
    done = CliRunner().invoke(main, ["batch", *typed, "--export", "mt_bench"])
    assert done.exit_code == 3
    assert "row 1 is none of mt_bench: a row of MT-Bench needs `turns`" in " ".join(done.output.split())
    assert (tmp_path / "out.jsonl").exists(), "what was asked for is there all the same"
    assert not list(tmp_path.glob("*mt_bench*"))
