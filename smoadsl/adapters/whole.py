"""Whole, to take an answer that comes in one piece as it stands: all others are left to aiohttp's parser.

Most answers are small, plain, and there at once. The parser, and the stream that it makes of such a one, would take
more than all the rest of reading it.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

_LONGEST_HEAD = 4_096
_HEAD = re.compile(rb"HTTP/1\.1 200(?: [ -~]*+)?(?:\r\n[A-Za-z0-9-]++:[ -~]*+)*+")
_FRAMING = re.compile(
    rb"\r\n(content-length|transfer-encoding|content-encoding|connection|proxy-connection|upgrade|trailer): *+([ -~]*+)"
)
_LENGTH = re.compile(rb"[0-9]{1,9}")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,7})\r\n")


class Whole(NamedTuple):
    """An answer with status 200 that came in one piece. Its headers are read when somebody asks for them."""

    head: bytes
    body: bytes

    @property
    def headers(self) -> Mapping[str, str]:
        from multidict import CIMultiDict  # it has come with aiohttp, which no start waits for

        lines = self.head.decode("ascii").split("\r\n")[1:]
        return CIMultiDict([(name, value.strip()) for name, _, value in [line.partition(":") for line in lines]])


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
