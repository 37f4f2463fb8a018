"""Seller, to be a provider in a process of its own that writes down each call before it answers: what was bought.

Run as `python -m tests.scale.seller FOLDER DELAY_S`: the folder gets `port`, and `sold`, a line of JSON for each call.
"""

import asyncio
import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.adapters.wall import Act, Attempt, Wait, Wall, answer
from tests.canary import CANARY

ROOT = Path(__file__).parent.parent.parent


class Seller:
    """What a seller in another process has written down."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{(self._folder / 'port').read_text()}"

    def sold(self) -> list[dict[str, Any]]:
        """Each call: `what` it was, by a digest of what was asked, `at` what time, and whether it came with a `key`."""
        *lines, _ = (self._folder / "sold").read_bytes().split(b"\n")  # the last may still be on its way
        return [orjson.loads(line) for line in lines]


@contextmanager
def selling(folder: Path, delay_s: float, environ: dict[str, str]) -> Iterator[Seller]:
    """A seller, for as long as the block lasts."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.scale.seller", str(folder), str(delay_s)]
    process = subprocess.Popen(command, cwd=ROOT, env=environ)
    try:
        deadline = time.monotonic() + 20
        while not (folder / "port").exists():
            assert time.monotonic() < deadline, "the seller does not begin"
            time.sleep(0.02)
        yield Seller(folder)
    finally:
        process.terminate()
        process.wait()


async def _sell(folder: Path, delay_s: float) -> None:
    with (folder / "sold").open("ab", buffering=0) as sold:

        def script(attempt: Attempt) -> Iterator[Act]:
            asked = attempt.json
            what = hashlib.sha256(orjson.dumps((asked["messages"], asked["model"]))).hexdigest()
            has_key = attempt.headers.get("authorization", "").startswith("Bearer CANARY-")
            sold.write(orjson.dumps({"what": what, "at": time.time(), "key": has_key}) + b"\n")
            yield Wait(delay_s)
            message = {"role": "assistant", "content": f"an answer to {asked['messages'][-1]['content'][-40:]}"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 10, "completion_tokens": 5}
            yield answer({"id": "1", "model": asked["model"], "choices": [choice], "usage": usage})

        async with Wall(script) as wall:
            (folder / "port.new").write_text(wall.url.rpartition(":")[2])
            (folder / "port.new").rename(folder / "port")
            await asyncio.Event().wait()


def environ_with_key(environ: dict[str, str]) -> dict[str, str]:
    """An environment that has the tests' key, as `SELLER_KEY`."""
    return {**environ, "SELLER_KEY": CANARY, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    asyncio.run(_sell(Path(sys.argv[1]), float(sys.argv[2])))
