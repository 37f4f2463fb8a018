"""Test recordings, to have a run come again from what was kept of it, without the server that answered it."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from smoadsl.tools.cli import main
from tests.adapters.attempts import LAST, completion, piece
from tests.adapters.wall import Act, Attempt, Ending, Wait, answer, events, head
from tests.adapters.walled import walled

CANARY = "CANARY-5f2c-recordings"
FILE = """
provider acme = openai { base_url = "%s/v1", api_key = env("ACME_KEY") }
model quick = "acme/quick" { temperature = 0.7, price = { input = $1, output = $1 } }
model lame  = "acme/lame" { price = { input = $1, output = $1 } }
model boss  = "acme/boss" { price = { input = $1, output = $1 } }
pipeline p {
  layer drafts repeat 2 {
    propose quick * 3, lame
    quorum  3 after 100ms
    judge   boss keep 2
  }
  aggregate boss
}
"""


class Provider:
    """A server whose model `quick` never says the same twice and is limited once; `lame` never answers at all."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, attempt: Attempt) -> Iterable[Act]:
        asked = attempt.json
        self.asked[asked["model"]] += 1
        number = self.asked[asked["model"]]
        if asked["model"] == "lame":
            return [Ending.HOLD]
        if asked["model"] == "quick" and number == 2:
            return [answer({"error": {"message": "slow down"}}, 429, {"Retry-After": "0.2"})]
        if asked.get("response_format") is not None:
            best = asked["response_format"]["json_schema"]["schema"]["properties"]["best"]["items"]["enum"][:2]
            return [answer(completion(orjson.dumps({"best": best}).decode()))]
        text = f"The {asked['model']} says {number}."
        if not asked.get("stream"):
            return [answer(completion(text))]
        body = events(piece(text[:5]), piece(text[5:]), LAST, "[DONE]")
        return [head(200, {"Content-Type": "text/event-stream", "Content-Length": f"{len(body)}"}) + body]


def smoadsl(*arguments: str | Path, key: str = "") -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], env={"ACME_KEY": key})


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A folder with a run's file, cassette and trace, and what the run wrote. Its server is gone."""
    folder = tmp_path_factory.mktemp("kept")
    file = folder / "p.moa"
    with walled(Provider()) as wall:
        file.write_text(FILE % wall.url, encoding="utf-8")
        done = smoadsl("run", file, "Why?", "--record", folder / "tapes", "--trace", folder / "trace", key=CANARY)
    assert done.exit_code == 0, done.output
    return folder, done


def test_a_recorded_run_comes_again_without_key_or_server(kept: tuple[Path, Result]) -> None:
    folder, done = kept
    assert re.fullmatch(r"The boss says \d+\.\n", done.stdout)
    again = smoadsl("run", folder / "p.moa", "Why?", "--replay", folder / "tapes")
    assert (again.exit_code, again.stdout) == (0, done.stdout), again.stderr


