"""Server-sent events, to turn the bytes of a stream into its events however the bytes are cut."""

from collections.abc import Iterator

from smoadsl.adapters.lines import LINE_LIMIT, Event, Lines, bad_stream

EVENT_LIMIT = 8 << 20
EVENTS_LIMIT = 200_000
_MOST_BEGUN = 4_096  # of an event that is put together of chunks as a whole; a longer one is taken line by line


class Decoder:
    """Feed it chunks, take events. It keeps no more than the line and the event that are not yet whole."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._lines = Lines(provider)
        self._name = ""
        self._data: list[str] = []
        self._size = 0  # of the event so far, in bytes
        self._events = 0
        self._begun = b""  # an event of the plain form that has not ended yet

    def plain(self, chunk: bytes) -> str | None:
        """The events that `chunk` completes as they stand there, each with the empty line behind it, if nothing in it
        needs a closer look: what most streams are. Else None, and `feed` is to be given the same chunk. An event that
        the caller can not read by itself goes to `again`, without its empty line."""
        if self._data or self._name or not (self._begun or self._at_an_event(chunk)):
            return None
        data = self._begun + chunk
        size = data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
        if b"\r" in chunk or size > LINE_LIMIT or len(data) - size > _MOST_BEGUN:
            return None
        try:
            text = data[:size].decode()
        except UnicodeDecodeError:
            return None
        self._begun = data[size:]
        self._lines.skip(size)
        return text

    def _at_an_event(self, chunk: bytes) -> bool:
        return self._lines.is_between_lines or (self._lines.has_none and chunk.startswith(b"data:"))

    def again(self, text: str) -> Iterator[Event]:
        """The event in the text that `plain` gave, without its empty line."""
        if text.startswith("data: ") and "\n" not in text and len(text) < _MOST_BEGUN:
            self.took(1)
            return iter((Event("", text.removeprefix("data: ")),))
        raw = text.encode() + b"\n\n"
        self._lines.skip(-len(raw))
        return self._feed(raw)

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes. It must be run to its end before the next chunk is fed."""
        begun, self._begun = self._begun, b""
        return self._feed(begun + chunk)

    def _feed(self, chunk: bytes) -> Iterator[Event]:
        for line in self._lines.feed(chunk):
            event = self._take_line(line)
            if event is not None:
                yield event

    def end(self) -> Iterator[Event]:
        """The event that was still open when the stream ended, if there was one."""
        yield from self.feed(b"")
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
            self.took(1)
        return event

    def took(self, more: int) -> None:
        """So many events were taken, here or by the caller."""
        self._events += more
        if self._events > EVENTS_LIMIT:
            raise bad_stream(self._provider, f"more than {EVENTS_LIMIT} events")
