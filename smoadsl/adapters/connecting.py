"""Connecting, to begin the wait for an answer when a request has its connection, and not while that is made."""

import asyncio
from typing import Any

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.connector import Connection

from smoadsl.adapters.http import SILENCE


class Connector(TCPConnector):
    """Starts the timer of whoever asks. A trace of aiohttp's would do the same at every request's cost."""

    def __init__(self, first_byte_timeout_s: float, **options: Any) -> None:
        super().__init__(**options)
        self._first_byte_timeout_s = first_byte_timeout_s

    async def connect(self, req: ClientRequest, traces: list[Any], timeout: ClientTimeout) -> Connection:  # noqa: ASYNC109
        """A connection, from the pool or a new one."""
        connection = await super().connect(req, traces, timeout)
        silence = SILENCE.get(None)
        if silence is not None:
            silence.reschedule(asyncio.get_running_loop().time() + self._first_byte_timeout_s)
        return connection