def test_no_key_is_in_what_is_kept(kept: tuple[Path, Result]) -> None:
    files = [path for path in kept[0].rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [path for path in files if CANARY in path.read_text(encoding="utf-8")]


def test_what_a_recording_lacks_is_an_error_that_says_what(kept: tuple[Path, Result]) -> None:
    folder, _done = kept
    other = smoadsl("run", folder / "p.moa", "Why not?", "--replay", folder / "tapes")
    assert (other.exit_code, other.stdout) == (3, "")
    assert "does not hold a request to acme/quick" in other.stderr
    assert 'which ends with "Why not?"' in other.stderr


def test_one_tape_that_is_gone_is_not_got_over(kept: tuple[Path, Result], tmp_path: Path) -> None:
    folder, _done = kept
    for tape in (folder / "tapes").glob("*.json"):
        if orjson.loads(tape.read_bytes())["request"]["model"] != "lame":
            (tmp_path / tape.name).write_bytes(tape.read_bytes())
    again = smoadsl("run", folder / "p.moa", "Why?", "--replay", tmp_path)
    assert (again.exit_code, again.stdout) == (3, ""), "three of four would do for the quorum"
    assert "does not hold a request to acme/lame" in again.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--replay", "nowhere"), "--replay nowhere: there is no such folder"),
        (("--replay", ".", "--record", "x"), "give one of them"),
        (("--record", __file__), "--record"),
        (("--record", "x", "--cache"), "--record with --cache"),
    ],
)
def test_options_that_can_not_be(kept: tuple[Path, Result], options: tuple[str, ...], words: str) -> None:
    done = smoadsl("run", kept[0] / "p.moa", "Why?", *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr


# ---- traces


def test_a_run_comes_again_from_its_trace_alone(kept: tuple[Path, Result]) -> None:
    folder, done = kept
    again = smoadsl("replay", folder / "trace")
    assert (again.exit_code, again.stdout) == (0, done.stdout), again.stderr
    lines = len((folder / "trace").read_bytes().splitlines())
    assert f"the same run: all {lines} events are those of the trace" in again.stderr


def test_a_trace_shows_what_the_test_is_for(kept: tuple[Path, Result]) -> None:
    told = [orjson.loads(line) for line in (kept[0] / "trace").read_bytes().splitlines()]
    outcomes = Counter(event["outcome"] for event in told if event["type"] == "call_attempted")
    assert outcomes["status"] == 1
    assert outcomes["cancelled"] == 2
    assert outcomes["ok"] == 9


def changed(trace: Path, what: str, by: str) -> str:
    text = trace.read_text(encoding="utf-8")
    assert what in text
    return text.replace(what, by)


ASKED = '"role":"user","content":"Why?"'
END = re.compile(r'"run_finished","text".*"degraded":\[[^]]*\]')
EDITS: dict[str, tuple[Callable[[Path], str], str]] = {
    "cut": (lambda trace: trace.read_text()[:-40], "breaks off at line"),
    "empty": (lambda _: "", "is no trace: it does not begin with the start of a run"),
    "other": (lambda _: "hello\n", ":1 is no event of a trace"),
    "newer": (lambda trace: changed(trace, 'started","version":1', 'started","version":7'), "by a newer smoadsl"),
    "answer": (lambda trace: changed(trace, '"text":"The quick says 1."', '"text":"No."'), "does not go as"),
    "seed": (lambda trace: changed(trace, '"seed":0}', '"seed":1}'), "does not go as"),
    "prompt": (lambda trace: trace.read_text().replace(ASKED, ASKED.replace("Why", "How"), 1), "does not hold"),
    "interrupted": (
        lambda trace: END.sub('"run_failed","message":"interrupted"', trace.read_text()),
        "of a run that was interrupted",
    ),
    "lacking": (
        lambda trace: re.sub(r'"answer":\{"choices".*?\},"shown', '"answer":null,"shown', trace.read_text()),
        "can not be run again: it does not hold what attempt 1 of call 1 brought",
    ),
}


@pytest.mark.parametrize(("edit", "words"), EDITS.values(), ids=EDITS.keys())
def test_a_trace_that_was_cut_or_changed_is_refused(
    kept: tuple[Path, Result], tmp_path: Path, edit: Callable[[Path], str], words: str
) -> None:
    trace = tmp_path / "trace"
    trace.write_text(edit(kept[0] / "trace"), encoding="utf-8")
    again = smoadsl("replay", trace)
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr.splitlines()[-1].startswith("error: ")
    assert words in again.stderr.splitlines()[-1]


def test_a_run_without_an_answer_has_none_again(tmp_path: Path) -> None:
    with walled(lambda _: [answer({"error": {"message": "no"}}, 400)]) as wall:
        (tmp_path / "p.moa").write_text(FILE % wall.url, encoding="utf-8")
        done = smoadsl("run", tmp_path / "p.moa", "Why?", "--trace", tmp_path / "trace", key=CANARY)
    again = smoadsl("replay", tmp_path / "trace")
    assert (done.exit_code, again.exit_code, again.stdout) == (3, 3, "")
    failed = [line for line in done.stderr.splitlines() if "acme found the request wrong" in line]
    assert failed
    assert set(failed) <= set(again.stderr.splitlines())
    assert "the same run: all" in again.stderr


WAYS = """
provider acme = openai { base_url = "%s/v1" }
model slow = "acme/slow" { hedge = 50ms }
model long = "acme/long" { length = "grow" }
pipeline p {
  layer drafts { propose slow, long }
  aggregate long
}
"""


class Wayward:
    """A server whose model `slow` leaves every first copy without an answer, and whose `long` cuts every short one."""

    def __init__(self) -> None:
        self.slow = 0

    def __call__(self, attempt: Attempt) -> Iterable[Act]:
        asked = attempt.json
        if asked["model"] == "slow":
            self.slow += 1
            return [Ending.HOLD] if self.slow == 1 else [answer(completion("Slowly."))]
        whole = asked["max_tokens"] > 2048
        return [answer(completion("A whole answer." if whole else "A whole", "stop" if whole else "length"))]


def test_hedges_longer_answers_and_the_cache_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOADSL_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "p.moa"
    with walled(Wayward()) as wall:
        file.write_text(WAYS % wall.url, encoding="utf-8")
        for trace in ("first", "second"):
            done = smoadsl("run", file, "Why?", "--cache-samples", "--trace", tmp_path / trace)
            assert (done.exit_code, done.stdout) == (0, "A whole answer.\n"), done.output
    outcomes = set()
    for trace in ("first", "second"):
        told = [orjson.loads(line) for line in (tmp_path / trace).read_bytes().splitlines()]
        outcomes |= {event["outcome"] for event in told if event["type"] == "call_attempted"}
        again = smoadsl("replay", tmp_path / trace)
        assert (again.exit_code, again.stdout) == (0, "A whole answer.\n"), again.stderr
    assert outcomes == {"ok", "hedge_lost", "length", "cached"}


FIRST_TEXT = """
provider acme = openai { base_url = "%s/v1", ttft = 400ms }
model steady = "acme/steady"
model silent = "acme/silent" { fallback = steady }
model refuses = "acme/refuses" { fallback = steady, fallback_on_refusal = true }
pipeline p {
  layer drafts { propose steady, silent, refuses }
  aggregate steady
}
"""


def begins_in_time(attempt: Attempt) -> Iterable[Act]:
    """A server whose model `steady` says a word at once and the rest much later, and whose `silent` says nothing."""
    if attempt.json["model"] == "silent":
        return [Ending.HOLD]
    if attempt.json["model"] == "refuses":
        body = events(piece(refusal="No."), LAST, "[DONE]")
        return [head(200, {"Content-Type": "text/event-stream", "Content-Length": f"{len(body)}"}) + body]
    first, rest = events(piece("Slowly, ")), events(piece("and surely."), LAST, "[DONE]")
    start = head(200, {"Content-Type": "text/event-stream", "Content-Length": f"{len(first + rest)}"})
    return [start + first, Wait(0.6), rest]


def test_what_began_in_time_does_so_again(tmp_path: Path) -> None:
    file, tapes, trace = tmp_path / "p.moa", tmp_path / "tapes", tmp_path / "trace"
    with walled(begins_in_time) as wall:
        file.write_text(FIRST_TEXT % wall.url, encoding="utf-8")
        done = smoadsl("run", file, "Why?", "--record", tapes, "--trace", trace)
        assert (done.exit_code, done.stdout) == (0, "Slowly, and surely.\n"), done.output
    for again in (smoadsl("replay", trace), smoadsl("run", file, "Why?", "--replay", tapes)):
        assert (again.exit_code, again.stdout) == (0, done.stdout), again.stderr
    told = [orjson.loads(line) for line in trace.read_bytes().splitlines()]
    attempts = [event for event in told if event["type"] == "call_attempted"]
    assert sorted(event["outcome"] for event in attempts) == ["ok"] * 4 + ["refused", "timeout"]
    for event in attempts:
        assert (event["text_after_s"] is not None) is (event["outcome"] == "ok")
        assert event["outcome"] != "ok" or event["text_after_s"] < 0.4 < event["elapsed_s"]


def test_what_broke_off_unseen_was_asked_again_and_is_so_in_a_replay(tmp_path: Path) -> None:
    times = 0

    def breaks_off(attempt: Attempt) -> Iterable[Act]:
        nonlocal times
        times += 1
        start = head(200, {"Content-Type": "text/event-stream", "Connection": "close"}) + events(piece("At "))
        return [start, Ending.CLOSE] if times == 1 else [start, events(piece("last."), LAST, "[DONE]"), Ending.CLOSE]

    file, tapes = tmp_path / "p.moa", tmp_path / "tapes"
    with walled(breaks_off) as wall:
        text = (
            'provider acme = openai { base_url = "%s/v1", ttft = 4s }\nmodel a = "acme/a"\npipeline p { aggregate a }'
        )
        file.write_text(text % wall.url, encoding="utf-8")
        done = smoadsl("run", file, "Why?", "--record", tapes)
    assert (done.exit_code, done.stdout) == (0, "At last.\n"), done.output
    again = smoadsl("run", file, "Why?", "--replay", tapes)
    assert (again.exit_code, again.stdout) == (0, done.stdout), again.stderr


# ---- caps


def test_a_cap_ends_a_run_early_and_keeps_its_answer(kept: tuple[Path, Result], tmp_path: Path) -> None:
    with walled(Provider()) as wall:
        file = tmp_path / "p.moa"
        file.write_text(FILE % wall.url, encoding="utf-8")
        done = smoadsl("run", file, "Why?", "--max-calls", "7", "--json", key=CANARY)
    assert done.exit_code == 0, done.output
    told = orjson.loads(done.stdout)
    assert told["totals"]["calls"] <= 7
    assert "the budget of 7 calls is spent" in " ".join(told["degraded"])


def test_a_cap_in_dollars_is_not_exceeded(tmp_path: Path) -> None:
    with walled(Provider()) as wall:
        file = tmp_path / "p.moa"
        file.write_text(FILE % wall.url, encoding="utf-8")
        done = smoadsl("run", file, "Why?", "--max-usd", "0.0000001", key=CANARY)
        assert (done.exit_code, done.stdout) == (3, "")
        said = (
            r"the budget of \$0\.0000001 does not hold a call that may cost \$0\.\d+ beside \$0\.\d+ for the aggregate"
        )
        assert re.search(said, " ".join(done.stderr.split()))
        assert wall.attempts == []


def test_a_cap_in_dollars_needs_prices(tmp_path: Path) -> None:
    file = tmp_path / "p.moa"
    file.write_text('provider a = openai { base_url = "http://127.0.0.1:9/v1" }\nmodel m = "a/unheard-of"\n'
                    "pipeline p { aggregate m }\n", encoding="utf-8")  # fmt: skip
    done = smoadsl("run", file, "Why?", "--max-usd", "1")
    assert done.exit_code == 2
    assert "a limit in dollars needs the prices of a/unheard-of: add `price" in done.stderr
