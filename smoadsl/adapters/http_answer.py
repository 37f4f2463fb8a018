"""An HTTP answer, to read a body: one that is there, or chunk by chunk within the limits of the connection."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import orjson

from smoadsl.adapters.alarm import Alarm, Clock, Countdown
from smoadsl.adapters.base import JSON, Connection, Exchange, Fault, FaultKind
from smoadsl.adapters.limits import allowances_of, may_tell_of_limits

if TYPE_CHECKING:
    from smoadsl.adapters.pool import Response

BODY_LIMIT = 32 << 20
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

    async def json(self) -> JSON:
        """The whole body as one JSON value."""

    async def chunk(self) -> bytes:
        """The next bytes; none at the end."""
        ...

    def progress(self) -> None:
        """Something worth waiting for has come. Whether bytes are that, the reader knows: a ping is not."""


class Whole(NamedTuple):
    """An answer with status 200 that came in one piece. Its headers are read when somebody asks for them."""

    head: bytes
    body: bytes

    @property
    def headers(self) -> Mapping[str, str]:
        from multidict import CIMultiDict

        lines = self.head.decode("ascii").split("\r\n")[1:]
        return CIMultiDict([(name, value.strip()) for name, _, value in [line.partition(":") for line in lines]])


class There:
    """An answer of which all is there."""

    __slots__ = ("_connection", "_left", "_whole")

    def __init__(self, connection: Connection, whole: Whole) -> None:
        self._connection = connection
        self._whole = whole
        self._left = whole.body

    @property
    def content_type(self) -> str:
        return type_of(self._whole.headers)

    @property
    def exchange(self) -> Exchange:
        whole = self._whole
        return Exchange(len(whole.body), allowances_of(whole.headers) if may_tell_of_limits(whole.head) else ())

    async def json(self) -> JSON:
        return _read(self._connection.provider, self._whole.body, has_known_end=True)

    async def chunk(self) -> bytes:
        chunk, self._left = self._left, b""
        return chunk

    def progress(self) -> None:
        pass


class Coming:
    """An answer that is waited for. While it is silent it is looked at whenever `look` rings."""

    def __init__(self, connection: Connection, response: "Response", look: Countdown) -> None:
        self._connection = connection
        self._look = look
        self._response = response
        self._size = 0
        self._idle_until: float | None = None  # not waited for yet

    @property
    def content_type(self) -> str:
        return type_of(self._response.headers)

    @property
    def exchange(self) -> Exchange:
        return Exchange(self._size, allowances_of(self._response.headers))

    @property
    def _has_known_end(self) -> bool:
        """False when only the closed connection says that the body is over: then a cut looks like an end."""
        return "Content-Length" in self._response.headers or "Transfer-Encoding" in self._response.headers

    def progress(self) -> None:
        self._idle_until = asyncio.get_running_loop().time() + self._connection.idle_timeout_s

    async def chunk(self) -> bytes:
        name = self._connection.provider
        while (chunk := await self._listen()) is None:
            if self._is_dead():
                raise Fault(FaultKind.PROTOCOL, f"{name} sent a body that is not readable HTTP", billed=True)
            if self._idle_until is not None and asyncio.get_running_loop().time() >= self._idle_until:
                raise Fault(FaultKind.STALLED, f"{name} stopped in the middle of its answer", billed=True)
        self._size += len(chunk)
        if self._size > BODY_LIMIT:
            raise Fault(FaultKind.BAD_BODY, f"{name} sent an answer of more than {BODY_LIMIT} bytes", billed=True)
        return chunk

    async def _listen(self) -> bytes | None:
        """The next bytes, or None after some silence."""
        if self._response.content.is_eof() or self._response.content.total_bytes > self._size:
            return await self._whatever_came()  # without a timer: there is nothing to wait for
        loop = asyncio.get_running_loop()
        if self._idle_until is None:
            self.progress()
        assert self._idle_until is not None
        ends_soon = self._idle_until - loop.time() < LOOK_S
        try:
            with Alarm(Clock(self._idle_until) if ends_soon else self._look, loop):
                return await self._whatever_came()
        except TimeoutError:
            return None

    async def _whatever_came(self) -> bytes:
        try:
            return await self._response.content.readany()
        except Exception:  # ClientPayloadError, ClientOSError: whatever its name, the body has been cut
            pass
        # Raised out here, so that no exception that knows the request's headers hangs on the fault as its context.
        message = f"{self._connection.provider} broke off in the middle of its answer"
        raise Fault(FaultKind.TRUNCATED, message, billed=True)

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
