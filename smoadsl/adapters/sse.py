"""Server-sent events, to turn the bytes of a stream into its events however the bytes are cut."""

from collections.abc import Iterator

from smoadsl.adapters.lines import Event, Lines, bad_stream

EVENT_LIMIT = 8 << 20
EVENTS_LIMIT = 200_000


class Decoder:
    """Feed it chunks, take events. It keeps no more than the line and the event that are not yet whole."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._lines = Lines(provider)
        self._name = ""
        self._data: list[str] = []
        self._size = 0  # of the event so far, in bytes
        self._events = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes. It must be run to its end before the next chunk is fed."""
        for line in self._lines.feed(chunk):
            event = self._take_line(line)
            if event is not None:
                yield event

    def end(self) -> Iterator[Event]:
        """The event that was still open when the stream ended, if there was one."""
        if line := self._lines.end():
            self._take_line(line)
        if self._data:
            yield Event(self._name, "\n".join(self._data), ended=False)

    def _take_line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        if line.startswith(":"):
            return None
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._size += len(line.encode()) + 1
            if self._size > EVENT_LIMIT:
                raise bad_stream(self._provider, f"an event of more than {EVENT_LIMIT} bytes")
            self._data.append(value)
        elif field == "event":
            self._name = value
        return None

    def _dispatch(self) -> Event | None:
        event = Event(self._name, "\n".join(self._data)) if self._data else None
        self._name, self._data, self._size = "", [], 0
        if event is not None:
            self._events += 1
            if self._events > EVENTS_LIMIT:
                raise bad_stream(self._provider, f"more than {EVENTS_LIMIT} events")
        return event
