"""Test plausible, to refuse with a reason every trace that was changed into what no run can have told."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.runtime.journal import JournalError, line_of, read_whole_run
from smoadsl.tools.rehearse import rehearse
from tests.corpus_files import FOLDER
from tests.test_cli import smoadsl
from tests.test_replay import runs, trials_of

Path_ = tuple[str | int, ...]
FIRST = ("plan", "pipeline", "layers", 0)
ROUTE = (*FIRST, "agents", 0, "does", "routes", 0)


@cache
def trace(name: str = "judges") -> list[dict[str, Any]]:
    """The events of the first run of a file, as they stand in its trace."""
    told = next(runs(rehearse(trials_of(FOLDER / "run" / f"{name}.moa")[0]).events))
    return [json.loads(line_of(event)) for event in told]


def changed(lines: list[dict[str, Any]], number: int, path: Path_, value: Any) -> list[dict[str, Any]]:
    lines = copy.deepcopy(lines)
    inside: Any = lines[number - 1]
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return lines


def written(lines: list[dict[str, Any]], file: Path) -> Path:
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")  # numbers of any size
    return file


def test_what_a_run_told_is_plausible(tmp_path: Path) -> None:
    for name in ("judges", "quorum", "inner", "aggregate", "budget"):
        assert read_whole_run(written(trace(name), tmp_path / "t.jsonl"))


def test_what_is_of_the_users_has_names_of_his(tmp_path: Path) -> None:
    lines = changed(trace(), 1, ("input",), {"offset_s": -3, "in": {"posted_s": 1_700_000_000}})
    assert read_whole_run(written(lines, tmp_path / "t.jsonl"))


@pytest.mark.parametrize(
    ("number", "path", "value", "why"),
    [
        *((3, ("at_s",), far, "`at_s` is ") for far in (1e21, 1 << 70, -1, 86_400 * 31)),
        (1, ("plan", "providers", "groq", "timeout_s"), 1e21, "`timeout_s` is 1e+21 seconds"),
        (1, (*ROUTE, "provider"), "nowhere", "its plan lacks the provider `nowhere`"),
        (1, (*FIRST, "agents", 0, "does", "template"), "mine", "its plan lacks the template `mine`"),
        (1, ("plan", "templates"), {}, "its plan lacks the template `built-in repair`"),
        (1, (*FIRST, "agents", 0, "does", "routes"), [], "its plan has no route for "),
        (1, (*FIRST, "agents"), [], "has no agents"),
        (1, (*FIRST, "rounds"), 0, "has 0 rounds"),
        (1, (*FIRST, "rounds"), 1 << 40, "has 1099511627776 rounds"),
        (1, (*FIRST, "quorum"), {"count": 9, "after_s": 1.0, "origin": ""}, "waits for agents that it does not have"),
        (1, (*FIRST, "merged"), [["x"]], "asks for agents that it does not have"),
        (1, ("messages",), [], "its messages do not end with a request"),
        (1, ("plan", "pipeline", "answer"), {"kind": "regex", "detail": ["("]}, "has no answer that can be read"),
        (1, ("plan", "pipeline", "answer"), {"kind": "json", "detail": []}, "has no answer that can be read"),
    ],
)
def test_a_change_is_refused_with_its_line_and_reason(
    tmp_path: Path, number: int, path: Path_, value: Any, why: str
) -> None:
    file = written(changed(trace(), number, path, value), tmp_path / "t.jsonl")
    done = smoadsl("replay", str(file))
    assert (done.exit_code, done.stdout) == (1, ""), done.exception
    assert f"{file}:{number} can not have been told by a run: " in done.stderr
    assert why in done.stderr


def test_a_schema_that_is_none_is_refused(tmp_path: Path) -> None:
    lines = trace("rounds")
    assert lines[0]["plan"]["pipeline"]["aggregate"]["type"] == "model"
    path = ("plan", "pipeline", "aggregate", "output")
    file = written(changed(lines, 1, path, {"type": "nothing"}), tmp_path / "t.jsonl")
    with pytest.raises(JournalError, match="the schema of its answer is none: at `type`"):
        read_whole_run(file)


def places(value: Any, path: Path_ = ()) -> list[Path_]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for step, one in inner for place in places(one, (*path, step))]


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, -1, (1 << 63) - 1, 1e21, 0.5, "", "(", "{{ x.y }}", [], {}, True, [[]]]
)


@given(st.data())
def test_no_change_is_a_traceback_or_goes_on_for_ever(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    lines = trace(data.draw(st.sampled_from(["judges", "quorum", "inner", "aggregate", "stop"])))
    number = data.draw(st.sampled_from([1, *range(1, len(lines) + 1)]))
    path = data.draw(st.sampled_from(places(lines[number - 1])))
    file = tmp_path_factory.getbasetemp() / "changed.jsonl"
    done = smoadsl("replay", str(written(changed(lines, number, path, data.draw(VALUES)), file)))
    assert isinstance(done.exception, SystemExit | None), (number, path, done.exception)
    assert done.exit_code in (0, 1, 3)


def test_a_run_with_a_long_seed_comes_again(tmp_path: Path) -> None:
    (tmp_path / "p.moa").write_text('model m = "simulated/m"\npipeline p { aggregate m }\n', encoding="utf-8")
    kept = str(tmp_path / "t.jsonl")
    assert smoadsl("run", str(tmp_path / "p.moa"), "hi", "--seed", str(1 << 70), "--trace", kept).exit_code == 0
    done = smoadsl("replay", kept)
    assert done.exit_code == 0
    assert "the same run" in done.stderr
