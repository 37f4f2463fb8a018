"""Wall, to be a provider that does to the byte what a test wants, and to remember what it saw.

An answer is a list of acts: bytes are written as they are, `Wait` waits, an `Ending` ends the connection or holds it.
What is said in HTTP is up to the caller: nothing here corrects it.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Wait:
    """Say nothing for a while."""

    seconds: float


class Ending(Enum):
    """What becomes of the connection. Without one it stays open for the next request."""

    CLOSE = "close"  # FIN, after all that was written
    RESET = "reset"  # RST, as from a machine that has lost the connection
    HOLD = "hold"  # nothing more, until the client goes away


Act = bytes | Wait | Ending


@dataclass(slots=True)
class Attempt:
    """One request as it came."""

    connection: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    left: asyncio.Event = field(default_factory=asyncio.Event)  # set once the client's end is gone

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


Script = Callable[[Attempt], Iterable[Act]]


class Wall:
    """The server: `async with Wall(script) as wall`, then `wall.url` and `wall.attempts`.

    `greeting` is played before a request is read. With `cut_body`, the request ends for us after that many bytes of
    its body.
    """

    def __init__(
        self,
        script: Script,
        greeting: Iterable[Act] = (),
        cut_body: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.attempts: list[Attempt] = []
        self.connections = 0
        self.url = ""
        self.script = script
        self.greeting = tuple(greeting)
        self.cut_body = cut_body
        self.tls = tls
        self.open: set[_Connection] = set()
        self._came = asyncio.Event()

    async def __aenter__(self) -> "Wall":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, ssl=self.tls, backlog=1024)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http{'s' if self.tls else ''}://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in tuple(self.open):
            await connection.stop()

    async def seen(self, count: int) -> None:
        """Wait until so many requests have come."""
        while len(self.attempts) < count:
            self._came.clear()
            await self._came.wait()

    def note(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        self._came.set()


class _Connection(asyncio.Protocol):
    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self._bytes = bytearray()
        self._attempt: Attempt | None = None
        self._play: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._wall.connections += 1
        self._number = self._wall.connections
        self._wall.open.add(self)
        if self._wall.greeting:
            self._start(self._wall.greeting)

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        if not self._wall.greeting and (attempt := self._take_request()) is not None:
            self._attempt = attempt
            self._wall.note(attempt)
            self._start(self._wall.script(attempt))

    def connection_lost(self, error: Exception | None) -> None:
        self._wall.open.discard(self)
        if self._attempt is not None:
            self._attempt.left.set()
        if self._play is not None:
            self._play.cancel()

    async def stop(self) -> None:
        self._transport.abort()
        if self._play is not None:
            self._play.cancel()
            await asyncio.wait([self._play])

    def _start(self, acts: Iterable[Act]) -> None:
        self._play = asyncio.get_running_loop().create_task(self._act(acts))

    async def _act(self, acts: Iterable[Act]) -> None:
        for act in acts:
            match act:
                case bytes():
                    self._transport.write(act)
                case Wait(seconds=seconds):
                    await asyncio.sleep(seconds)
                case Ending.HOLD:
                    await asyncio.Event().wait()
                case Ending.CLOSE:
                    self._transport.close()
                case Ending.RESET:
                    link: socket.socket = self._transport.get_extra_info("socket")
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self._transport.abort()

    def _take_request(self) -> Attempt | None:
        head, gap, rest = bytes(self._bytes).partition(b"\r\n\r\n")
        if not gap:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        wanted = length if self._wall.cut_body is None else min(length, self._wall.cut_body)
        if len(rest) < wanted:
            return None
        del self._bytes[: len(head) + len(gap) + length]
        method, path, _ = first.split(" ")
        return Attempt(self._number, method, path, headers, rest[:wanted])


def answer(body: bytes | Any, status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP response: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    own = {"Content-Type": "application/json", "Content-Length": f"{len(content)}"}
    return head(status, {**own, **(headers or {})}) + content


def head(status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A status line and headers."""
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


STREAM_HEAD = head(200, {"Content-Type": "text/event-stream", "Connection": "close"})
"""The head of a stream that only the closed connection ends: where a cut looks like an end."""

CHUNKED_HEAD = head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})


def chunked(content: bytes) -> bytes:
    """`content` as the one chunk of a chunked body, and the body's end."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)


def events(*values: Any) -> bytes:
    """Each value as one event, text as it is and anything else as JSON."""
    return b"".join(_event(value) for value in values)


def _event(value: Any) -> bytes:
    return b"data: %b\n\n" % (value.encode() if isinstance(value, str) else orjson.dumps(value))


def drip(content: bytes, seconds: float) -> Iterator[Act]:
    """One byte at a time."""
    for byte in content:
        yield bytes([byte])
        yield Wait(seconds)
