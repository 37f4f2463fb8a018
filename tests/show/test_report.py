"""Test report, to hold what is told of a run to what happened, also where it failed or its trace was cut."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from smoadsl.runtime.events import EVENTS_VERSION, CallStarted, CallSucceeded, Event, RunStarted
from smoadsl.runtime.journal import journal_to
from smoadsl.show.report import report_text
from smoadsl.tools.cli import main
from tests.show.runs import CASES, HOSTILE, RAW, SMOA, Replies, best, case, planned, trace_of, with_hostile_names

EARLY_STOP = """\
pipeline smoa, seed 0

prompt
  What is 17 * 3?

debate round 1 of 2
  ann · ann-1 · 120 tokens · 0.0 s
    ann says 53

  bob · bob-1 · 120 tokens · 0.0 s
    bob says 53

  mallory · cid · cid-1 · 120 tokens · 0.0 s
    cid says 53

  dan · dan-1 · 120 tokens · 0.0 s
    dan says 53

  judge dan · dan-1 · 120 tokens · 0.0 s
    kept: bob (D) and mallory (C)
    dropped: ann (A) and dan (B)
    reason: they are right

  stop when agreement >= 0.9 or moderator(dan)
    the layer stops here: agreement 0, moderator(dan) yes

aggregate
  ann · ann-1 · 120 tokens · 0.0 s
    saw bob and mallory of debate round 1
    it is 51

