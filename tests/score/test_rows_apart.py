"""Test rows apart, to see a ledger tell rows of one question by the fields that their answers come of."""

import json
from pathlib import Path

from click.testing import CliRunner

from smoadsl.tools.cli import main

FILE = 'model old = "input/old" {{ temperature = 0 }}\npipeline {name} {{ aggregate old }}\n'


def test_equal_questions_with_other_answers_are_not_bought_as_one(tmp_path: Path) -> None:
    rows = [{"question": "Why?", "old": text, "answer": text} for text in ("oak", "ash", "elm")]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name in ("one", "two"):
        (tmp_path / f"{name}.moa").write_text(FILE.format(name=name), encoding="utf-8")
    files = [str(tmp_path / f"{name}.moa") for name in ("one", "two")]
    words = ["compare", *files, "--data", str(tmp_path / "d.jsonl"), "-o", str(tmp_path / "made")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    entries = json.loads((tmp_path / "made" / "comparison.json").read_bytes())["entries"]
    assert [(entry["name"], entry["rows"], entry["score"]["mean"]) for entry in entries] == [
        ("one", 3, 1),
        ("two", 3, 1),
    ]
