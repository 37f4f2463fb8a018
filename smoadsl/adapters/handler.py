"""Handler, to hear what comes over a connection: an answer in one piece as it stands, others by aiohttp's parser."""

import asyncio
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from smoadsl.adapters.whole import Whole, whole_of


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
