"""Test failures, to see as a user does what a run says when it has no answer: one sentence, and exit code 3."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from tests.adapters.wall import Act, Attempt, Ending, Wall, answer
from tests.canary import CANARY

PIPELINE = """
provider lab = openai {{ base_url = "{url}", api_key = env("LAB_KEY"), retries = 0 }}
model a = "lab/a"
model b = "lab/b"
model c = "lab/c"
model last = "lab/last"
pipeline p {{
  layer drafts repeat 2 {{
    propose a, b, c
    judge   a keep 2 {{ {judge} }}
  }}
  aggregate last {{ otherwise = fail }}
}}
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a user was left with."""

    code: int
    out: str
    err: str
    trace: list[dict[str, object]]

    @property
    def said(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("error:")]

    @property
    def paid(self) -> list[object]:
        """The responses that are in the trace."""
        return [event["text"] for event in self.trace if event["type"] == "call_succeeded"]


def chat(text: str) -> bytes:
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    message = {"role": "assistant", "content": text}
    return answer(
        {"model": "x", "usage": usage, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    )


def reply(attempt: Attempt) -> Iterable[Act]:
    """Each model says its name; the judge asks for a schema, and gets a verdict that fits. No answer is streamed, as
    nobody reads it while it comes."""
    assert not attempt.json["stream"]
    if "response_format" in attempt.json:
        yield chat('{"reason": "so", "best": ["A", "B"]}')
    elif attempt.json["model"] == "last":
        yield chat("the answer")
    else:
        yield chat(f"I am {attempt.json['model']}")


def run(
    script: Callable[[Attempt], Iterable[Act]], folder: Path, judge: str = "", url: str = "", traced: str = "t.jsonl"
) -> Ended:
    async def main() -> Ended:
        async with Wall(script) as wall:
            file = folder / "p.moa"
            file.write_text(PIPELINE.format(url=url or f"{wall.url}/v1", judge=judge), encoding="utf-8")
            command = [sys.executable, "-m", "smoadsl", "run", str(file), "hi", "--trace", str(folder / traced)]
            root = str(Path(__file__).parents[1])
            process = await asyncio.create_subprocess_exec(
                *command,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, "LAB_KEY": CANARY, "PYTHONPATH": root},
            )
            out, err = await asyncio.wait_for(process.communicate(), 60)
            kept = (folder / traced).read_bytes() if traced == "t.jsonl" else b""
            trace = [orjson.loads(line) for line in kept.splitlines()]
            assert process.returncode is not None
            return Ended(process.returncode, out.decode(), err.decode(), trace)

    return asyncio.run(main())


def test_all_is_well(tmp_path: Path) -> None:
    ended = run(reply, tmp_path)
    assert (ended.code, ended.out, ended.said) == (0, "the answer\n", [])
    assert len(ended.paid) == 9


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk here that is always full")
def test_a_trace_that_can_not_be_written_costs_no_answer(tmp_path: Path) -> None:
    ended = run(reply, tmp_path, traced="/dev/full")
    assert (ended.code, ended.out) == (3, "the answer\n")
    assert ended.said == ["error: --trace /dev/full: No space left on device: the trace is not whole"]


def down(_: Attempt) -> Iterable[Act]:
    yield Ending.CLOSE


def refused(attempt: Attempt) -> Iterable[Act]:
    yield answer({"error": {"message": f"Incorrect API key provided: {CANARY}"}}, 401)


def truncated(attempt: Attempt) -> Iterable[Act]:
    if attempt.json["model"] == "last":
        yield chat("the answer")[:-9]
        yield Ending.CLOSE
    else:
        yield from reply(attempt)


def rambling(attempt: Attempt) -> Iterable[Act]:
    if "response_format" in attempt.json:
        yield chat("I like the second one best!")
    else:
        yield from reply(attempt)


@pytest.mark.parametrize(
    ("script", "judge", "words", "paid"),
    [
        (refused, "", ["lab", "key", "401"], 0),
        (down, "", ["lab", "closed"], 0),
        (truncated, "", ["aggregate", "broke off"], 8),
        (rambling, "otherwise = fail", ["judge", "a", "no verdict"], 5),
    ],
    ids=["a wrong key", "a provider that hangs up", "a truncated answer", "an unreadable judge"],
)
def test_a_run_without_an_answer(
    script: Callable[[Attempt], Iterable[Act]], judge: str, words: list[str], paid: int, tmp_path: Path
) -> None:
    ended = run(script, tmp_path, judge)
    assert (ended.code, ended.out) == (3, ""), ended.err
    assert len(ended.said) == 1, ended.err
    assert all(word in ended.said[0] for word in words), ended.said
    assert CANARY not in ended.err + orjson.dumps(ended.trace).decode()
    assert "Traceback" not in ended.err
    assert len(ended.paid) == paid  # what was paid for is in the trace
    assert ended.trace[-1]["type"] == "run_failed"


def test_a_provider_that_is_not_there(tmp_path: Path) -> None:
    ended = run(reply, tmp_path, url="http://127.0.0.1:9/v1")
    assert (ended.code, ended.out) == (3, "")
    assert "can not be reached" in ended.said[0]


def test_an_unreadable_judge_is_never_silent(tmp_path: Path) -> None:
    ended = run(rambling, tmp_path)
    assert (ended.code, ended.out) == (0, "the answer\n")
    assert "warning: the judge a gave no verdict that can be read; consensus decided" in ended.err
