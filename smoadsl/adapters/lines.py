"""Lines, to cut the bytes of a stream into lines of text however they come; a line may be an event of its own."""

import codecs
import re
from collections.abc import Iterator

from smoadsl.adapters.base import Fault, FaultKind
from smoadsl.classes import dataclass

LINE_LIMIT = 1 << 20

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `ended` is false for a last event that the end of the stream cut off: it may be half of one."""

    name: str
    data: str
    ended: bool = True


class Lines:
    """Feed it chunks, take lines. It keeps no more than the line that is not yet whole."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._line = bytearray()  # the start of a line whose end has not come yet
        self._line_at = 0  # where in the stream that line starts
        self._seen = 0  # bytes fed so far
        self._after_cr = False  # a CR ended the last chunk: an LF right after it belongs to it

    @property
    def is_between_lines(self) -> bool:
        """Whether the next byte begins a line that is not the first: that may begin with a mark of byte order."""
        return self._seen > 0 and not self._line and not self._after_cr

    @property
    def has_none(self) -> bool:
        """Whether not one byte has come."""
        return self._seen == 0

    def skip(self, count: int) -> None:
        """Somebody else has read so many bytes, which were whole lines."""
        self._seen += count

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The lines that `chunk` completes. It must be run to its end before the next chunk is fed."""
        if not chunk:
            return
        start = 1 if self._after_cr and chunk[0] == 0x0A else 0
        base, self._seen = self._seen, self._seen + len(chunk)
        if not self._line:
            self._line_at = base + start
        self._after_cr = chunk[-1] == 0x0D
        for end in _LINE_END.finditer(chunk, start):
            self._keep(chunk[start : end.start()])
            line = self._decoded()
            self._line.clear()
            start = end.end()
            self._line_at = base + start
            yield line
        self._keep(chunk[start:])

    def end(self) -> str:
        """The line that was still open when the stream ended. Half a character at its end is no error but left out."""
        return self._decoded(cut=True) if self._line else ""

    def _keep(self, part: bytes) -> None:
        self._line += part
        if len(self._line) > LINE_LIMIT:
            raise bad_stream(self._provider, f"a line of more than {LINE_LIMIT} bytes")

    def _decoded(self, cut: bool = False) -> str:
        line = bytes(self._line)
        skipped = len(_BOM) if self._line_at == 0 and line.startswith(_BOM) else 0
        try:
            return codecs.utf_8_decode(line[skipped:], "strict", not cut)[0]
        except UnicodeDecodeError as error:
            at = self._line_at + skipped + error.start
        raise bad_stream(self._provider, f"text that is not UTF-8 at byte {at}")


class LineEvents:
    """A stream in which every line is an event: newline-delimited JSON."""

    def __init__(self, provider: str) -> None:
        self._lines = Lines(provider)

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes. It must be run to its end before the next chunk is fed."""
        return (Event("", line) for line in self._lines.feed(chunk) if line)

    def plain(self, chunk: bytes) -> str | None:
        """No lines are read without being looked at one by one."""
        return None

    def again(self, text: str) -> Iterator[Event]:
        """The event in the text that `plain` gave."""
        return self.feed(text.encode())

    def took(self, more: int) -> None:
        """So many events were taken by the caller."""

    def end(self) -> Iterator[Event]:
        """The event that was still open when the stream ended, if there was one."""
        if line := self._lines.end():
            yield Event("", line, ended=False)


def bad_stream(provider: str, what: str) -> Fault:
    """The fault for a stream that can not be read."""
    return Fault(FaultKind.BAD_BODY, f"{provider} sent a stream with {what}", billed=True)
