"""Exchange, to make one attempt over HTTP and read its answer, whole or as a stream that is over in good order."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from smoadsl.adapters.base import JSON, Connection, Fault, FaultKind, OnText, Reply, Request
from smoadsl.adapters.gather import Gathering, Wire
from smoadsl.adapters.http import Client
from smoadsl.adapters.http_answer import Answer
from smoadsl.adapters.sse import Decoder, Event

# After the word for the end only the usage and the last marker may follow: worth a moment, never worth the answer.
_USAGE_GRACE_S = 0.5
_CLOSE_GRACE_S = 0.05  # lets the body end in good order, so that the connection can serve again


class Decodes(Protocol):
    """What turns the bytes of a stream into its events."""

    def feed(self, chunk: bytes) -> Iterator[Event]: ...

    def end(self) -> Iterator[Event]: ...


class Exchange:
    """Requests and answers of one protocol with one provider."""

    def __init__(
        self, connection: Connection, client: Client, wire: Wire, decoder: Callable[[str], Decodes] = Decoder
    ) -> None:
        self._connection = connection
        self._client = client
        self._wire = wire
        self._decoder = decoder

    async def ask(self, path: str, body: JSON, request: Request, on_text: OnText | None) -> Reply:
        """The reply to one attempt, or its fault."""
        return await self._client.post(path, body, partial(self._read, request, on_text))

    async def _read(self, request: Request, on_text: OnText | None, answer: Answer) -> Reply:
        so_far = Gathering(self._connection, request, self._wire, on_text)
        if on_text is not None and answer.content_type not in ("application/json", "text/html"):
            await self._read_stream(so_far, answer)
        else:
            so_far.take_whole(await answer.json())
        reply = so_far.reply()
        if on_text is not None and not so_far.streamed:  # asked for a stream, it answered in one piece
            on_text(reply.text)
        return reply

    async def _read_stream(self, so_far: Gathering, answer: Answer) -> None:
        """Take events until the stream is over, or until nothing that matters can follow."""
        decoder = self._decoder(self._connection.provider)
        loop = asyncio.get_running_loop()
        grace = asyncio.timeout(None)
        try:
            async with grace:
                while chunk := await answer.chunk():
                    for event in decoder.feed(chunk):
                        if so_far.take_event(event):
                            answer.progress()
                    if so_far.done:
                        grace.reschedule(loop.time() + _CLOSE_GRACE_S)
                    elif so_far.settled and grace.when() is None:
                        grace.reschedule(loop.time() + _USAGE_GRACE_S)
        except TimeoutError:
            if not grace.expired():
                raise
        except Fault as fault:
            cut = fault.kind is FaultKind.TRUNCATED
            if cut and not so_far.finished:
                _take_rest(so_far, decoder)
            if not so_far.finished or (cut and not so_far.settled):
                raise
        else:
            _take_rest(so_far, decoder)


def _take_rest(so_far: Gathering, decoder: Decodes) -> None:
    """An event that was cut off may still be whole enough to say that the answer is."""
    for event in decoder.end():
        so_far.take_event(event)
