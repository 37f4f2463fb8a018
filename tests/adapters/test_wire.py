"""Test wire, to see what can happen to one attempt: connections, heads, statuses, silence, cuts and cancelling."""

import asyncio
import errno
import os
import shutil
import socket
import ssl
import subprocess
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from smoadsl.adapters import http_answer
from smoadsl.adapters.base import Connection, FaultKind, Message, Request
from smoadsl.adapters.http_answer import BODY_LIMIT
from smoadsl.adapters.http_faults import retry_after_s, sending_fault
from smoadsl.adapters.openai import OpenAI
from tests.adapters.attempts import (
    ACME,
    CLOSE,
    HOLD,
    LAST,
    RESET,
    STREAM,
    TEXT,
    attempt,
    completion,
    meeting,
    piece,
    tried,
)
from tests.adapters.wall import CHUNKED_HEAD, STREAM_HEAD, Act, Wait, Wall, answer, chunked, drip, events, head
from tests.canary import CANARY

NOT_SENT, NO_RESPONSE, PROTOCOL = FaultKind.NOT_SENT, FaultKind.NO_RESPONSE, FaultKind.PROTOCOL
STALLED, STATUS, TIMEOUT, TRUNCATED = FaultKind.STALLED, FaultKind.STATUS, FaultKind.TIMEOUT, FaultKind.TRUNCATED
OK = completion()
BIG = Request("m", (Message("user", "x" * 5_000_000),))


def reach(url: str, connect_timeout_s: float = 5.0) -> Any:
    """One call to a place where no wall is."""

    async def main() -> Any:
        async with aclosing(OpenAI(Connection("acme", url, CANARY, connect_timeout_s=connect_timeout_s))) as adapter:
            return await attempt(adapter)

    return asyncio.run(main())


def test_f01_refused() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        result = reach(f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert result.kind is NOT_SENT
    assert not result.fault.billed
    assert "connection refused" in result.fault.message


def test_f02_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = reach("https://acme.invalid/v1")
    assert result.kind is NOT_SENT
    assert "acme.invalid was not found" in result.fault.message


def test_f03_not_tls() -> None:
    async def main() -> None:
        async with (
            Wall(lambda _: [], greeting=[b"220 hello\r\n", CLOSE]) as wall,
            aclosing(OpenAI(Connection("acme", wall.url.replace("http", "https"), CANARY))) as adapter,
        ):
            result = await attempt(adapter)
            assert result.kind is NOT_SENT
            assert result.fault
            assert "TLS" in result.fault.message

    asyncio.run(main())


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here to make a certificate with")
def test_f03_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    made += ["-subj", "/CN=localhost", "-keyout", f"{tmp_path}/key", "-out", f"{tmp_path}/cert"]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(f"{tmp_path}/cert", f"{tmp_path}/key")

    async def main() -> None:
        wall = Wall(lambda _: [answer(OK)], tls=context)
        async with meeting(wall) as adapter:
            result = await attempt(adapter)
            assert result.kind is NOT_SENT
            assert result.fault
            assert "self-signed certificate" in result.fault.message
            assert not wall.attempts

    asyncio.run(main())


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="a full backlog drops connections only on Linux")
def test_f04_a_host_that_does_not_take_the_connection() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        result = reach(f"http://127.0.0.1:{full.getsockname()[1]}", connect_timeout_s=0.1)
    assert result.kind is NOT_SENT
    assert "in time" in result.fault.message
    assert result.seconds < 2


