"""Test protocols, to hold all four to what every protocol must: no cut, in no place, passes for an answer."""

import asyncio
import gzip
from dataclasses import replace

import pytest

from smoadsl.adapters.base import FaultKind, Message, Request, Sampling
from smoadsl.adapters.http_answer import BODY_LIMIT
from tests.adapters.attempts import ACME, CLOSE, HOLD, REQUEST, RESET, TEXT, attempt, keeps_the_key, meeting, tried
from tests.adapters.protocols import PROTOCOLS, USAGES, Protocol
from tests.adapters.wall import Act, Wait, Wall, answer, chunked, drip, head
from tests.canary import CANARY

NO_RESPONSE, TRUNCATED = FaultKind.NO_RESPONSE, FaultKind.TRUNCATED

each = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.adapter)


@each
@pytest.mark.parametrize("stream", [False, True])
def test_the_same_answer_comes_out_of_each(protocol: Protocol, stream: bool) -> None:
    acts: list[Act] = [protocol.chunked_head, chunked(protocol.stream)] if stream else [answer(protocol.whole)]
    result = tried(acts, stream, adapter=protocol.adapter)
    assert result.reply
    assert (result.reply.text, result.reply.finish, result.reply.model) == (TEXT, "stop", "answered")
    assert result.reply.usage == USAGES[protocol.adapter]
    assert "".join(result.pieces) == (TEXT if stream else "")
    (sent,) = result.attempts
    assert (sent.method, sent.path) == ("POST", protocol.stream_path if stream else protocol.whole_path)


@each
@pytest.mark.parametrize("stream", [False, True])
def test_the_key_is_sent_in_its_one_header_and_nowhere_else(protocol: Protocol, stream: bool) -> None:
    """A22."""
    (sent,) = tried([answer(protocol.whole)], stream, adapter=protocol.adapter).attempts
    assert sent.headers[protocol.key_header] == f"{protocol.key_prefix}{CANARY}"
    rest = {name: value for name, value in sent.headers.items() if name != protocol.key_header}
    assert CANARY not in f"{rest}{sent.path}{sent.body!r}"
    (sent,) = tried(
        [answer(protocol.whole)], stream, REQUEST, replace(ACME, api_key=None), Wall, protocol.adapter
    ).attempts
    assert protocol.key_header not in sent.headers


@each
def test_every_cut_of_a_stream_is_whole_or_a_fault(protocol: Protocol) -> None:
    """F70: whatever the cut, never a short answer that passes for a whole one."""

    async def main() -> None:
        wall = Wall(lambda _: [])
        async with meeting(wall, adapter=protocol.adapter) as adapter:
            for first, body in (
                (protocol.closing_head, protocol.stream),
                (protocol.chunked_head, chunked(protocol.stream)),
            ):
                sent = first + body
                complete = sent.rindex(protocol.complete) + len(protocol.complete)
                for at in range(len(sent)):
                    wall.script = lambda _, part=sent[:at]: [part, CLOSE] if part else [CLOSE]  # type: ignore[misc]
                    result = await attempt(adapter, stream=True)
                    if result.reply:
                        assert (result.reply.text, result.reply.finish) == (TEXT, "stop"), at
                        assert at >= complete
                        continue
                    assert result.kind is (NO_RESPONSE if at < len(first) else TRUNCATED), at
                    # Where text can follow the word for the end, a chunked body must have ended in good order too.
                    assert at < complete or (protocol.adapter == "gemini" and first == protocol.chunked_head), at
                    assert result.fault
                    keeps_the_key(result.fault)

    asyncio.run(main())


@each
def test_every_cut_of_a_body_is_a_fault(protocol: Protocol) -> None:
    content = answer(protocol.whole).split(b"\r\n\r\n", 1)[1]

    async def main() -> None:
        wall = Wall(lambda _: [])
        async with meeting(wall, adapter=protocol.adapter) as adapter:
            json_head = {"Content-Type": "application/json"}
            for sent in (
                answer(protocol.whole),
                head(200, json_head) + content,
                head(200, {**json_head, "Transfer-Encoding": "chunked"}) + chunked(content),
            ):
                for at in range(sent.index(b"\r\n\r\n") + 4, len(sent)):
                    wall.script = lambda _, part=sent[:at]: [part, CLOSE]  # type: ignore[misc]
                    assert (await attempt(adapter)).outcome == TRUNCATED, at

    asyncio.run(main())


@each
def test_byte_by_byte_and_in_two_parts_at_every_place_it_reads_the_same(protocol: Protocol) -> None:
    """F70. The parts come apart, as each is written when the one before it has gone out."""

    async def main() -> None:
        wall = Wall(lambda _: [protocol.chunked_head, *drip(chunked(protocol.stream), 0)])
        async with meeting(wall, adapter=protocol.adapter) as adapter:
            assert (await attempt(adapter, stream=True)).outcome == TEXT
            for at in range(1, len(protocol.stream), 3):
                one, other = protocol.stream[:at], protocol.stream[at:]
                acts: list[Act] = [protocol.closing_head + one, Wait(0), other, CLOSE]
                wall.script = lambda _, acts=acts: acts  # type: ignore[misc]
                assert (await attempt(adapter, stream=True)).outcome == TEXT, at

    asyncio.run(main())


