"""Pool, to send requests over connections that are kept: aiohttp's connector and parser, and nothing else of it.

What a session of aiohttp's does besides, no model is asked with: cookies, redirects, proxies, a body that is written by
a task of its own. That took more than all the rest of a call.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from functools import cached_property
from time import monotonic

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection as Link
from multidict import CIMultiDictProxy
from yarl import URL

from smoadsl.adapters.base import Connection
from smoadsl.adapters.handler import Connector, Handler
from smoadsl.adapters.resolve import Resolver
from smoadsl.adapters.whole import Whole

_KEPT_S = 15.0  # so long an idle connection is kept

Idle = deque[tuple[Link, float]]  # connections to one place, and since when each is idle; the longest comes first


class Target(aiohttp.ClientRequest):
    """Where requests go, and how each of them begins. Nothing of one request is kept in it."""

    idle: Idle

    @cached_property
    def connection_key(self) -> ConnectionKey:
        return super().connection_key

    @cached_property
    def head(self) -> bytes:
        """All that comes before a body, but for how long that is."""
        lines = [f"{self.method} {self.url.raw_path_qs} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers.items() if name != "Content-Length"]
        return "\r\n".join(lines).encode("ascii")


class Response:
    """The head of an answer, and its body as it comes. At its end the connection goes back by itself."""

    __slots__ = ("_idle", "connection", "content", "headers", "status")

    def __init__(
        self, connection: Link, status: int, headers: CIMultiDictProxy[str], content: aiohttp.StreamReader, idle: Idle
    ) -> None:
        self.connection: Link | None = connection
        self._idle = idle
        self.status = status
        self.headers = headers
        self.content = content
        content.on_eof(self._ended)

    def _ended(self) -> None:
        link, self.connection = self.connection, None
        if link is None:
            return
        protocol = link.protocol
        if protocol is None or protocol.should_close:
            link.close()
        else:
            _keep(link, protocol.transport, self._idle)

    def close(self) -> None:
        """Take no more of it. This does nothing to a connection whose answer was read to its end."""
        link, self.connection = self.connection, None
        if link is not None:
            link.close()


class Pool:
    """One provider's connections. It is made inside the loop that then owns it."""

    def __init__(self, connection: Connection, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)
        # Our own limits are the only queue: time spent in aiohttp's would count as the provider's silence.
        self._connector = Connector(limit=0, resolver=Resolver(connection))
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connection.connect_timeout_s)
        self._loop = asyncio.get_running_loop()
        self._idle: dict[ConnectionKey, Idle] = {}

    def target(self, method: str, address: str) -> Target:
        """Where requests of this method to this address go. Raises what aiohttp does for what is no address."""
        target = Target(method, URL(address), headers=self._headers, loop=self._loop)
        target.idle = self._idle.setdefault(target.connection_key, deque())
        return target

    def idle(self, target: Target) -> Link | None:
        """Of the connections that are kept the one that was used last."""
        idle = target.idle
        while idle and monotonic() - idle[0][1] > _KEPT_S:
            idle.popleft()[0].close()
        while idle:
            link, _ = idle.pop()
            if _handler(link).is_usable:
                return link
            link.close()
        return None

    async def connect(self, target: Target) -> Link:
        """A new connection. Raises what aiohttp does."""
        try:
            return await self._connector.connect(target, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error

    async def send(self, link: Link, target: Target, payload: bytes) -> Response | Whole:
        """Send one request and wait for its answer, or for the head of it. Raises what aiohttp does."""
        try:
            handler = _handler(link)
            _write(handler.transport, target, payload)
            if (whole := await handler.answer()) is not None:
                _keep(link, handler.transport, target.idle)
                return whole
            while True:
                message, content = await handler.read()
                if not 100 <= message.code < 200 or message.code == 101:
                    return Response(link, message.code, message.headers, content, target.idle)
        except BaseException:
            link.close()
            raise

    async def aclose(self) -> None:
        for idle in self._idle.values():
            while idle:
                idle.pop()[0].close()
        await self._connector.close()


def _handler(link: Link) -> Handler:
    handler = link.protocol
    assert isinstance(handler, Handler), "the connector makes no other, and a connection is used once it stands"
    return handler


def _write(transport: asyncio.Transport | None, target: Target, payload: bytes) -> None:
    """All of a request at once. What does not leave now, the transport keeps."""
    if transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
    length = b"\r\nContent-Length: %d" % len(payload) if payload else b""
    transport.write(b"%s%s\r\n\r\n%s" % (target.head, length, payload))


def _keep(link: Link, transport: asyncio.Transport | None, idle: Idle) -> None:
    """Keep a connection whose answer is over, unless that came before all of the request had left."""
    if transport is None or transport.get_write_buffer_size():
        link.close()
    else:
        idle.append((link, monotonic()))
