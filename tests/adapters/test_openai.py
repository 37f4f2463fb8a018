"""Test openai, to hold one attempt of the OpenAI adapter to the catalogue of faults, case by case."""

from typing import Any

import pytest

from smoadsl.adapters.base import FaultKind, Request, Usage
from tests.adapters import cases
from tests.adapters.attempts import (
    CLOSE,
    COUNTED,
    HOLD,
    LAST,
    REQUEST,
    STREAM,
    TEXT,
    completion,
    piece,
    tried,
)
from tests.adapters.cases import BAD, CUT, EMPTY, REFUSED, STATUS, Case, check, whole
from tests.adapters.protocols import PIECES
from tests.adapters.wall import CHUNKED_HEAD, STREAM_HEAD, Act, Wait, answer, chunked, drip, events, head

OPEN = head(200, {"Content-Type": "application/json"})  # only the closed connection ends its body


def deep(levels: int) -> bytes:
    return b'{"choices":' + b"[" * levels + b"]" * levels + b"}"


OK = "Because."
SHAPES: list[Any] = [[], 1, "x", None, {}, {"choices": 1}, {"choices": [1]}]
WHOLE = [
    whole("plain", completion(), OK),
    whole("F39 HTML", b"<html>Welcome</html>", BAD),
    whole("F40 no body", b"", EMPTY),
    Case("F40 no body, no length", [OPEN, CLOSE], CUT),
    Case("F41 half a body", [OPEN, b'{"choices": [{"mess', CLOSE], CUT),
    Case("F41 half a character", [OPEN, '{"choices": [{"é'.encode()[:-1], CLOSE], CUT),
    Case("F41 less than its length", [answer(completion())[:-9], CLOSE], CUT),
    Case("F16 HTTP/1.0", [b"HTTP/1.0 200 OK\r\n\r\n", answer(completion()).split(b"\r\n\r\n")[1], CLOSE], OK),
    Case("F16 HTTP/1.0, cut", [b"HTTP/1.0 200 OK\r\n\r\n", b'{"a": [1, ', CLOSE], CUT),
    Case("F42 gzip unasked", [answer(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})], BAD),
    whole("F43 error in a 200", {"error": {"code": 429, "message": "slow"}}, STATUS, status=429, words="slow"),
    whole("F43 code as text", {"error": {"code": "503"}}, STATUS, status=503),
    whole("F43 code as a word", {"error": {"code": "insufficient_quota"}}, STATUS, status=429),
    whole("F43 type as a word", {"error": {"code": None, "type": "overloaded_error"}}, STATUS, status=529),
    whole("F43 no code", {"error": "went wrong"}, STATUS, status=500, words="went wrong"),
    whole("F43 error in the choice", {"choices": [{"error": {"code": 502}}]}, STATUS, status=502),
    whole("F43 error null", completion(error=None), OK),
    whole("F44 no choices", {"choices": []}, EMPTY),
    whole("F44 null", completion(None), EMPTY),
    whole("F44 empty", completion(""), EMPTY),
    whole("F44 whitespace", completion(" \n\t"), EMPTY),
    whole("F44 only reasoning", completion(None, "length"), EMPTY, words="spent all 50 tokens"),
    whole("F45 refusal", {"choices": [{"message": {"content": None, "refusal": "No way."}}]}, REFUSED, words="No way."),
    whole("F46 length", completion("Because", "length"), "Because", finish="length"),
    whole("F46 max_tokens", completion("Because", "MAX_TOKENS"), "Because", finish="length"),
    whole("F47 filtered", completion("Becau", "content_filter"), REFUSED),
    whole("F48 tools unasked", completion(None, "tool_calls"), EMPTY, words="asked for a tool"),
    whole("no reason", completion(finish=None), OK, finish="unknown"),
    whole("unknown reason", completion(finish="tired"), OK, finish="unknown"),
    whole("broken off", completion("Beca", "error"), CUT),
    whole("F51 two choices", completion(choices=[*completion("B")["choices"], *completion("A")["choices"]]), "B"),
    whole("F51 in another order", {"choices": [{"index": 1, "message": {"content": "B"}},
                                               {"index": 0, "message": {"content": "A"}}]}, "A", finish="unknown"),
    whole("F52 parts", completion([{"type": "text", "text": "Be"}, "cau", {"type": "image"}, {"text": "se."}]), OK),
    whole("F53 deep", deep(5000), BAD),
    whole("F53 long number", b'{"choices": ' + b"9" * 1_000_000 + b"}", BAD),
    whole("F53 NaN", b'{"choices": NaN}', BAD),
    whole("F53 key twice", b'{"choices": 1, "choices": [{"message": {"content": "x"}}]}', "x", finish="unknown"),
    whole("F53 lone surrogate", b'{"choices": [{"message": {"content": "\\ud800"}}]}', BAD),
    whole("F56 not UTF-8", b'{"choices": [{"message": {"content": "\xe9t\xe9"}}]}', BAD),
    Case("F56 another charset", [answer(completion("é."), headers={"Content-Type": "text/plain; charset=x"})], "é."),
    whole("F57 unknown fields", completion(mood="good", choices=[{"message": {"content": OK, "x": 1}, "y": 2}]), OK,
          finish="unknown"),
    *(whole(f"shape {body!r}", body, BAD) for body in SHAPES),
    whole("shape of message", {"choices": [{"message": "x"}]}, BAD),
    whole("shape of content", completion(7), BAD),
    whole("shape of a part", completion([7]), BAD),
    Case("status 201", [answer(completion(), 201)], OK),
    Case("status 204", [head(204)], EMPTY, status=204),
    Case("status 202", [answer(completion(), 202)], EMPTY, status=202),
]  # fmt: skip


