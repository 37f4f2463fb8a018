"""Test right, to see that a comparison looks for the right answers before it buys, and counts no row without one."""

import json
from pathlib import Path

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
