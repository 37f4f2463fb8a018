"""Test whole, to see that an answer taken as it stands is what aiohttp's parser would make of it, however it is cut."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpResponseParser
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Message, Request
from smoadsl.adapters.whole import whole_of
from tests.adapters.attempts import completion, meeting
from tests.adapters.wall import Act, Wait, Wall, answer

PLAIN = [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nX-ID: a:b\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200\r\nSet-Cookie: a=1\r\nset-cookie:  b=2; c \r\nContent-Length:2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n01\r\n}\r\n0\r\n\r\n",
]
NOT_PLAIN = [
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\n\r\n{}",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nProxy-Connection: close\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\nY: b\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nX: \xe4\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
]


def parsed(data: bytes) -> Any:
    """What aiohttp makes of it: headers and body, or the error; None where more is to come, or not to be kept."""

    async def parse() -> Any:
        loop = asyncio.get_running_loop()
        parser = HttpResponseParser(BaseProtocol(loop), loop, 2**16, read_until_eof=True, auto_decompress=False)
        try:
            messages, upgraded, _ = parser.feed_data(data)
        except Exception as error:
            return error
        if len(messages) != 1 or upgraded:
            return None
        ((message, content),) = messages
        if message.code != 200 or message.should_close or not content.is_eof():
            return None
        return told(message.headers), content.read_nowait()

    return asyncio.run(parse())


def taken(data: bytes) -> Any:
    whole = whole_of(data)
    return whole and (told(whole.headers), whole.body)


def told(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers.items()]


@pytest.mark.parametrize("data", PLAIN)
def test_what_is_plain_is_taken_as_it_stands(data: bytes) -> None:
    assert taken(data) == parsed(data)
    assert taken(data)[1] == b"{}"


@pytest.mark.parametrize("data", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_the_parser(data: bytes) -> None:
    assert taken(data) is None


PARTS = [
    b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 201 Created", b"\r\n", b"\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\r",
    b"Content-Length: ", b"content-length:", b"2", b"0", b"10", b"+", b" ", b"\t", b":", b"\0", b"\x7f", b"\xff",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Connection: ", b"close", b"keep-alive", b"Upgrade: ws",
    b"X-Name: ", b"X_Name: ", b"value", b"{}", b"2\r\n{}\r\n", b"0\r\n\r\n", b"0\r\n", b"2;a=b\r\n{}\r\n", b"a\r\n",
    b"Proxy-",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join)
    | st.builds(
        lambda data, place, part, gone: data[:place] + part + data[place + gone :],
        st.sampled_from(PLAIN), st.integers(0, 120), st.sampled_from(PARTS), st.integers(0, 3),
    )
)  # fmt: skip
def test_what_is_taken_is_what_the_parser_makes_of_it(data: bytes) -> None:
    whole = taken(data)
    assert whole is None or whole == parsed(data)


FINE, EVIL = answer(completion("Fine.")), answer(completion("Evil."))
REQUEST = Request("m", (Message("user", "Why?"),))


def test_an_answer_is_the_same_however_it_is_cut_and_keeps_its_connection() -> None:
    async def main() -> None:
        wall = Wall(lambda attempt: [FINE[: len(wall.attempts)], Wait(0.002), FINE[len(wall.attempts) :]])
        async with meeting(wall) as adapter:
            for _ in range(len(FINE)):
                assert (await adapter.complete(REQUEST)).text == "Fine."
            assert len(wall.attempts) == len(FINE)
            assert wall.connections == 1

    asyncio.run(main())


@pytest.mark.parametrize("acts", [[FINE + EVIL], [FINE, Wait(0.01), EVIL], [FINE, Wait(0.01), EVIL[:9]]])
def test_a_connection_that_says_more_than_it_was_asked_for_is_not_used_again(acts: list[Act]) -> None:
    async def main() -> None:
        wall = Wall(lambda _: acts)
        async with meeting(wall) as adapter:
            for number in range(1, 4):
                assert (await adapter.complete(REQUEST)).text == "Fine."
                await asyncio.sleep(0.05)
                assert wall.connections == number

    asyncio.run(main())
