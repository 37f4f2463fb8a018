"""Whole, to take an answer that comes in one piece as it stands, and to leave all others to aiohttp's parser.

Most answers are small, plain, and there at once. The parser, and the stream that it makes of such a one, would take
more than all the rest of reading it.
"""

import asyncio
import re
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from smoadsl.adapters.http_answer import Whole

_LONGEST_HEAD = 4_096
_HEAD = re.compile(rb"HTTP/1\.1 200(?: [ -~]*+)?(?:\r\n[A-Za-z0-9-]++:[ -~]*+)*+")
_FRAMING = re.compile(
    rb"\r\n(content-length|transfer-encoding|content-encoding|connection|proxy-connection|upgrade|trailer): *+([ -~]*+)"
)
_LENGTH = re.compile(rb"[0-9]{1,9}")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,7})\r\n")


def whole_of(data: bytes) -> Whole | None:
    """The answer, if that is all there is, and there is nothing to it: what the parser would make of it, or None."""
    end = data.find(b"\r\n\r\n", 0, _LONGEST_HEAD)
    head, place = data[: max(end, 0)], end + 4
    if not _HEAD.fullmatch(head):
        return None
    told = _FRAMING.findall(head.lower())
    framing = {name: value.rstrip() for name, value in told}
    if len(framing) < len(told) or framing.pop(b"connection", b"keep-alive") != b"keep-alive" or len(framing) != 1:
        return None
    length = framing.get(b"content-length", b"")
    if framing.get(b"transfer-encoding") == b"chunked":
        body = _joined(data, place)
    else:
        body = data[place:] if _LENGTH.fullmatch(length) and place + int(length) == len(data) else None
    return None if body is None else Whole(head, body)


def _joined(data: bytes, place: int) -> bytes | None:
    """The body that comes in the chunks from that place on, if the last of them is there."""
    chunks: list[bytes] = []
    while (size := _CHUNK.match(data, place)) is not None:
        end = size.end() + int(size[1], 16)
        chunk = data[size.end() : end]
        place = end + 2
        if data[end:place] != b"\r\n":
            return None
        if not chunk:
            return b"".join(chunks) if place == len(data) else None
        chunks.append(chunk)
    return None


class Handler(ResponseHandler):
    """aiohttp's, which waits with its parser until it is seen that an answer needs it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._first: asyncio.Future[Whole | None] | None = None  # while no byte of an answer has come

    @property
    def is_usable(self) -> bool:
        """Whether a request can be sent: the connection stands, and nothing came that was not asked for."""
        transport = self.transport
        return not (transport is None or transport.is_closing() or self._tail or self._buffer)

    def answer(self) -> "asyncio.Future[Whole | None]":
        """The answer to what was just sent, once it is there as a whole; None when `read` gives what comes of it."""
        self._parser = None
        self._first = first = self._loop.create_future()
        if self._exception is not None:
            first.set_result(None)
        return first

    def data_received(self, data: bytes) -> None:
        first = self._first
        if first is None:
            super().data_received(data)
            return
        self._first = None
        whole = whole_of(data)
        if whole is None:
            self.set_response_params(read_until_eof=True, auto_decompress=False)
            super().data_received(data)
        if not first.done():
            first.set_result(whole)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        if self._first is not None and not self._first.done():
            self._first.set_result(None)


class Connector(aiohttp.TCPConnector):
    """aiohttp's, for connections with a `Handler`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(Handler, loop=self._loop)  # type: ignore[assignment]
