"""Server-sent events, to turn the bytes of a stream into its events however the bytes are cut."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from smoadsl.adapters.base import Fault, FaultKind

LINE_LIMIT = 1 << 20
EVENT_LIMIT = 8 << 20
EVENTS_LIMIT = 200_000

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `ended` is false for a last event that the end of the stream cut off: it may be half of one."""

    name: str
    data: str
    ended: bool = True


class Decoder:
    """Feed it chunks, take events. It keeps no more than the line and the event that are not yet whole."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._line = bytearray()  # the start of a line whose end has not come yet
        self._line_at = 0  # where in the stream that line starts
        self._seen = 0  # bytes fed so far
        self._after_cr = False  # a CR ended the last chunk: an LF right after it belongs to it
        self._name = ""
        self._data: list[str] = []
        self._size = 0  # of the event so far, counted in bytes as they came
        self._events = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes. It must be run to its end before the next chunk is fed."""
        if not chunk:
            return
        start = 1 if self._after_cr and chunk[0] == 0x0A else 0
        base, self._seen = self._seen, self._seen + len(chunk)
        if not self._line:
            self._line_at = base + start
        self._after_cr = chunk[-1] == 0x0D
        for end in _LINE_END.finditer(chunk, start):
            self._keep(chunk[start : end.start()])
            event = self._take_line(self._decoded())
            self._line.clear()
            start = end.end()
            self._line_at = base + start
            if event is not None:
                yield event
        self._keep(chunk[start:])

    def end(self) -> Iterator[Event]:
        """The event that was still open when the stream ended, if there was one."""
        if self._line:
            self._take_line(self._decoded(cut=True))
        if self._data:
            yield Event(self._name, "\n".join(self._data), ended=False)

    def _keep(self, part: bytes) -> None:
        self._line += part
        if len(self._line) > LINE_LIMIT:
            raise self._bad(f"a line of more than {LINE_LIMIT} bytes")

    def _decoded(self, cut: bool = False) -> str:
        """The line as text. With `cut`, half a character at its end is not an error but left out."""
        line = bytes(self._line)
        skipped = len(_BOM) if self._line_at == 0 and line.startswith(_BOM) else 0
        try:
            return codecs.utf_8_decode(line[skipped:], "strict", not cut)[0]
        except UnicodeDecodeError as error:
            at = self._line_at + skipped + error.start
        raise self._bad(f"text that is not UTF-8 at byte {at}")

    def _take_line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        if line.startswith(":"):
            return None
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._size += len(self._line) + 1
            if self._size > EVENT_LIMIT:
                raise self._bad(f"an event of more than {EVENT_LIMIT} bytes")
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
                raise self._bad(f"more than {EVENTS_LIMIT} events")
        return event

    def _bad(self, what: str) -> Fault:
        return Fault(FaultKind.BAD_BODY, f"{self._provider} sent a stream with {what}", billed=True)
