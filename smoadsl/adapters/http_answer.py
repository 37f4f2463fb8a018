"""An HTTP answer, to read a body: one that is there, or chunk by chunk within the limits of the connection."""

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import orjson

from smoadsl.adapters.base import JSON, Connection, Exchange, Fault, FaultKind
from smoadsl.adapters.limits import allowances_of, may_tell_of_limits
from smoadsl.adapters.whole import Whole

if TYPE_CHECKING:
    from smoadsl.adapters.pool import Response

BODY_LIMIT = 32 << 20
_TYPE = re.compile(rb"\r\ncontent-type:([^;\r]*)", re.IGNORECASE)
LOOK_S = 1.0  # how often a silent connection is looked at


class Answer(Protocol):
    """The body of an answer whose head was good."""

    @property
    def content_type(self) -> str:
        """What it is, without any parameters."""
        ...

    @property
    def exchange(self) -> Exchange:
        """What the answer showed so far besides its text."""
        ...

    @property
    def is_there(self) -> bool:
        """Whether all of it has come, so that nothing is waited for."""
        ...

    async def json(self) -> JSON:
        """The whole body as one JSON value."""

    async def chunk(self) -> bytes:
        """The next bytes; none at the end."""
        ...

    def progress(self) -> None:
        """Something worth waiting for has come. Whether bytes are that, the reader knows: a ping is not."""

    def close(self) -> None:
        """Nobody reads it any more."""


class There:
    """An answer of which all is there."""

    __slots__ = ("_connection", "_left", "_whole")
    is_there = True

    def __init__(self, connection: Connection, whole: Whole) -> None:
        self._connection = connection
        self._whole = whole
        self._left = whole.body

    @property
    def content_type(self) -> str:
        told = _TYPE.search(self._whole.head)
        return told[1].decode().strip().lower() if told else ""

    @property
    def exchange(self) -> Exchange:
        whole = self._whole
        return Exchange(len(whole.body), allowances_of(whole.headers) if may_tell_of_limits(whole.head) else ())

    def value(self) -> JSON:
        """The whole body as one JSON value, for which nobody has to wait."""
        return _read(self._connection.provider, self._whole.body, has_known_end=True)

    async def json(self) -> JSON:
        return self.value()

    async def chunk(self) -> bytes:
        chunk, self._left = self._left, b""
        return chunk

    def progress(self) -> None:
        pass

    def close(self) -> None:
        pass


class Coming:
    """An answer that is waited for. One that is silent is looked at now and then."""

    def __init__(self, connection: Connection, response: "Response") -> None:
        self._connection = connection
        self._response = response
        self._loop = asyncio.get_running_loop()
        self._size = 0
        self._idle_until = 0.0
        self._timer: asyncio.TimerHandle | None = None  # once it is waited for
        self._given_up: Fault | None = None

    @property
    def content_type(self) -> str:
        return type_of(self._response.headers)

    @property
    def exchange(self) -> Exchange:
        return Exchange(self._size, allowances_of(self._response.headers))

    @property
    def is_there(self) -> bool:
        return self._response.content.is_eof()

    @property
    def _has_known_end(self) -> bool:
        """False when only the closed connection says that the body is over: then a cut looks like an end."""
        return "Content-Length" in self._response.headers or "Transfer-Encoding" in self._response.headers

    def progress(self) -> None:
        self._idle_until = self._loop.time() + self._connection.idle_timeout_s

    async def chunk(self) -> bytes:
        content, name = self._response.content, self._connection.provider
        if self._timer is None and not content.is_eof() and content.total_bytes == self._size:
            self.progress()
            self._look_later()
        chunk: bytes | None
        try:
            chunk = await content.readany()
        except Exception:  # ClientPayloadError, ClientOSError: whatever its name, the body has been cut
            chunk = None
        if chunk is None:  # raised out here, so that no exception that knows the request's headers is its context
            what = f"{name} broke off in the middle of its answer"
            raise self._given_up or Fault(FaultKind.TRUNCATED, what, billed=True)
        self._size += len(chunk)
        if self._size > BODY_LIMIT:
            raise Fault(FaultKind.BAD_BODY, f"{name} sent an answer of more than {BODY_LIMIT} bytes", billed=True)
        return chunk

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._response.close()

    def _look_later(self) -> None:
        self._timer = self._loop.call_at(min(self._idle_until, self._loop.time() + LOOK_S), self._look)

    def _look(self) -> None:
        """Give up an answer of which nothing more will come. A timer for each chunk takes longer than to read it."""
        content, name = self._response.content, self._connection.provider
        if content.is_eof() or content.total_bytes > self._size:  # it is about to be read
            self._timer = self._loop.call_later(LOOK_S, self._look)
            return
        if self._is_dead():
            fault = Fault(FaultKind.PROTOCOL, f"{name} sent a body that is not readable HTTP", billed=True)
        elif self._loop.time() >= self._idle_until:
            fault = Fault(FaultKind.STALLED, f"{name} stopped in the middle of its answer", billed=True)
        else:
            self._look_later()
            return
        self._given_up = fault
        content.set_exception(TimeoutError())

    def _is_dead(self) -> bool:
        """aiohttp closes a connection with a bad chunk in it, but never tells who waits for the rest of the body."""
        connection = self._response.connection
        return connection is not None and (connection.transport is None or connection.transport.is_closing())

    async def json(self) -> JSON:
        body = await self.chunk()
        if body and not self._response.content.at_eof():
            chunks = [body]
            self.progress()
            while chunk := await self.chunk():
                chunks.append(chunk)
                self.progress()
            body = b"".join(chunks)
        return _read(self._connection.provider, body, self._has_known_end)


def type_of(headers: Mapping[str, str]) -> str:
    """What a body is by its headers, without any parameters."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _read(provider: str, body: bytes, has_known_end: bool) -> JSON:
    """The JSON that a body is. Raises the fault of one that is none."""
    kind = FaultKind.BAD_BODY
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        what = "something that is not JSON"
    if not has_known_end and _breaks_off(body):
        kind, what = FaultKind.TRUNCATED, "an answer that breaks off"
    elif not body:
        kind, what = FaultKind.EMPTY, "an empty answer"
    raise Fault(kind, f"{provider} sent {what}", billed=True)


def _breaks_off(body: bytes) -> bool:
    """Whether more bytes could have made this JSON. The cut may have gone through a character."""
    text = body.decode(errors="ignore")
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return error.pos >= len(text)
    return False
