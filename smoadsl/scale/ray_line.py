"""Ray line, to send together what many tasks of one worker say: while one message is under way, the next one fills."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

_MOST_AT_ONCE = 500

Send = Callable[[bytes], Awaitable[bytes]]


class Line:
    """`send` takes a JSON list of what is said, and brings a list of as many replies."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[tuple[bytes, asyncio.Future[Any]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def ask(self, *said: Any) -> Any:
        """The reply to this. Raises what sending raises."""
        return await self._say(said)

    def tell(self, *said: Any) -> None:
        """Say it; nobody waits for a reply."""
        self._say(said).add_done_callback(lambda told: told.cancelled() or told.exception())

    def _say(self, said: tuple[Any, ...]) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((orjson.dumps(said), reply))
        if self._sending is None:
            self._sending = loop.create_task(self._work())
        return reply

    async def _work(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                await self._deliver(group)
        finally:
            self._sending = None

    async def _deliver(self, group: list[tuple[bytes, asyncio.Future[Any]]]) -> None:
        try:
            replies = orjson.loads(await self._send(b"[" + b",".join(said for said, _ in group) + b"]"))
        except Exception as error:
            for _, reply in group:
                if not reply.done():
                    reply.set_exception(error)
            return
        for (_, reply), found in zip(group, replies, strict=True):
            if not reply.done():  # else whoever asked was cancelled
                reply.set_result(found)
