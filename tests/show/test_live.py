"""Test live, to hold what is seen of a run while it goes on: in a log, on a terminal, and of a streamed answer."""

import io
import re
import time
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from smoadsl.adapters.base import Fault, FaultKind
from smoadsl.adapters.scripted import Scripted
from smoadsl.runtime.events import AnswerPiece, Event, RunFailed
from smoadsl.show.live import Live
from smoadsl.tools import api
from smoadsl.tools.cli import main
from tests.canary import CANARY
from tests.show.runs import (
    CASES,
    DOWN,
    HOSTILE,
    MOA,
    MODELS,
    RAW,
    SMOA,
    WHOLE,
    Replies,
    best,
    case,
    planned,
    trace_of,
    with_hostile_names,
)
from tests.show.screen import Screen, seconds, shown

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours and movements, which rich may write and others may not

EARLY_STOP = """\
debate round 1 of 2: ann, bob, mallory and dan
debate round 1: ann answered: 120 tokens · 0.0 s
debate round 1: bob answered: 120 tokens · 0.0 s
debate round 1: mallory answered: 120 tokens · 0.0 s
debate round 1: dan answered: 120 tokens · 0.0 s
debate round 1: judge dan answered: 120 tokens · 0.0 s
debate round 1: judge dan kept bob (D) and mallory (C), dropped ann (A) and dan (B): they are right
debate round 1: the layer stops here: agreement 0, moderator(dan) yes
aggregate ann answered: 120 tokens · 0.0 s
"""
ON_A_TERMINAL = """\
debate round 1 of 2
  ✓ ann      120 tokens · 0.0 s
  ✓ bob      120 tokens · 0.0 s
  ✓ mallory  120 tokens · 0.0 s
  ✓ dan      120 tokens · 0.0 s
  ✓ judge    dan kept bob (D) and mallory (C), dropped ann (A) and dan (B): they
             are right
  → stop     the layer stops here: agreement 0, moderator(dan) yes
aggregate
  ✓ ann  120 tokens · 0.0 s

"""
LOGGED = {  # what the log of a case says, in this order
    "moa": ["drafts round 2 of 2: ann, bob and cid"],
    "all equal": ["judge not asked: all answers are equal; kept ann and bob, dropped mallory and dan"],
    "unreadable judge": [
        "unreadable verdict: it is not one JSON object",
        "judge asked once more",
        "\nwarning: the judge dan gave no verdict that can be read; consensus decided\n",
        "\nwarning: the moderator dan",
    ],
    "failing proposer": [
        "debate round 1: mallory failed: together answered 401: the key is wrong\n",
        "\nerror: layer debate, round 1: mallory failed: together answered 401: the key is wrong\n",
        "\n4 calls · 360 tokens · 0.0 s\n",
    ],
    "lost event": ["\nwarning: 1 event of the answer of bob could not be read: a piece of it may be missing\n"],
    "retried proposer": ["mallory is tried again in 0.0 s: together answered 429: too many requests"],
    "second round fails": [
        "mallory failed",
        "\nwarning: layer debate, round 2: mallory failed",
        "aggregate ann answered",
    ],
    "aggregate down": ["aggregate ann failed: together", "\nwarning: the aggregate failed"],
    "aggregate broken": ["\nerror: the aggregate failed: together answered 429"],
}


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