@pytest.mark.parametrize(
    ("name", "acts", "kind"),
    [
        ("F05 reset before the head", [RESET], NO_RESPONSE),
        ("F06 closed before the head", [CLOSE], NO_RESPONSE),
        ("closed in the head", [STREAM_HEAD[:30], CLOSE], NO_RESPONSE),
        ("F11 not HTTP", [b"SSH-2.0-OpenSSH_9.7\r\n", HOLD], PROTOCOL),
        ("F12 two lengths", [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"], PROTOCOL),
        ("F12 length and chunks", [CHUNKED_HEAD[:-2] + b"Content-Length: 1\r\n\r\n", chunked(STREAM)], PROTOCOL),
        ("F12 bad chunk at once", [CHUNKED_HEAD + b"zz\r\n", HOLD], PROTOCOL),
        ("F12 bad chunk later", [CHUNKED_HEAD, b"1\r\nd\r\n", Wait(0.05), b"zz\r\n", HOLD], PROTOCOL),
        ("F13 a header of 70 kB", [head(200, {"X": "y" * 70_000})], PROTOCOL),
        ("F13 20 000 headers", [head(200, {f"X{number}": "y" for number in range(20_000)})], PROTOCOL),
        ("F14 early hints", [head(103, {"Link": "x"}) * 1000, answer(OK)], "Because."),
        ("F15 status 999", [answer(OK, 999)], STATUS),
        ("reset in the body", [CHUNKED_HEAD, b"5\r\ndata:\r\n", Wait(0.05), RESET], TRUNCATED),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else "",
)
@pytest.mark.parametrize("streamed", [False, True])
def test_heads_and_connections(
    name: str, acts: list[Act], kind: FaultKind | str, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_answer, "LOOK_S", 0.1)
    result = tried(acts, streamed)
    assert result.outcome == kind, name
    assert result.seconds < 5


def test_f07_a_connection_that_was_closed_between_two_calls() -> None:
    async def main() -> None:
        wall = Wall(lambda _: [answer(OK), CLOSE])
        async with meeting(wall) as adapter:
            for number in range(50):
                assert (await adapter.complete(BIG if number == 9 else Request("m", ()))).text == "Because."
                await asyncio.sleep(0.001)
            assert wall.connections == 50
            wall.script = lambda _: [answer(OK)]
            for _ in range(50):
                await adapter.complete(Request("m", ()))
            assert wall.connections == 51

    asyncio.run(main())


def test_f07_a_write_that_came_too_late_has_sent_nothing() -> None:
    """The race between a server's closing and our writing can not be played; this is how it is told."""
    error = aiohttp.ClientConnectionResetError("Cannot write to closing transport")
    assert sending_fault(ACME, error).kind is NOT_SENT
    assert sending_fault(ACME, aiohttp.ClientOSError(32, "Broken pipe")).kind is NO_RESPONSE
    assert sending_fault(ACME, OSError(errno.EMFILE, "Too many open files")).kind is FaultKind.LOCAL


def test_f07_nothing_is_written_to_a_connection_that_is_closing() -> None:
    async def main() -> None:
        wall = Wall(lambda _: [answer(OK)])
        async with meeting(wall) as adapter:
            await adapter.complete(Request("m", ()))
            assert isinstance(adapter, OpenAI)
            pool, requests = adapter._client._opened(), len(wall.attempts)
            target = pool.target("POST", wall.url)
            link = await pool.connect(target)
            assert link.transport is not None
            link.transport.close()
            with pytest.raises(aiohttp.ClientConnectionResetError) as told:
                await pool.send(link, target, b"{}")
            assert sending_fault(ACME, told.value).kind is NOT_SENT
            assert link.closed
            assert len(wall.attempts) == requests

    asyncio.run(main())


def test_a_stream_that_ends_in_good_order_keeps_its_connection() -> None:
    async def main() -> None:
        wall = Wall(lambda _: [CHUNKED_HEAD, chunked(STREAM)])
        async with meeting(wall) as adapter:
            for _ in range(5):
                assert (await attempt(adapter, stream=True)).outcome == TEXT
            assert wall.connections == 1

    asyncio.run(main())


def test_f08_reset_in_the_middle_of_the_request() -> None:
    result = tried([RESET], request=BIG, wall=partial(Wall, cut_body=1000))
    assert result.kind is NO_RESPONSE
    assert result.fault
    assert result.fault.billed


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, {"error": {"message": "no such field"}}, "found the request wrong (status 400): no such field"),
        (400, [{"error": {"message": "in a list"}}], "in a list"),
        (400, {"detail": "in detail"}, "in detail"),
        (401, {"error": {"message": "Incorrect API key"}}, "acme refused the key given for it (status 401): Incorrect"),
        (402, {"error": {"code": "billing"}}, "wants to be paid (status 402): billing"),
        (403, b"", "acme refused the key given for it (status 403)"),
        (404, {"error": "no such model"}, "no such model"),
        (413, b"<html>large</html>", "found the request too large (status 413)"),
        (418, {}, "answered with an error (status 418)"),
        (429, {"error": {"message": "slow\ndown"}}, "limits the rate or the quota (status 429): slow down"),
        (500, {"error": {"message": "x" * 5000}}, "xxx…"),
        (529, b"\xff", "is overloaded (status 529)"),
    ],
)
def test_an_error_status_is_one_sentence(status: int, body: Any, words: str) -> None:
    """F25, F28, F29, F31-F35, F38."""
    for streamed in (False, True):
        result = tried([answer(body, status)], streamed)
        assert result.kind is STATUS
        assert result.fault
        assert result.fault.status == status
        assert words in result.fault.message
        assert len(result.fault.message) < 400
        assert not result.fault.billed