@each
@pytest.mark.parametrize("stream", [False, True])
def test_f42_f55_what_is_compressed_is_refused_before_it_is_unpacked(protocol: Protocol, stream: bool) -> None:
    content = protocol.stream if stream else answer(protocol.whole).split(b"\r\n\r\n", 1)[1]
    packed = gzip.compress(content)
    bomb = gzip.compress(bytes(50 << 20))
    for body in (packed, packed[: len(packed) * 99 // 100], packed[: len(packed) // 2], packed[:5], bomb):
        headers = {"Content-Type": protocol.content_type, "Content-Encoding": "gzip"}
        result = tried([answer(body, headers=headers)], stream, adapter=protocol.adapter)
        assert result.kind is FaultKind.BAD_BODY
        assert "compressed" in str(result.fault)


@each
@pytest.mark.parametrize("stream", [False, True])
def test_f17_f43_an_error_has_its_sentence_and_its_status(protocol: Protocol, stream: bool) -> None:
    for said, status, billed in (
        ([answer(protocol.error, 429, {"Retry-After": "3"})], 429, False),
        ([answer(protocol.error)], 500 if protocol.adapter == "ollama" else 429, False),
        ([answer(b"<html>", 502)], 502, False),
    ):
        result = tried(said, stream, adapter=protocol.adapter)
        assert result.fault
        assert (result.kind, result.fault.status, result.fault.billed) == (FaultKind.STATUS, status, billed)
        assert status == 502 or "Slow down." in result.fault.message


@each
def test_f68_f69_an_error_in_the_middle_is_one_of_a_bill(protocol: Protocol) -> None:
    begun = protocol.stream[: protocol.stream.index("🐝".encode()) + 60]
    begun = begun[: begun.rindex(b"\n") + 1]
    error = answer(protocol.error).split(b"\r\n\r\n", 1)[1]
    line = error + b"\n" if protocol.adapter == "ollama" else b"event: error\ndata: " + error + b"\n\n"
    result = tried([protocol.closing_head, begun, line, CLOSE], stream=True, adapter=protocol.adapter)
    assert result.kind is FaultKind.STATUS
    assert result.fault
    assert result.fault.billed


@each
@pytest.mark.parametrize("stream", [False, True])
def test_f05_f06_f39_f40_f54_what_is_no_answer_in_any_protocol(protocol: Protocol, stream: bool) -> None:
    blank = b" " * (BODY_LIMIT + 1)
    cases: list[tuple[list[Act], FaultKind]] = [
        ([RESET], NO_RESPONSE),
        ([CLOSE], NO_RESPONSE),
        ([answer(b"<html>Welcome</html>", headers={"Content-Type": "text/html"})], FaultKind.BAD_BODY),
        ([answer(b"")], FaultKind.EMPTY),
        ([answer([])], FaultKind.BAD_BODY),
        ([answer({})], FaultKind.BAD_BODY),
        ([answer(blank)], FaultKind.BAD_BODY),
        ([head(204)], FaultKind.EMPTY),
    ]
    for number, (said, kind) in enumerate(cases):
        assert tried(said, stream, adapter=protocol.adapter).kind is kind, number


@each
def test_f62_f65_silence_and_pings_are_no_progress(protocol: Protocol) -> None:
    hasty = replace(ACME, idle_timeout_s=0.3)
    begun = protocol.stream[: len(protocol.stream) // 2]
    pings = b"\n" if protocol.adapter == "ollama" else b": ping\n\n"
    for rest in ([HOLD], list(drip(pings * 400, 0.005))):
        result = tried([protocol.closing_head, begun, *rest], True, connection=hasty, adapter=protocol.adapter)
        assert result.kind is FaultKind.STALLED
        assert result.seconds < 3


@each
def test_a_conversation_keeps_its_order_and_its_speakers(protocol: Protocol) -> None:
    turns = [("system", "Be brief."), ("user", "Why?"), ("assistant", "Because."), ("user", "Really?")]
    request = Request("asked", tuple(Message(role, text) for role, text in turns), Sampling(9))  # type: ignore[arg-type]
    (sent,) = tried([answer(protocol.whole)], False, request, adapter=protocol.adapter).attempts
    said = sent.json
    if protocol.adapter == "gemini":
        found = [("system", said["systemInstruction"]["parts"][0]["text"])]
        speakers = {"model": "assistant", "user": "user"}
        found += [(speakers[one["role"]], one["parts"][0]["text"]) for one in said["contents"]]
    elif protocol.adapter == "anthropic":
        found = [("system", said["system"][0]["text"])]
        found += [(one["role"], one["content"][0]["text"]) for one in said["messages"]]
    else:
        found = [(one["role"], one["content"]) for one in said["messages"]]
    assert found == turns