def stream(name: str, values: list[Any] | bytes, outcome: str | FaultKind, **more: Any) -> Case:
    return cases.stream(name, values if isinstance(values, bytes) else events(*values), outcome, **more)


B, C = piece("Be"), piece("cause.")
STREAMS = [
    stream("plain", [B, C, LAST, COUNTED, "[DONE]"], OK),
    Case("chunked", [CHUNKED_HEAD, chunked(STREAM)], TEXT),
    stream("F39 not a stream", b"Welcome", CUT),
    Case("F39 HTML", [answer(b"<html>", headers={"Content-Type": "text/html"})], BAD),
    Case("answers in one piece", [answer(completion())], OK),
    stream("F40 no body", b"", CUT),
    stream("F43 error first", [{"error": {"code": 429, "message": "slow"}}], STATUS, status=429),
    stream("F67 error by name", b'event: error\ndata: {"error": {"type": "overloaded_error"}}\n\n', STATUS, status=529),
    stream("F44 nothing said", [piece(""), LAST, "[DONE]"], EMPTY),
    stream("F44 only reasoning", [piece(reasoning="hm"), LAST, "[DONE]"], EMPTY),
    stream("F45 refusal", [piece(refusal="No"), piece(refusal=" way."), LAST], REFUSED, words="No way."),
    stream("F46 length", [B, piece("cause", finish="length")], "Because", finish="length"),
    stream("F47 filtered", [B, piece(finish="content_filter"), "[DONE]"], REFUSED),
    stream("F58 cut", [B, C], CUT),
    stream("F59 ends without a word", [piece("", role="assistant"), B, C, COUNTED], CUT),
    Case("F60 no [DONE]", [CHUNKED_HEAD, chunked(events(B, C, LAST))[:-5], HOLD], OK),
    Case("F60 no [DONE] but pings", [STREAM_HEAD, events(B, C, LAST), *drip(b":\n" * 500, 0.01)], OK),
    Case("no close after [DONE]", [STREAM_HEAD, events(B, C, LAST, "[DONE]"), HOLD], OK),
    Case("reset after the end", [CHUNKED_HEAD, chunked(events(B, C, LAST))[:-5], CLOSE], OK),
    stream("F61 [DONE] alone", [B, C, "[DONE]"], OK, finish="unknown"),
    stream("F66 one lost", [B, '{"choices', C, LAST, "[DONE]"], OK),
    stream("F66 three lost", [B, "{", "x", "[1]", C, LAST], OK),
    stream("F66 four lost", [B, "{", "x", "[1]", '{"choices": 1}', C, LAST], BAD),
    stream("F66 one lost, no end", [B, "{", C], BAD),
    stream("F68 error after tokens", [B, C, {"error": {"code": 502, "message": "gone"}}], STATUS, status=502),
    stream("error after the end", [B, C, LAST, {"error": {"code": 502}}], OK),
    Case("F70 byte by byte", [CHUNKED_HEAD, *drip(chunked(STREAM), 0)], TEXT),
    stream("F71 CR", STREAM.replace(b"\n", b"\r"), TEXT),
    stream("F71 CRLF", STREAM.replace(b"\n", b"\r\n"), TEXT),
    stream("F71 BOM", b"\xef\xbb\xbf" + STREAM, TEXT),
    stream("F71 comments", STREAM.replace(b"data", b": ping\n\n: data: x\ndata"), TEXT),
    stream("F71 last event open", events(B, C) + events(LAST).rstrip(), OK),
    stream("F71 last event cut", events(B, C) + events(LAST)[:-5], CUT),
    stream("F71 empty data", b"data:\n\n" * 9 + STREAM, TEXT),
    stream("F72 a line of 4 MB", [B, "x" * (4 << 20), LAST], BAD),
    stream("F73 content after the end", [B, C, LAST, piece("More."), piece("x", finish="length"), "[DONE]"], OK),
    stream("F74 another choice", [B, piece("No", index=1), piece(index=1, finish="length"), C, LAST], OK),
    stream("F74 another choice only ends", [B, C, piece(index=1, finish="stop")], CUT),
    stream("parts", [piece([{"type": "text", "text": "Be"}]), C, LAST], OK),
    stream("not UTF-8", events(B) + b"data: \xff\n\n" + events(C, LAST), BAD, words="at byte"),
]


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_whole_answer(case: Case) -> None:
    check(case, streamed=False)


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
def test_a_streamed_answer(case: Case) -> None:
    check(case, streamed=True)