def test_an_error_counts_even_if_its_body_does_not_come() -> None:
    result = tried([head(503, {"Content-Length": "9", "Retry-After": "2"}), CLOSE])
    assert result.fault
    assert (result.fault.status, result.fault.retry_after_s) == (503, 2.0)


DATE = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2.0),
        ({"Retry-After": " 2.5 "}, 2.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "9", "retry-after-ms": "1500"}, 1.5),
        ({"Retry-After": "9", "retry-after-ms": "soon"}, 9.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:07 GMT", **DATE}, 7.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:07 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:27:00 GMT", **DATE}, None),
        ({"Retry-After": "Wed, 99 Oct 2015 07:27:00 GMT", **DATE}, None),
        *(({"Retry-After": said}, None) for said in "inf nan -1 1e9 1_0 ٣ 0x1 +1 . 5,10 soon".split()),
        *(({"Retry-After": said}, None) for said in ("5, 10", "", "9" * 10_000, "1 0")),
    ],
)
def test_f17_to_f22_the_hint_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


@pytest.mark.parametrize(
    ("name", "acts", "kind"),
    [
        ("F62 no head", [HOLD], TIMEOUT),
        ("half a head", [STREAM_HEAD[:30], HOLD], TIMEOUT),
        ("early hints for ever", [*drip(b"", 0), *[head(103), Wait(0.02)] * 150], TIMEOUT),
        ("F62 no body", [STREAM_HEAD, HOLD], STALLED),
        ("F62 half a body", [STREAM_HEAD, events(piece("Be")), HOLD], STALLED),
        ("F65 pings for ever", [STREAM_HEAD, *[b": ping\n\n", Wait(0.02)] * 150], STALLED),
        ("F65 empty events for ever", [STREAM_HEAD, *[events(piece("", role="assistant")), Wait(0.02)] * 150], STALLED),
        ("F64 drip for ever", [STREAM_HEAD, *[events(piece("x")), Wait(0.02)] * 150], TIMEOUT),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else "",
)
def test_silence_and_slowness_end(name: str, acts: list[Act], kind: FaultKind) -> None:
    total = 0.3 if "drip" in name else 9.0
    impatient = replace(ACME, first_byte_timeout_s=0.15, idle_timeout_s=0.15, total_timeout_s=total)
    result = tried(acts, stream=True, connection=impatient)
    assert result.kind is kind
    assert result.seconds < 1.5
    assert result.fault
    assert result.fault.billed


def test_slow_is_not_silent() -> None:
    acts: list[Act] = [CHUNKED_HEAD]
    for value in [*[piece("Because")] * 4, piece("."), LAST]:
        acts += [b"%x\r\n%b\r\n" % (len(events(value)), events(value)), Wait(0.2)]
    result = tried([*acts, b"0\r\n\r\n"], stream=True, connection=replace(ACME, idle_timeout_s=0.6))
    assert result.outcome == "Because" * 4 + "."


def test_f54_a_body_without_end_is_cut_at_the_limit() -> None:
    junk = b" " * (1 << 20)
    for streamed in (False, True):
        acts: list[Act] = [STREAM_HEAD if streamed else head(200), *[b":" * 60 + b"\n" + junk[:999_000] + b"\n"] * 40]
        result = tried(acts, streamed)
        assert result.kind is FaultKind.BAD_BODY
        assert str(BODY_LIMIT) in (result.fault.message if result.fault else "")


@pytest.mark.parametrize("said", [[], [STREAM_HEAD[:20]], [STREAM_HEAD], [STREAM_HEAD, STREAM[:99]]])
@pytest.mark.parametrize("streamed", [False, True])
def test_f90_cancelled_it_closes_the_connection_and_leaves_nothing(said: list[Act], streamed: bool) -> None:
    async def main() -> None:
        wall = Wall(lambda _: [*said, HOLD])
        async with meeting(wall) as adapter:
            call = asyncio.create_task(attempt(adapter, stream=streamed))
            await wall.seen(1)
            await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            async with asyncio.timeout(1):
                await wall.attempts[0].left.wait()
            wall.script = lambda _: [answer(OK)]
            assert (await attempt(adapter)).outcome == "Because."
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_f92_f93_hundreds_at_once_do_not_wait_for_each_other() -> None:
    async def main() -> None:
        wall = Wall(lambda sent: [HOLD] if sent.json["model"] == "slow" else [answer(OK)])
        async with meeting(wall) as adapter:
            slow = [asyncio.create_task(attempt(adapter, Request("slow", ()))) for _ in range(150)]
            async with asyncio.timeout(20):
                await wall.seen(150)
                assert (await attempt(adapter, Request("fast", ()))).outcome == "Because."
            for call in slow:
                call.cancel()
            await asyncio.wait(slow)

    asyncio.run(main())
