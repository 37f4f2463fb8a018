"""Server, to be a provider that costs next to nothing: fixed answers in the chat completions protocol, after a delay.

The model's name says how long an answer takes: `mock-300` answers after 300 ms, `mock` at once. A request that wants a
stream gets 200 events in ten writes: one after the other, or of `mock-each-1` 1 ms apart. With `slots`, no more than so
many requests are worked on at once; others wait.

It never sleeps, unless it is told to. On a virtual machine who sends to a process that sleeps is charged for waking it,
5 to 15 µs a call, and the more of that the slower a client is. Who asks a provider behind a network pays nothing of the
kind.
"""

import asyncio
import re
import sys
from collections import deque
from functools import partial
from itertools import cycle, islice

import orjson

EVENTS = 200
WRITES = 10
TEXT = (
    "Rayleigh scattering sends short waves of sunlight aside far more than long ones, so that from all over the sky "
    "blue reaches the eye, while of the sun itself a little red and yellow is left. At dusk the path through the air "
    "is long, and the blue is gone before the light arrives."
)
_MODEL = re.compile(rb'"model":\s*"mock(?:-(\d+))?')
_EACH = re.compile(rb'"model":\s*"mock[^"]*-each-(\d+)')
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_STREAMS = re.compile(rb'"stream":\s*true')


def _whole() -> bytes:
    body = orjson.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "mock",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 120, "completion_tokens": 60, "total_tokens": 180},
        }
    )
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


def _pieces() -> list[bytes]:
    """The answer as a stream, cut into the pieces that are written."""

    def event(delta: dict[str, str], finish: str | None = None, **more: object) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "mock"}
        return b"data: " + orjson.dumps({**told, "choices": [choice], **more}) + b"\n\n"

    usage = {"prompt_tokens": 120, "completion_tokens": EVENTS, "total_tokens": 120 + EVENTS}
    events = [event({"role": "assistant", "content": ""})]
    events += [event({"content": f"{word} "}) for word in islice(cycle(TEXT.split()), EVENTS - 2)]
    events += [event({}, "stop", usage=usage) + b"data: [DONE]\n\n"]
    size = EVENTS // WRITES
    chunks = [b"".join(events[at : at + size]) for at in range(0, EVENTS, size)]
    framed = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head + framed[0], *framed[1:-1], framed[-1] + b"0\r\n\r\n"]


_WHOLE, _PIECES = _whole(), _pieces()


class Slots:
    """Who is worked on, and who waits."""

    def __init__(self, count: int) -> None:
        self._free = count
        self.served = 0
        self._waiting: deque[tuple[_Connection, bytes]] = deque()

    def take(self, connection: "_Connection", request: bytes) -> None:
        if self._free:
            self._free -= 1
            connection.begin(request)
        else:
            self._waiting.append((connection, request))

    def give_back(self) -> None:
        self.served += 1
        if self._waiting:
            connection, request = self._waiting.popleft()
            connection.begin(request)
        else:
            self._free += 1


class _Connection(asyncio.Protocol):
    """One connection, on which one request follows the other."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._got = bytearray()
        self._needed = 0  # bytes of the request under way, once its head has told them

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._got += data
        while self._got:
            if not self._needed:
                end = self._got.find(b"\r\n\r\n")
                if end < 0:
                    return
                length = _LENGTH.search(self._got, 0, end)
                self._needed = end + 4 + (int(length[1]) if length else 0)
            if len(self._got) < self._needed:
                return
            request = bytes(self._got[: self._needed])
            del self._got[: self._needed]
            self._needed = 0
            self._slots.take(self, request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def begin(self, request: bytes) -> None:
        delay = _MODEL.search(request)
        delay_s = int(delay[1]) / 1000 if delay and delay[1] else 0.0
        answer = self._answer
        if _STREAMS.search(request):
            each = _EACH.search(request)
            answer = partial(self._stream, int(each[1]) / 1000 if each else 0.0)
        if delay_s:
            self._loop.call_later(delay_s, answer)
        else:
            answer()

    def _answer(self) -> None:
        self._write(_WHOLE)
        self._slots.give_back()

    def _stream(self, each_s: float, place: int = 0) -> None:
        self._write(_PIECES[place])
        if place + 1 < len(_PIECES):
            self._loop.call_later(each_s, self._stream, each_s, place + 1)
        else:
            self._slots.give_back()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def serve(slots: int, awake: bool) -> None:
    """Serve on a free port of this machine until standard input ends, `awake` or as any server does. The port is
    printed, and at the end how many requests were answered."""
    loop = asyncio.get_running_loop()

    def stay_awake() -> None:
        loop.call_soon(stay_awake)

    if awake:
        stay_awake()
    held = Slots(slots)
    server = await loop.create_server(lambda: _Connection(held), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(held.served, flush=True)


def main() -> None:
    """`python -m benchmarks.server SLOTS [sleeps]`."""
    from benchmarks.loops import new_loop

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(int(sys.argv[1]), awake="sleeps" not in sys.argv))


if __name__ == "__main__":
    main()