SAID: dict[str, Any] = {"prompt_tokens": 11, "completion_tokens": 7}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 11, "completion_tokens": 7}, Usage(11, 7)),
        (SAID | {"prompt_tokens_details": {"cached_tokens": 8}}, Usage(11, 7, cached_tokens=8)),
        (SAID | {"prompt_cache_hit_tokens": 11, "prompt_cache_miss_tokens": 0}, Usage(11, 7, cached_tokens=11)),
        (SAID | {"prompt_tokens_details": {"cached_tokens": 12}}, Usage(11, 7)),
        (SAID | {"prompt_tokens_details": None, "prompt_cache_hit_tokens": -1}, Usage(11, 7)),
        (None, Usage(4, 2, estimated=True)),
        ({}, Usage(4, 2, estimated=True)),
        ({"prompt_tokens": 0, "completion_tokens": 7}, Usage(4, 7, estimated=True)),
        ({"prompt_tokens": 11, "completion_tokens": -1}, Usage(11, 2, estimated=True)),
        ({"prompt_tokens": 10**18, "completion_tokens": "7"}, Usage(4, 2, estimated=True)),
        ({"prompt_tokens": True, "completion_tokens": 7.5}, Usage(4, 2, estimated=True)),
        ("many", Usage(4, 2, estimated=True)),
    ],
)
def test_usage_is_counted_or_estimated(usage: Any, counted: Usage, streamed: bool) -> None:
    """F49. The request is 13 bytes long, the answer 8."""
    acts: list[Act] = [answer(completion(usage=usage))]
    if streamed:
        acts = [STREAM_HEAD, events(B, C, LAST, {"choices": [], "usage": usage}), CLOSE]
    result = tried(acts, streamed)
    assert result.reply
    assert result.reply.usage == counted


def test_the_model_that_answered_is_named() -> None:
    """F50, F79."""
    assert (reply := tried([answer(completion())]).reply)
    assert reply.model == "answered"
    assert (reply := tried([STREAM_HEAD, STREAM, CLOSE], stream=True).reply)
    assert reply.model == "answered"
    assert (reply := tried([answer(completion(model=None))]).reply)
    assert reply.model == REQUEST.model


def test_lost_events_are_counted() -> None:
    assert (reply := tried([STREAM_HEAD, events(B, "{", C, "}", LAST), CLOSE], stream=True).reply)
    assert reply.lost_events == 2


def test_an_empty_content_is_not_sent_on() -> None:
    result = tried([STREAM_HEAD, STREAM, CLOSE], stream=True)
    assert result.pieces == ["Because – 🐝."]  # what arrives together is handed on together


def test_pieces_are_handed_on_as_they_arrive() -> None:
    slow = [act for text in PIECES for act in (events(piece(text)), Wait(0.02))]
    result = tried([STREAM_HEAD, *slow, events(LAST), CLOSE], stream=True)
    assert result.pieces == PIECES


def test_what_a_request_holds_is_what_is_sent() -> None:
    (sent,) = tried([answer(completion())], request=Request("m", ())).attempts
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.json == {"model": "m", "messages": [], "max_tokens": 2048, "stream": False}
