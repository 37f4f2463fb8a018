"""Test compare, to hold each figure of a comparison against what happened, and the page against a real browser."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from click.testing import CliRunner

from smoadsl.scale.records import Result
from smoadsl.score.comparison import Amounts, Comparison, Entry, Marked, Saved, Score
from smoadsl.score.outcome import Scored
from smoadsl.show.comparison_page import Asked, comparison_page
from smoadsl.tools.cli import main
from tests.score.browser import PROGRAM, opened
from tests.score.counting import Counting, counting

SHIPPED = Path(__file__).parents[2] / "pipelines" / "papers" / "efficiency"
FILES = [str(SHIPPED / name) for name in ("single.moa", "moa.moa", "smoa.moa")]
DATA = ["--data", str(SHIPPED / "questions.jsonl")]
CLOSE = 1e-9

Events = list[dict[str, Any]]


def compare(folder: Path, *more: str) -> str:
    done = CliRunner().invoke(main, ["compare", *more, "-o", str(folder)])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "shipped"
    compare(folder, *FILES, *DATA)
    return folder


def figures_in(folder: Path) -> Mapping[str, Any]:
    read: dict[str, Any] = json.loads((folder / "comparison.json").read_bytes())
    return read


def told(folder: Path) -> dict[str, list[Events]]:
    """The events of each row, by pipeline, as the ledger has them."""
    with sqlite3.connect(folder / "run" / "ledger.sqlite3") as file:
        found: dict[str, list[Events]] = {}
        joined = "results JOIN jobs ON jobs.id = job ORDER BY job, salt"
        for name, events in file.execute(f"SELECT name, events FROM {joined}"):
            found.setdefault(name, []).append([json.loads(line) for line in events.splitlines()])
        return found


def questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SHIPPED / "questions.jsonl").read_text().splitlines()]


def of(events: Events, kind: str) -> Events:
    return [event for event in events if event["type"] == kind]


def tokens_of(events: Events) -> int:
    return sum(call["input_tokens"] + call["output_tokens"] for call in of(events, "call_succeeded"))


def usd_of(events: Events) -> float:
    """All models of the shipped set cost $0.90 for a million tokens, read or written."""
    return tokens_of(events) * 0.9e-6


def seconds_of(events: Events) -> float:
    (last,) = of(events, "run_finished")
    return float(last["at_s"])


def is_stopped(events: Events) -> bool:
    return any(check["held"] for check in of(events, "stop_checked"))


def is_right(events: Events, question: Mapping[str, Any]) -> bool:
    (last,) = of(events, "run_finished")
    claims = re.findall(r"(?im)^answer: *(.+)$", last["text"])
    return bool(claims) and claims[-1].strip().casefold() == str(question["answer"]).casefold()


def test_each_figure_follows_from_what_happened(made: Path) -> None:
    rows, found = told(made), figures_in(made)
    asked = questions()
    entries = {entry["name"]: entry for entry in found["entries"]}
    assert list(rows) == list(entries) == ["single", "moa", "smoa"]
    for name, each in rows.items():
        entry = entries[name]
        assert entry["rows"] == len(each) == len(asked) >= 60
        assert entry["scored"] == len(each)
        right = [is_right(events, question) for events, question in zip(each, asked, strict=True)]
        assert entry["score"]["mean"] == pytest.approx(fmean(right), abs=CLOSE)
        assert entry["score"]["low"] < fmean(right) < entry["score"]["high"]
        assert entry["calls"] == pytest.approx(fmean(len(of(events, "call_started")) for events in each), abs=CLOSE)
        assert entry["each"]["tokens"] == pytest.approx(fmean(map(tokens_of, each)), abs=CLOSE)
        assert entry["each"]["usd"] == pytest.approx(fmean(map(usd_of, each)), rel=1e-6)
        assert entry["each"]["seconds"] == pytest.approx(fmean(map(seconds_of, each)), rel=1e-6)
        assert sum(entry["stopped"].values()) == sum(map(is_stopped, each))
        assert entry["degraded"] == sum(bool(of(events, "degraded")) for events in each)
        for category, mean in entry["categories"].items():
            mine = [was for was, question in zip(right, asked, strict=True) if question["category"] == category]
            assert mean == pytest.approx(fmean(mine), abs=CLOSE)
        base = entries["single"]["score"]["mean"]
        improvement = (entry["score"]["mean"] - base) / base * 100
        assert entry["improvement_percent"] == pytest.approx(improvement, abs=CLOSE)
    assert len(entries["smoa"]["categories"]) == 4


def test_the_curve_is_what_the_events_say(made: Path) -> None:
    rows = told(made)
    (entry,) = [entry for entry in figures_in(made)["entries"] if entry["name"] == "smoa"]
    curve = entry["curve"]
    stopped = [events for events in rows["smoa"] if is_stopped(events)]
    others = [events for events in rows["smoa"] if not is_stopped(events)]
    share = len(stopped) / len(rows["smoa"])
    assert 0 < share < 1
    assert curve["share"] == pytest.approx(share, abs=CLOSE)
    for unit, of_row in {"tokens": tokens_of, "usd": usd_of, "seconds": seconds_of}.items():
        dense = fmean(map(of_row, rows["moa"]))
        assert curve["always"][unit] == pytest.approx(fmean(map(of_row, stopped)) / dense, rel=0.02)
        assert curve["never"][unit] == pytest.approx(fmean(map(of_row, others)) / dense, rel=0.02)
        measured = fmean(map(of_row, rows["smoa"])) / dense
        assert curve["measured"][unit] == entry["ratio"][unit] == pytest.approx(measured, rel=0.02)
        on_the_line = share * curve["always"][unit] + (1 - share) * curve["never"][unit]
        assert on_the_line == pytest.approx(measured, rel=0.02)
    assert entry["saved"]["calls"] > 0  # which is in the figures already, and told apart


def test_a_stop_saves_and_the_sparse_one_is_cheaper(made: Path) -> None:
    entries = {entry["name"]: entry for entry in figures_in(made)["entries"]}
    assert entries["smoa"]["curve"]["always"]["tokens"] < entries["smoa"]["curve"]["never"]["tokens"]
    assert entries["smoa"]["ratio"]["tokens"] < 1
    assert figures_in(made)["densest"] == "moa"


def test_the_same_command_buys_nothing_and_finds_the_same(made: Path) -> None:
    def bought() -> int:
        with sqlite3.connect(made / "run" / "ledger.sqlite3") as file:
            (count,) = file.execute("SELECT sum(answers) FROM sittings").fetchone()
        return int(count)

    before, figures = bought(), (made / "comparison.json").read_bytes()
    compare(made, *FILES, *DATA)
    assert bought() == before > 0
    assert (made / "comparison.json").read_bytes() == figures


def test_a_sweep_draws_the_trade_off(tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text("".join(json.dumps(question) + "\n" for question in questions()[::4]))
    compare(tmp_path / "out", FILES[2], "--data", str(few), "--sweep", "k", "--sweep", "rounds")
    found = figures_in(tmp_path / "out")
    assert [entry["name"] for entry in found["entries"]][:4] == [
        "smoa k=1 rounds=1", "smoa k=1 rounds=2", "smoa k=1 rounds=3", "smoa k=2 rounds=1",
    ]  # fmt: skip
    tokens = {entry["name"]: entry["each"]["tokens"] for entry in found["entries"]}
    assert tokens["smoa k=1 rounds=2"] < tokens["smoa k=2 rounds=2"] < tokens["smoa k=3 rounds=2"]
    assert tokens["smoa k=2 rounds=1"] < tokens["smoa k=2 rounds=2"]
    for plot in ("sweep-k.svg", "sweep-k.png", "sweep-rounds.svg", "quality-and-cost.svg", "efficiency.png"):
        assert (tmp_path / "out" / plot).stat().st_size > 5_000


def test_pipelines_of_one_name_are_told_apart_by_their_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.moa").write_text('model m = "simulated/m"\npipeline p { aggregate m }\n')
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Yes?", "answer": "yes"}\n')
    files = [str(tmp_path / f"{name}.moa") for name in ("one", "two")]
    compare(tmp_path / "out", *files, "--data", str(tmp_path / "rows.jsonl"), "--baseline", "two: p")
    assert [entry["name"] for entry in figures_in(tmp_path / "out")["entries"]] == ["one: p", "two: p"]
    assert figures_in(tmp_path / "out")["baseline"] == "two: p"
    done = CliRunner().invoke(main, ["compare", files[0], files[0], "--data", str(tmp_path / "rows.jsonl")])
    assert done.exit_code == 2
    assert "two of these pipelines have one name" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--sweep", "kk"], "--sweep kk: there is no param of that name"),
        (["--baseline", "moa2"], "--baseline moa2: there are single, moa, smoa"),
        (["--dense", "x"], "--dense x: there are"),
        (["--score", "exactly"], "--score exactly: no scorer is called 'exactly'"),
        (["--score", "numeric=some"], "--score numeric=some: 'some' is no number"),
        (["--score", "matches=["], "is no regular expression"),
        (["--map", "prompt"], "--map takes FIELD=COLUMN"),
    ],
)
def test_what_can_not_be_compared_is_said(typed: list[str], said: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["compare", *FILES, *DATA, *typed, "-o", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()


def test_a_file_where_a_folder_is_due_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["compare", *FILES, *DATA, "-o", str(tmp_path / "out.html")])
    assert done.exit_code == 2
    assert "this is a folder's place; the page in it is comparison.html" in " ".join(done.output.split())


def test_answers_of_two_kinds_are_compared_whole_and_that_is_told(tmp_path: Path) -> None:
    text = 'model m = "simulated/m"\npipeline {} {{ {}aggregate m }}\n'
    (tmp_path / "a.moa").write_text(text.format("text_one", ""))
    (tmp_path / "b.moa").write_text(text.format("number_one", "answer number\n"))
    (tmp_path / "rows.jsonl").write_text('{"prompt": "1 + 1?", "answer": "2"}\n')
    files = [str(tmp_path / name) for name in ("a.moa", "b.moa")]
    typed = ["compare", *files, "--data", str(tmp_path / "rows.jsonl"), "-o", str(tmp_path / "out")]
    told = "the answer of number_one is read as a number, that of text_one is not"
    assert told in CliRunner().invoke(main, typed).stderr
    assert told not in CliRunner().invoke(main, [*typed, "--score", "numeric"]).stderr


# ---- killed in the middle

TWO = """
provider lab = openai {{ base_url = "http://127.0.0.1:{port}/v1", rate = 100_000/s }}
model a = "lab/a"
model b = "lab/b"
pipeline {name} {{
  layer one {{ propose a, b }}
  aggregate {end}
}}
"""


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Counting]:
    with counting(tmp_path) as found:
        yield found


def test_killed_in_the_middle_it_goes_on_and_buys_nothing_twice(provider: Counting, tmp_path: Path) -> None:
    for name, end in (("first", "a"), ("second", "b")):
        (tmp_path / f"{name}.moa").write_text(TWO.format(port=provider.port, name=name, end=end))
    rows = [{"prompt": f"What is {number} + {number}?", "answer": "1"} for number in range(300)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    typed = [sys.executable, "-m", "smoadsl", "compare", "first.moa", "second.moa", "--data", "rows.jsonl"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for enough in (100, 700):
        process = subprocess.Popen(typed, cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while provider.sold < enough and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    done = subprocess.run(typed, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    needed = 300 * 4  # what the two propose is bought once for both
    in_flight = 2 * 8 * 2  # of each sitting that was killed: eight rows at once, two calls each
    assert needed <= provider.sold <= needed + in_flight
    bought = provider.sold
    again = subprocess.run(typed, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert provider.sold == bought


# ---- the page

browser = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium here")
WIDE = "one.naturalWidth > 300 && one.getBoundingClientRect().width > 300"
SHOWN = f"[...document.images].map(one => one.complete && {WIDE})"
ROWS = "document.querySelectorAll('.rows td:nth-child(2)').length"


@browser
def test_the_page_shows_its_plots_and_asks_nobody_for_anything(made: Path, tmp_path: Path) -> None:
    page = made / "comparison.html"
    found = opened(page, tmp_path, SHOWN, ROWS, "document.title")
    shown, rows, title = found.values
    assert shown == [True, True]
    assert rows == 64
    assert title == "3 pipelines on questions.jsonl"
    assert {request.split(":")[0] for request in found.requests} <= {"file", "data"}
    assert [request for request in found.requests if request.startswith("file")] == [page.as_uri()]


def many(rows: int) -> tuple[Comparison, list[Asked]]:
    amounts = Amounts(tokens=1, usd=1, seconds=1)
    nothing: dict[str, Any] = dict.fromkeys(("missing", "refused", "unreadable", "unknown", "ties", "degraded"), 0)
    some: dict[str, Any] = {"rows": rows, "scored": rows, "calls": 1, "input_tokens": 1, "output_tokens": 1}
    some |= {"settings": {}, "categories": {}, "category_mean": None, "stopped": {}, "priced": True}
    some |= {
        "each": amounts,
        "ratio": amounts,
        "score": Score(mean=1, low=1, high=1),
        "saved": Saved(calls=0, tokens=0),
    }
    entries = tuple(Entry(name=name, **some, **nothing) for name in ("one", "two", "three", "four"))
    marked = Marked(Result(answer="so it is", value="so"), Scored(1.0))
    asked = [Asked(number, f"What about {number}? " * 5, "so", [marked] * 4) for number in range(1, rows + 1)]
    found = Comparison(
        data="d", rows=rows, scorer="exact", worst=0, best=1, baseline="one", densest="one", entries=entries
    )
    return found, asked


@browser
def test_ten_thousand_rows_open_soon(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    found, asked = many(10_000)
    page.write_text(comparison_page(found, [], asked), encoding="utf-8")
    read = opened(page, tmp_path / "browser", ROWS)
    assert read.values == (10_000,)
    assert read.took_s < 10  # 3 s on a machine with nothing else to do


HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


@browser
def test_what_was_asked_and_answered_can_not_act(tmp_path: Path) -> None:
    found, asked = many(3)
    bad = Marked(Result(answer=HOSTILE, value=HOSTILE), Scored(0.0), {HOSTILE: Scored(0.0)})
    asked = [Asked(1, HOSTILE, HOSTILE, [bad] * 4)]
    named = found.model_copy(update={"data": HOSTILE, "scorer": HOSTILE, "baseline": HOSTILE})
    page = tmp_path / "page.html"
    page.write_text(comparison_page(named, [], asked), encoding="utf-8")
    counted = "[document.images.length, document.scripts.length, document.title.length > 3]"
    read = opened(page, tmp_path / "browser", counted)
    assert read.values[0] == [0, 0, True]
    assert [request for request in read.requests if not request.startswith("file")] == []


# ---- a model grades


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("few") / "few.jsonl"
    path.write_text("".join(json.dumps(question) + "\n" for question in questions()[::8]))
    return path


def test_a_grader_scores_by_a_rubric_and_is_asked_once(few: Path, tmp_path: Path) -> None:
    typed = [*FILES[:2], "--data", str(few), "--score", "just_eval", "--grader", "simulated/judge"]
    compare(tmp_path / "out", *typed)
    found = figures_in(tmp_path / "out")
    assert (found["scorer"], found["worst"], found["best"]) == ("just_eval by simulated/judge", 1, 5)
    for entry in found["entries"]:
        assert entry["scored"] == 8
        assert set(entry["categories"]) == {
            "helpfulness", "clarity", "factuality", "depth", "engagement", "safety",
        }  # fmt: skip
        assert entry["score"]["mean"] == pytest.approx(fmean(entry["categories"].values()), abs=CLOSE)
        assert entry["calls"] == pytest.approx({"single": 1, "moa": 9}[entry["name"]])  # the grader's are its own
    with sqlite3.connect(tmp_path / "out" / "run" / "ledger.sqlite3") as file:
        bought = file.execute("SELECT count(*) FROM calls").fetchone()
    compare(tmp_path / "out", *typed)
    with sqlite3.connect(tmp_path / "out" / "run" / "ledger.sqlite3") as file:
        assert file.execute("SELECT count(*) FROM calls").fetchone() == bought


def test_wins_are_over_the_baseline_in_both_orders(few: Path, tmp_path: Path) -> None:
    typed = [*FILES[:2], "--data", str(few), "--answer", "none", "--score", "wins", "--grader", "simulated/judge"]
    compare(tmp_path / "out", *typed)
    single, moa = figures_in(tmp_path / "out")["entries"]
    assert (single["score"]["mean"], single["ties"]) == (0.5, 8)
    assert single["length_controlled"] == pytest.approx(0.5)
    assert 0 <= moa["score"]["mean"] <= 1
    assert moa["scored"] == 8
    assert 0 < moa["length_controlled"] < 1


def test_a_grader_without_its_key_is_told_before_anything_is_bought(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    typed = [FILES[0], "--data", str(few), "--score", "ceb", "--grader", "groq/llama-3.1-8b-instant"]
    done = CliRunner().invoke(main, ["compare", *typed, "-o", str(tmp_path / "out")])
    assert done.exit_code == 3
    assert "GROQ_API_KEY groq needs it" in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()


def test_who_grades_must_be_said_and_be_of_use() -> None:
    for typed, said in (
        (["--score", "wins"], "--score wins needs a model that grades: --grader PROVIDER/ID"),
        (["--grader", "simulated/judge"], "--grader is for --score just_eval, mt_bench, flask, ceb, wins"),
        (["--score", "ceb", "--grader", "nobody/x"], "--grader nobody/x: "),
    ):
        done = CliRunner().invoke(main, ["compare", *FILES, *DATA, *typed])
        assert done.exit_code == 2
        assert said in " ".join(done.output.split())