IN_NO_ROUND = """
pipeline alone { aggregate ann { output = json(file("answer.json")) } }

pipeline gated {
  layer sparse {
    propose bob, cid, dan
    activate 2 by router(ann)
  }
  aggregate vote()
}
"""
FORM = '{"type": "object", "properties": {"value": {"type": "number"}}, "required": ["value"]}'


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        (
            "alone",
            ["aggregate ann gave no answer that fits the schema: it: 'value' is", "aggregate ann asked once more"],
        ),
        ("gated", ["sparse: router ann failed: ", "sparse round 1 of 1: bob and cid"]),
    ],
)
def test_what_stands_in_no_round_is_told_by_what_it_is(
    pipeline: str, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.moa").write_text(MODELS + IN_NO_ROUND, encoding="utf-8")
    (tmp_path / "answer.json").write_text(FORM, encoding="utf-8")
    plan = api.compile(tmp_path / "p.moa", pipeline).value
    assert plan is not None
    log = shown(trace_of(plan, Replies()), monkeypatch, streams=False, terminal=False)[2].getvalue()
    begins = [f"\n{log}".index(f"\n{words}") for words in said]
    assert begins == sorted(begins)
    for written in (log, shown(trace_of(plan, Replies()), monkeypatch, streams=False, terminal=True)[2].left):
        assert not re.search(r"round 0|^ ?:", written, re.MULTILINE)


# ---- in a log


def test_the_log_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    live, out, err = shown(case("early stop"), monkeypatch, streams=False, terminal=False)
    assert seconds(err.getvalue()) == EARLY_STOP
    assert out.getvalue() == ""
    assert not live.streamed


@pytest.mark.parametrize("name", LOGGED)
def test_what_is_logged(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = seconds(shown(case(name), monkeypatch, streams=False, terminal=False)[2].getvalue())
    for words in LOGGED[name]:
        assert words in text
        text = text[text.index(words) + len(words) - words.endswith("\n") :]


def test_a_dumb_terminal_gets_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert seconds(shown(case("early stop"), monkeypatch, streams=False, terminal=True)[2].getvalue()) == EARLY_STOP


# ---- on a terminal


def test_a_terminal_after_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, err = shown(case("early stop"), monkeypatch, streams=False, terminal=True)
    assert seconds(err.left) == ON_A_TERMINAL
    assert out.getvalue() == ""
    assert err.getvalue().count("\x1b[?25l") == err.getvalue().count("\x1b[?25h"), "the cursor is given back"


def test_the_rounds_stand_below_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(case("two rounds"), monkeypatch, streams=False, terminal=True)[2].left
    heads = [line for line in text.split("\n") if line[:1].strip()]
    assert heads == ["debate round 1 of 2", "debate round 2 of 2", "aggregate"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("failing proposer", "  ✗ mallory  failed: together answered 401"),
        (
            "failing proposer",
            "\nerror: layer debate, round 1: mallory failed: together answered 401: the key is\nwrong\n",
        ),
        ("failing proposer", "\n4 calls · 360 tokens"),
        ("unreadable judge", "  ✗ judge     unreadable: it is not one JSON object"),
        ("unreadable judge", "  ! warning:  the judge dan gave no verdict that can be read; consensus"),
        ("unreadable judge", "  ✓ judge     consensus kept ann and bob, dropped mallory and dan"),
        ("aggregate down", "  ✗ ann       failed: together answered 401"),
        ("aggregate down", "  ! warning:  the aggregate failed (together"),
    ],
)
def test_what_a_terminal_says(name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words in shown(case(name), monkeypatch, streams=False, terminal=True)[2].left


def test_a_pipeline_that_is_an_agent_shows_its_own_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = "pipeline deep {\n layer x { propose ann, bob\n judge vote() keep 1 }\n aggregate cid\n}\n"
    outer = "pipeline p {\n layer y { propose deep, dan }\n aggregate ann\n}"
    text = shown(trace_of(planned(inner + outer), Replies()), monkeypatch, streams=False, terminal=True)[2].left
    for words in (
        "  ✓ deep/ann ",
        "  ✓ deep/judge ",
        "vote() kept ann, dropped bob",
        "  ✓ deep/aggregate ",
        "  ✓ dan ",
    ):
        assert words in text
    assert "waited" not in text
    assert text.count(" round 1 of 1") == 1


def test_agents_that_share_a_request_share_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = trace_of(planned("pipeline p {\n layer y { propose ann, bob * 3, cid }\n aggregate ann\n}"), Replies())
    rows = shown(trace, monkeypatch, streams=False, terminal=True)[2].left.split("\n")
    assert [row.split("  ")[1] for row in rows[1:4]] == ["✓ ann", "✓ bob * 3", "✓ cid"]


def test_while_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = case("retried proposer")
    place = next(place for place, e in enumerate(trace) if e.type == "call_attempted" and e.wait_s is not None)
    trace[place] = trace[place].model_copy(update={"wait_s": 60.0})
    monkeypatch.setattr("sys.stderr", err := Screen())
    live = Live(streams=False, terminal=True)
    for event in trace[: place + 1]:
        live.show(event)
    time.sleep(0.25)  # it is drawn ten times a second
    live.close()
    text = err.getvalue()
    assert "retrying in 60 s: together answered 429: too many requests" in text
    assert "not waited for" in text


SKIPPED = """
pipeline p {
  layer cheap { propose ann, bob }
  layer deep when agreement < 0.9 { propose cid }
  aggregate vote()
}"""


@pytest.mark.parametrize("terminal", [False, True])
def test_a_layer_that_is_skipped_says_why(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = trace_of(planned(SKIPPED), Replies({"ann": "51", "bob": "51"}))
    screen = shown(trace, monkeypatch, streams=False, terminal=terminal)[2]
    said = " ".join((screen.left if terminal else screen.getvalue()).split())
    assert "deep skipped: agreement 1" in said


def test_the_log_of_a_pipeline_that_is_an_agent_names_each_thing_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = "pipeline deep {\n layer x { propose bob * 2 }\n aggregate cid\n}\n"
    trace = trace_of(planned(inner + "pipeline p {\n layer y { propose deep, ann }\n aggregate ann\n}"), Replies())
    lines = shown(trace, monkeypatch, streams=False, terminal=False)[2].getvalue().split("\n")
    said = {re.sub(r"(: \d+ tokens.*)$", "", line) for line in lines}
    assert {"deep/x round 1: bob * 2 answered", "deep/aggregate cid answered", "aggregate ann answered"} <= said


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", ["1", "2", "7"])
def test_a_narrow_terminal_is_no_reason_to_crash(width: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert shown(case(name), monkeypatch, streams=True, terminal=True)[2].getvalue()


def test_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.search(r"\x1b\[3\dm", shown(case("early stop"), monkeypatch, streams=False, terminal=True)[2].getvalue())
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(case("early stop"), monkeypatch, streams=False, terminal=True)[2].getvalue()
    assert not re.search(r"\x1b\[[0-9;]*[34][0-9][0-9;]*m", text)


# ---- the answer as it is written


@pytest.mark.parametrize("terminal", [True, False])
def test_the_answer_is_streamed(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    live, out, err = shown(case("early stop"), monkeypatch, streams=True, terminal=terminal)
    assert live.streamed
    assert out.getvalue() == f"{WHOLE}\n"
    assert WHOLE not in err.getvalue()
    assert ("  ▸ ann  answers" in err.left) == terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_an_answer_that_breaks_off(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, err = shown(case("aggregate broken"), monkeypatch, streams=True, terminal=terminal)
    assert out.getvalue() == "it is\n"
    assert "the text above is incomplete: it is not the answer\n" in err.left


def test_a_failure_before_any_text_speaks_of_none(monkeypatch: pytest.MonkeyPatch) -> None:
    live, out, err = shown(case("failing proposer"), monkeypatch, streams=True, terminal=False)
    assert not live.streamed
    assert out.getvalue() == ""
    assert "text above" not in err.getvalue()


def test_an_answer_that_ends_its_line_gets_no_other_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[Event] = [AnswerPiece(at_s=0.0, text=text) for text in ("a\r", "\nb", "\n")]
    assert shown(pieces, monkeypatch, streams=True, terminal=False)[1].getvalue() == "a\nb\n"


def test_a_terminal_that_can_not_write_a_character(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr("sys.stdout", out)
    live = Live(streams=True, terminal=False)
    live.show(AnswerPiece(at_s=0.0, text="naïve 東"))
    live.close()
    assert out.buffer.getvalue() == b"na\xefve \\u6771\n"


# ---- what others wrote


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("broken", [True, False])
def test_nothing_can_steer_the_terminal(terminal: bool, broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Fault(FaultKind.STATUS, HOSTILE, status=400)
    replies = Replies({"bob": f"bob {HOSTILE}"}, [best("ann", "cid", stop=True, reason=HOSTILE)], aggregate=HOSTILE)
    if broken:
        replies.agents = {"bob": fault}
    trace = trace_of(with_hostile_names(planned(SMOA)), replies, HOSTILE)
    _, out, err = shown(trace, monkeypatch, streams=True, terminal=terminal)
    assert not RAW & set(out.getvalue())
    assert not RAW & set(CODES.sub("", err.getvalue()).replace("\r", ""))
    assert not any(code in err.getvalue() for code in ("\x1b[95m", "\x1b[2J"))
    assert "[/nope]" in err.left.replace("\n", "")
    assert ("[/nope]" in out.getvalue()) != broken


# ---- the command


def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: object, replies: Replies, *options: str) -> tuple[int, bytes, str]:
    monkeypatch.setenv("TOGETHER_API_KEY", CANARY)
    monkeypatch.setattr(api, "run", partial(api.run, opener=lambda *_: Scripted(replies)))
    file = f"{tmp_path}/p.moa"
    with open(file, "w", encoding="utf-8") as written:
        written.write(f"{MODELS}\n{MOA}\n")
    result = CliRunner().invoke(main, ["run", file, "What is 17 * 3?", *options])
    return result.exit_code, result.stdout_bytes, result.stderr


def test_into_a_pipe_the_answer_goes_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    code, out, err = ran(monkeypatch, tmp_path, Replies(aggregate=HOSTILE))
    assert code == 0
    assert out == f"{HOSTILE}\n".encode()
    assert "\x1b" not in err
    assert err.endswith(" s\n")


def test_a_run_that_fails_says_so_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    code, out, err = ran(monkeypatch, tmp_path, Replies({"bob": DOWN}))
    assert (code, out) == (3, b"")
    assert err.count("error: ") == 1


def test_every_case_ends_as_it_should() -> None:
    failed = {name for name in CASES if isinstance(case(name)[-1], RunFailed)}
    assert failed == {"failing proposer", "aggregate broken"}
