"""Test asked, to see `run` and `batch` read a row alike, and nobody asked for nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import smoadsl
from smoadsl.adapters.base import Adapter, Connection, Message
from smoadsl.adapters.scripted import Scripted
from smoadsl.scale.rows import Data
from smoadsl.tools import api
from smoadsl.tools.cli import main
from smoadsl.tools.virtual_clock import run_virtually

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
    ({"prompt": ""}, "the prompt is empty"),
    ({"question": " \n\t"}, "the prompt is empty"),
    ({"turns": [""]}, "the prompt is empty"),
    ({"turns": ["a", " "]}, "`turns` has an empty text"),
    ({"messages": [*TALK[:2], {"role": "user", "content": " "}]}, "the prompt is empty"),
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


# ---- nobody is asked for nothing

INNER = """
model m = "ollama/m"
pipeline inner {
  layer one { propose m }
  aggregate m
}
pipeline p {
  layer one { propose inner }
  aggregate m
}
"""
NOTHING = (Message("user", "first"), Message("assistant", "so"), Message("user", " \n"))


@pytest.mark.parametrize("prompt", ["", " \n\t", smoadsl.Conversation(NOTHING)])
def test_an_empty_prompt_makes_no_call(prompt: str | smoadsl.Conversation) -> None:
    told: list[smoadsl.Event] = []
    with pytest.raises(smoadsl.RunError, match=r"^the prompt is empty$"):
        run_virtually(api.run(source(), prompt, on_event=told.append, opener=opened))
    assert [event.type for event in told] == ["run_started", "run_failed"]


def test_what_asks_something_is_asked_down_to_the_agents() -> None:
    for messages in (NOTHING[:1], (*NOTHING[:2], Message("user", "0"))):
        answer = run_virtually(api.run(source(), smoadsl.Conversation(messages), opener=opened))
        assert answer.totals.calls == 3


def source() -> smoadsl.Plan:
    outcome = smoadsl.compile(smoadsl.Source("p.moa", INNER), "p")
    assert outcome.value is not None
    return outcome.value


def opened(kind: str, connection: Connection) -> Adapter:
    return Scripted(lambda request: "fine")


def test_a_row_that_asks_nothing_is_a_row_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.moa").write_text(FILE)
    (tmp_path / "rows.csv").write_text('id,prompt\n1,\n2,"  "\n3,p\n')
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["batch", "p.moa", "rows.csv", "-o", "out.jsonl"])
    assert done.exit_code == 3
    found = [json.loads(line)["smoadsl"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(one["error"], one["calls"]) for one in found] == [("the prompt is empty", 0)] * 2 + [("", 1)]


def test_a_value_is_a_text_in_either_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the document on batches says: a number keeps all its digits."""
    (tmp_path / "p.moa").write_text('model given = "input/said"\npipeline p {\n  answer number\n  aggregate given\n}\n')
    (tmp_path / "row.json").write_text('{"prompt": "17 * 35?", "said": "It is 595.00000000000000000001, so"}')
    (tmp_path / "rows.json").write_text(f"[{(tmp_path / 'row.json').read_text()}]")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["run", "p.moa", "--input", "row.json", "--json"])
    assert json.loads(done.stdout)["value"] == "595.00000000000000000001"
    assert CliRunner().invoke(main, ["batch", "p.moa", "rows.json", "-o", "out.jsonl"]).exit_code == 0
    assert json.loads((tmp_path / "out.jsonl").read_text())["smoadsl"]["value"] == "595.00000000000000000001"
