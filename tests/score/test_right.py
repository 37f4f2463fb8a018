"""Test right, to see that a comparison looks for the right answers before it buys, and counts no row without one."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from smoadsl.tools.cli import main


def compare(folder: Path, rows: list[str], *typed: str) -> Result:
    (folder / "p.moa").write_text('model m = "simulated/m"\npipeline p { aggregate m }\n')
    (folder / "rows.jsonl").write_text("\n".join(rows) + "\n")
    files = [str(folder / "p.moa"), "--data", str(folder / "rows.jsonl"), "-o", str(folder / "out")]
    return CliRunner().invoke(main, ["compare", *files, *typed])


def test_a_row_without_a_right_answer_counts_nowhere(tmp_path: Path) -> None:
    without = ['{"prompt": "1 + 1?"}', '{"prompt": null}', '{"prompt": "2 + 2?", "answer": null}', "{}"]
    done = compare(tmp_path, [*without, '{"prompt": null, "answer": "4"}'])
    assert done.exit_code == 0, done.output
    (entry,) = json.loads((tmp_path / "out" / "comparison.json").read_bytes())["entries"]
    assert (entry["score"]["mean"], entry["missing"], entry["unknown"]) == (0, 1, 4)
    assert "p: of 5 rows 1 without an answer, 4 without a right answer." in done.stdout


TWO = ['{"id": 1, "prompt": "1 + 1?", "solution": "2"}', '{"id": 2, "prompt": "2 + 2?", "solution": "4"}']


@pytest.mark.parametrize(
    ("rows", "typed", "said"),
    [
        (TWO, [], "none of its 2 rows has a right answer in a field `answer`. The last has `id`, `prompt`, `solution`"),
        (TWO, ["--answer", "nosuch"], "in a field `nosuch`. The last has `id`"),
        (TWO, ["--score", "contains"], "in a field `answer`"),
        (TWO[:1], [], "its only row has no right answer in a field `answer`. It has `id`"),
        ([*TWO, '{"prompt": "3 + 3?", "answer": null}', "no row"], [], "none of its 4 rows"),
    ],
)
def test_right_answers_are_looked_for_before_anything_is_bought(
    rows: list[str], typed: list[str], said: str, tmp_path: Path
) -> None:
    done = compare(tmp_path, rows, *typed)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert "--answer FIELD names where it is" in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("rows", "typed"),
    [
        (TWO, ["--answer", "solution"]),
        (TWO, ["--score", "matches=2"]),
        (TWO, ["--score", "wins", "--grader", "simulated/judge"]),
        ([*TWO, '{"prompt": "3 + 3?", "answer": "6"}'], []),  # one is enough
        (["no row"], []),  # what can not be read says nothing
    ],
)
def test_who_has_or_needs_none_is_not_refused(rows: list[str], typed: list[str], tmp_path: Path) -> None:
    done = compare(tmp_path, rows, *typed)
    assert done.exit_code == 0, done.output


def test_what_there_is_one_of_is_said_as_one(tmp_path: Path) -> None:
    done = compare(tmp_path, ['{"prompt": null, "answer": "2"}'])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "1 pipeline on rows.jsonl" in page
    assert "1 row of rows.jsonl" in done.stdout
    assert "p: of 1 row 1 without an answer." in done.stdout
    assert not re.search(r"\b1 (rows|calls|tokens|pipelines)\b", page + done.stdout)
