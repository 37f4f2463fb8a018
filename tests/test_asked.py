"""Test asked, to see `run` and `batch` read a row alike."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from smoadsl.scale.rows import Data
from smoadsl.tools.cli import main

FILE = 'model m = "simulated/m"\npipeline p { aggregate m }\n'
TALK = [{"role": "user", "content": "first"}, {"role": "assistant", "content": "so"}, {"role": "user", "content": "m"}]

# a row, and what it asks; or why it asks nothing
ASKED: list[tuple[dict[str, Any], str]] = [
    ({"prompt": "p", "question": "q"}, "p"),
    ({"question": "q", "instruction": "i"}, "i"),
    ({"turns": ["t"]}, "t"),
    ({"turns": ["t"], "prompt": "p"}, "t"),
    ({"messages": TALK, "turns": ["t"], "prompt": "p"}, "m"),
]
NOT_ASKED: list[tuple[dict[str, Any], str]] = [
    ({"prompt": 1}, "`prompt` must be a text"),
    ({"turns": []}, "`turns` must be a list of texts"),
    ({"turns": "t", "prompt": "p"}, "`turns` must be a list of texts"),
    ({"messages": TALK[:2], "prompt": "p"}, "the last message must be the user's"),
]


def run(folder: Path, row: dict[str, Any]) -> tuple[int, str, str]:
    """How `smoadsl run` ends, what it asked and what it said."""
    (folder / "p.moa").write_text(FILE)
    (folder / "row.json").write_text(json.dumps(row))
    typed = ["run", "p.moa", "--input", "row.json", "--trace", "trace.jsonl"]
    done = CliRunner().invoke(main, [word if "." not in word else str(folder / word) for word in typed])
    trace = folder / "trace.jsonl"
    asked = json.loads(trace.read_text().splitlines()[0])["messages"][-1]["content"] if trace.exists() else ""
    return done.exit_code, asked, " ".join(done.stderr.split())


def read(folder: Path, row: dict[str, Any]) -> str:
    """What a batch reads in the row."""
    (folder / "rows.jsonl").write_text(json.dumps(row))
    data = Data(folder / "rows.jsonl")
    (one,) = data.rows()
    return data.turns(one)[0].prompt


@pytest.mark.parametrize(("row", "asked"), ASKED)
def test_a_row_asks_the_same_of_a_run_and_of_a_batch(row: dict[str, Any], asked: str, tmp_path: Path) -> None:
    assert run(tmp_path, row)[:2] == (0, asked)
    assert read(tmp_path, row) == asked


@pytest.mark.parametrize(("row", "why"), NOT_ASKED)
def test_what_is_no_question_is_none_for_both(row: dict[str, Any], why: str, tmp_path: Path) -> None:
    code, asked, said = run(tmp_path, row)
    assert (code, asked) == (2, "")
    assert said.startswith("error: --input ")
    assert why in said
    with pytest.raises(ValueError, match=why):
        read(tmp_path, row)


def test_a_run_asks_one_of_several_turns_for_none(tmp_path: Path) -> None:
    code, asked, said = run(tmp_path, {"turns": ["a", "b"], "prompt": "c"})
    assert (code, asked) == (2, "")
    assert said.endswith("`turns` has 2 texts, and a run asks one: `smoadsl batch` asks them one after the other")
