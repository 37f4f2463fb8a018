"""Test artefacts, to run with a key at a provider that gives it away, and find it in nothing that is left."""

import asyncio
import os
import sys
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.adapters.wall import Act, Attempt, Ending, Wall, answer, events, head
from tests.canary import CANARY, files_that_show_it, shows_it

PROGRAM = """
provider lab = openai {{
  base_url = "{url}"
  api_key  = env("LAB_KEY")
  headers  = {{ "x-gateway" = env("LAB_KEY") }}
  retries  = 1
}}
model one = "lab/one" {{ temperature = 0 }}
model two = "lab/two" {{ temperature = 0 }}
pipeline p {{
  layer drafts {{
    propose one, two
    quorum  1 after 10s
  }}
  aggregate one
}}
"""
SAID = f"Fine. It was {CANARY}, or {CANARY.encode().hex()}, with the C that begins it."
COMMANDS = (
    ("check", "p.moa"),
    ("plan", "p.moa", "--json"),
    ("graph", "p.moa", "-o", "p.svg"),
    ("run", "p.moa", "hi", "--trace", "t.jsonl", "--cache", "--json"),
    ("run", "p.moa", "hi", "--cache"),
    ("report", "t.jsonl"),
    ("report", "t.jsonl", "--format", "html", "-o", "t.html"),
)
LOUD = (
    "import logging, runpy; logging.basicConfig(level=logging.DEBUG); runpy.run_module('smoadsl', run_name='__main__')"
)


def talkative(attempt: Attempt) -> Iterable[Act]:
    """One model answers with what it was sent, and sets a cookie; the other fails in ways that repeat it."""
    sent = f"{attempt.headers} {b64encode(attempt.headers['authorization'].encode()).decode()}"
    cookie = {"Set-Cookie": f"session={CANARY}; Path=/", "x-request-headers": CANARY}
    if attempt.json["model"] == "two":
        yield answer({"error": {"message": f"who is that? {sent}"}}, 500, cookie)
    elif attempt.json.get("stream"):
        yield head(headers={"Content-Type": "text/event-stream", "Connection": "close", **cookie})
        for place in range(0, len(SAID), 5):
            yield events({"model": CANARY, "choices": [{"index": 0, "delta": {"content": SAID[place : place + 5]}}]})
        yield events({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        yield Ending.CLOSE
    else:
        said = {"role": "assistant", "content": f"{SAID} {sent}", "reasoning_content": SAID}
        choice = {"index": 0, "message": said, "finish_reason": "stop"}
        yield answer({"model": CANARY, "choices": [choice]}, headers=cookie)


@pytest.mark.parametrize("start", [("-m", "smoadsl"), ("-X", "dev", "-c", LOUD)], ids=["usual", "every log"])
def test_a23_a_key_is_left_nowhere(start: tuple[str, ...], tmp_path: Path) -> None:
    own = {"LAB_KEY": CANARY, "PYTHONPATH": str(Path(__file__).parents[1]), "HOME": str(tmp_path), "SMOADSL_CACHE": "c"}

    async def said(*words: str) -> bytes:
        program = await asyncio.create_subprocess_exec(
            sys.executable, *start, *words, cwd=tmp_path, env={**os.environ, **own}, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(program.communicate(), 60)
        assert program.returncode == 0, err
        return out + err

    async def main() -> list[Attempt]:
        async with Wall(talkative) as wall:
            (tmp_path / "p.moa").write_text(PROGRAM.format(url=f"{wall.url}/v1"), encoding="utf-8")
            told = [await said(*words) for words in COMMANDS]
            assert not [words for words, one in zip(COMMANDS, told, strict=True) if shows_it(one)]
            assert b"[redacted]" in told[3]
            return list(wall.attempts)

    attempts = asyncio.run(main())
    assert len(attempts) >= 4
    for attempt in attempts:
        assert attempt.headers["authorization"] == f"Bearer {CANARY}"
        assert attempt.headers["x-gateway"] == CANARY
        others = {name: value for name, value in attempt.headers.items() if name not in ("authorization", "x-gateway")}
        assert not shows_it(f"{others}{attempt.path}{attempt.body!r}")  # nor a cookie that was set
    assert {"p.moa", "p.svg", "t.jsonl", "t.html", "c"} <= {path.name for path in tmp_path.iterdir()}
    assert not files_that_show_it(tmp_path)
