"""Counting, to be a provider of its own process that answers chat completions and counts what it has sold.

`python -m tests.score.counting FILE`: it writes its port, then a byte for each answer, into FILE.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

_LATENCY_S = 0.005


@dataclass(frozen=True, slots=True)
class Counting:
    file: Path

    @property
    def port(self) -> int:
        return int(self.file.read_bytes().split(b"\n")[0])

    @property
    def sold(self) -> int:
        return len(self.file.read_bytes().split(b"\n", 1)[1])


@contextmanager
def counting(folder: Path) -> Iterator[Counting]:
    """The provider, until it is not needed any more."""
    file = folder / "sold"
    process = subprocess.Popen([sys.executable, "-m", "tests.score.counting", str(file)])
    try:
        until = time.monotonic() + 30
        while not (file.exists() and b"\n" in file.read_bytes()):
            assert time.monotonic() < until, "the provider did not start"
            time.sleep(0.02)
        yield Counting(file)
    finally:
        process.kill()
        process.wait()


class _Connection(asyncio.Protocol):
    def __init__(self, file: Path) -> None:
        self._file = file.open("ab", buffering=0)
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if end and len(body) >= length:
            self._read = body[length:]
            asyncio.get_running_loop().call_later(_LATENCY_S, self._answer, body[:length])

    def _answer(self, body: bytes) -> None:
        if self._transport.is_closing():
            return
        asked = orjson.loads(body)
        words = f"Answer: {len(body) % 7}"
        choice = {"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        answer = orjson.dumps({"id": "a", "model": asked["model"], "choices": [choice], "usage": usage})
        self._file.write(b".")
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
        self._transport.write(head.encode() + answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._file.close()


def _tell(file: Path, port: int) -> None:
    file.write_bytes(b"%d\n" % port)


async def _serve(file: Path) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(file), "127.0.0.1", 0)
    _tell(file, server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
