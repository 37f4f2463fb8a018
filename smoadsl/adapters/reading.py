"""Reading, to read the answer to one request, whole or as a stream that is over in good order."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from smoadsl.adapters.base import Connection, Fault, FaultKind, OnText, Reply, Request
from smoadsl.adapters.gather import Gathering, Wire
from smoadsl.adapters.http_answer import Answer, There
from smoadsl.adapters.lines import Event
from smoadsl.adapters.sse import Decoder

# After the word for the end only the usage and the last marker may follow: worth a moment, never worth the answer.
_USAGE_GRACE_S = 0.5
_CLOSE_GRACE_S = 0.05  # lets the body end in good order, so that the connection can serve again


class Decodes(Protocol):
    """What turns the bytes of a stream into its events."""

    def plain(self, chunk: bytes) -> str | None: ...

    def again(self, text: str) -> Iterator[Event]: ...

    def took(self, more: int) -> None: ...

    def feed(self, chunk: bytes) -> Iterator[Event]: ...

    def end(self) -> Iterator[Event]: ...


async def read_reply(
    connection: Connection,
    request: Request,
    wire: Wire,
    on_text: OnText | None,
    answer: Answer,
    decoder: Callable[[str], Decodes] = Decoder,
) -> Reply:
    """The reply that an answer holds, or the fault that stands in its place."""
    if on_text is None:
        body = answer.value() if isinstance(answer, There) else await answer.json()
        if request.n == 1 and (plain := wire.plain(request, body, answer.exchange)) is not None:
            return plain
        so_far = Gathering(connection, request, wire)
        so_far.take_whole(body)
        return so_far.reply(answer.exchange)
    so_far = Gathering(connection, request, wire, on_text)
    if answer.content_type not in ("application/json", "text/html"):
        await _read_stream(so_far, answer, decoder(connection.provider))
    else:
        so_far.take_whole(await answer.json())
    reply = so_far.reply(answer.exchange)
    if not so_far.streamed:  # asked for a stream, it answered in one piece
        on_text(reply.text)
    return reply


async def _read_stream(so_far: Gathering, answer: Answer, decoder: Decodes) -> None:
    """Take events until the stream is over, or until nothing that matters can follow."""
    try:
        while chunk := await answer.chunk():
            _take_chunk(so_far, answer, decoder, chunk)
            is_near = (so_far.done or so_far.settled) and not answer.is_there
            if is_near and not await _ends_soon(so_far, answer, decoder):
                return
    except Fault as fault:
        cut = fault.kind is FaultKind.TRUNCATED
        if cut and not so_far.finished:
            _take_rest(so_far, decoder)
        if not so_far.finished or (cut and not so_far.settled):
            raise
    else:
        _take_rest(so_far, decoder)


async def _ends_soon(so_far: Gathering, answer: Answer, decoder: Decodes) -> bool:
    """Take what still comes once nothing that matters can follow; false where it does not end soon."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_USAGE_GRACE_S) as grace:
            while True:
                if so_far.done:
                    grace.reschedule(loop.time() + _CLOSE_GRACE_S)
                if not (chunk := await answer.chunk()):
                    return True
                _take_chunk(so_far, answer, decoder, chunk)
    except TimeoutError:
        if not grace.expired():
            raise
        return False


def _take_chunk(so_far: Gathering, answer: Answer, decoder: Decodes, chunk: bytes) -> None:
    """Take what a chunk brings: events that are nothing but text at once, all others one by one."""
    events = decoder.plain(chunk)
    if events is None:
        _take_events(so_far, answer, decoder.feed(chunk))
        return
    place = 0
    while place < len(events):
        count, following = so_far.take_pieces(events, place)
        if count:
            decoder.took(count)
            answer.progress()
        elif (end := events.find("\n\n", place)) < 0:
            return  # an empty line more than there are events
        else:
            _take_events(so_far, answer, decoder.again(events[place:end]))
            following = end + 2
        place = following


def _take_events(so_far: Gathering, answer: Answer, events: Iterable[Event]) -> None:
    for event in events:
        if so_far.take_event(event):
            answer.progress()


def _take_rest(so_far: Gathering, decoder: Decodes) -> None:
    """An event that was cut off may still be whole enough to say that the answer is."""
    for event in decoder.end():
        so_far.take_event(event)