6 calls · 720 tokens · 0.0 s
"""

TOLD = {  # what the report of a case says, in this order
    "moa": ["drafts round 2 of 2", "saw ann, bob and cid of drafts round 2", "it is 51", "7 calls"],
    "two rounds": ["goes on: agreement 0, moderator(dan) no", "debate round 2 of 2", "kept: bob", "of debate round 2"],
    "all equal": ["judge not asked: all answers are equal", "kept: ann and bob", "agreement 1", "5 calls"],
    "unreadable judge": [
        "judge dan",
        "unreadable: it is not one JSON object and nothing else",
        "I like B.",
        "judge dan · asked once more",
        "degraded: the judge dan gave no verdict that can be read; consensus decided",
        "judge consensus",
        "kept: ann and bob",
        "degraded: the moderator dan gave no verdict",
        "goes on",
        "degraded: the run did not go as it was written",
    ],
    "repaired judge": ["unreadable:", "asked once more", "kept: ann", "dropped: bob", "saw ann and dan", "7 calls"],
    "failing proposer": [
        "ann says 53",
        "failed after 0.0 s: together answered 401: the key is wrong",
        "failed: layer debate, round 1: mallory failed: together answered 401: the key is wrong",
        "4 calls · 360 tokens",
    ],
    "retried proposer": [
        "attempt 1: together answered 429: too many requests",
        "attempt 2: ok",
        "cid says 51",
        "1 retry",
    ],
    "second round fails": ["debate round 2", "degraded: layer debate", "saw ann and mallory of debate round 1"],
    "aggregate down": [
        "best first: bob, ann",
        "saw ann and bob",
        "failed after",
        "degraded: the aggregate failed",
        "bob says",
    ],
    "aggregate broken": ["saw ann and bob", "failed after", "failed: the aggregate failed: together answered 429"],
}


def flat(text: str) -> str:
    return re.sub(r"\d+\.\d s\b", "0.0 s", " ".join(text.split()))


def test_the_report_of_a_run() -> None:
    assert re.sub(r"\d+\.\d s\b", "0.0 s", report_text(case("early stop"))) == EARLY_STOP


@pytest.mark.parametrize("name", TOLD)
def test_what_is_told(name: str) -> None:
    text = flat(report_text(case(name)))
    for words in TOLD[name]:
        assert words in text
        text = text[text.index(words) + len(words) :]


@pytest.mark.parametrize("name", CASES)
def test_every_beginning_of_a_trace_has_a_report(name: str) -> None:
    trace = case(name)
    for end in range(1, len(trace)):
        beginning = trace[:end]
        text = flat(report_text(beginning))
        calls = sum(isinstance(event, CallStarted) for event in beginning)
        assert f"cut off: the trace ends before the run does {calls} call" in text
        for event in beginning:
            assert not isinstance(event, CallSucceeded) or "says" not in event.text or event.text in text


@pytest.mark.parametrize("width", [1, 2, 5, 20, 40, 80, 100])
def test_any_width_will_do(width: int) -> None:
    lines = report_text(case("unreadable judge"), width=width).split("\n")
    assert max(map(len, lines)) <= max(width, 6)


def test_in_brief_a_text_is_one_short_line() -> None:
    trace = trace_of(planned(SMOA), Replies({"ann": "ann " + "is long\n\n" * 200}, [best("ann", "bob", stop=True)]))
    assert report_text(trace).count("is long") == 200
    assert report_text(trace, brief=True).count("is long") < 30


def test_scores_and_remarks() -> None:
    pipeline = SMOA.replace("judge dan keep 2", "judge score(dan) keep 2 { feedback = true }")
    verdict = (
        '{"reason": "r", "scores": {"@ann": 5, "@bob": 1, "@cid": 4, "@dan": 2}, '
        '"remarks": {"@ann": "shorter", "@bob": "wrong", "@cid": "fine", "@dan": "vague"}, "stop": true}'
    )
    text = report_text(trace_of(planned(pipeline), Replies(judge=[verdict])))
    assert re.search(r"scores: .*ann 5", text)
    assert "remark on bob: wrong" in text
    assert "kept: ann" in text


def test_equal_answers_without_a_judge_need_no_moderator() -> None:
    pipeline = SMOA.replace("judge dan keep 2\n", "").replace("agreement >= 0.9 or ", "")
    text = report_text(trace_of(planned(pipeline), Replies(dict.fromkeys(("ann", "bob", "cid", "dan"), "51"))))
    assert "the layer stops here: moderator(dan) yes (all answers are equal)" in text
    assert "saw ann, bob, mallory and dan of debate round 1" in flat(text)


def test_a_pipeline_that_is_an_agent() -> None:
    inner = "pipeline deep {\n layer x { propose ann, bob\n judge vote() keep 1 }\n aggregate cid\n}\n"
    outer = "pipeline p {\n layer y { propose deep, dan }\n aggregate ann\n}"
    text = flat(report_text(trace_of(planned(inner + outer), Replies())))
    for words in ("deep/x round 1 of 1", "deep/ann", "deep/aggregate", "saw ann of deep/x round 1"):
        assert words in text
    assert "saw deep and dan of y round 1" in text


def hostile() -> list[Event]:
    replies = Replies({"ann": f"ann {HOSTILE}"}, [best("ann", "bob", stop=True, reason=HOSTILE)], aggregate=HOSTILE)
    return trace_of(with_hostile_names(planned(SMOA)), replies, HOSTILE)


def test_nothing_in_a_trace_can_steer_the_terminal() -> None:
    text = report_text(hostile())
    assert not RAW & set(text)
    assert text.count("[/nope]") >= 4
    assert not RAW & set(report_text(hostile(), brief=True, width=1))


# ---- the command


def reported(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["report", str(path), *options])


def written(path: Path, trace: Sequence[Event]) -> Path:
    with path.open("wb") as file:
        for event in trace:
            journal_to(file)(event)
    return path


def test_the_command_reads_what_a_run_wrote(tmp_path: Path) -> None:
    result = reported(written(tmp_path / "t.jsonl", case("early stop")), "--format", "text")
    assert result.exit_code == 0
    assert re.sub(r"\d+\.\d s\b", "0.0 s", result.stdout) == EARLY_STOP


def test_the_command_reads_what_a_crash_left(tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl", case("early stop"))
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"bob says") + 3])
    result = reported(path)
    assert result.exit_code == 0
    assert "ann says 53" in result.stdout
    assert "cut off" in result.stdout


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        result = reported(path)
        assert result.exit_code == 2
        assert str(path) in result.stderr


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"\x00\xff\n", b'{"type": "degraded\x1b[2J"}\n', b"[[[[\n"])
def test_a_file_that_is_no_trace(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    result = reported(path)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr


def test_events_that_do_not_belong_together(tmp_path: Path) -> None:
    trace = [event for event in case("early stop") if not isinstance(event, CallStarted)]
    result = reported(written(tmp_path / "t.jsonl", trace))
    assert result.exit_code == 1
    assert "is no trace of one whole run" in result.stderr


def test_a_trace_without_its_beginning_or_of_a_later_version(tmp_path: Path) -> None:
    first, *rest = case("moa")
    assert "does not begin" in reported(written(tmp_path / "t.jsonl", rest)).stderr
    assert isinstance(first, RunStarted)
    later = first.model_copy(update={"version": EVENTS_VERSION + 1})
    result = reported(written(tmp_path / "t.jsonl", [later, *rest]))
    assert result.exit_code == 1
    assert "newer" in result.stderr
