"""Test gemini, to hold generateContent to the catalogue of faults, and what we send to what it takes."""

from dataclasses import replace
from typing import Any

import pytest

from smoadsl.adapters.base import Choice, FaultKind, Request, Sampling, Usage
from smoadsl.adapters.dialect import Dialect
from smoadsl.adapters.gemini import path, request_body
from tests.adapters.attempts import ACME, CLOSE, REQUEST, tried
from tests.adapters.cases import BAD, CUT, EMPTY, REFUSED, STATUS, Case, check, stream, whole
from tests.adapters.protocols import candidate, generated
from tests.adapters.wall import CHUNKED_HEAD, STREAM_HEAD, Act, answer, chunked, drip, events

OK = "Because."
REFUSALS = "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY MODEL_ARMOR".split()
TOOLS = "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS".split()
BLOCKED = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 11}}
THOUGHT = {"text": "Hm.", "thought": True}
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13.5s"}
SPENT = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Slow down.", "details": [RETRY]}}


def parts(*content: Any, reason: str = "STOP") -> dict[str, Any]:
    return generated({"content": {"role": "model", "parts": list(content)}, "finishReason": reason})


WHOLE = [
    whole("plain", generated(candidate(OK, "STOP")), OK),
    whole("several parts", parts({"text": "Be"}, {"text": "cause."}), OK),
    whole("thoughts", parts(THOUGHT, {"text": OK, "thoughtSignature": "x"}), OK, reasoning="Hm."),
    whole("F46 length", generated(candidate("Beca", "MAX_TOKENS")), "Beca", finish="length"),
    whole("no reason", generated(candidate(OK)), OK, finish="unknown"),
    whole("unknown reason", generated(candidate(OK, "TIRED")), OK, finish="unknown"),
    whole("F44 no candidates", generated(), EMPTY),
    whole("F44 no parts", generated(candidate(None, "STOP")), EMPTY),
    whole("F44 only thoughts", parts(THOUGHT, reason="MAX_TOKENS"), EMPTY, words="spent all"),
    whole("F45 blocked", BLOCKED, REFUSED, words="the prompt was blocked (PROHIBITED_CONTENT)"),
    *(whole(f"F45 {reason}", generated(candidate(None, reason)), REFUSED, words=reason.lower()) for reason in REFUSALS),
    *(whole(f"F48 {reason}", generated(candidate(None, reason)), EMPTY, words="a tool") for reason in TOOLS),
    whole("F47 filtered after a part", generated(candidate("Becau", "SAFETY")), REFUSED),
    whole("broken off", generated(candidate("Beca", "OTHER")), CUT),
    whole("F43 error in a 200", SPENT, STATUS, status=429, words="Slow down."),
    whole("F43 by its word", {"error": {"status": "UNAVAILABLE"}}, STATUS, status=503),
    whole("F51 more candidates", generated(candidate(OK, "STOP"), candidate("No.", "STOP", index=1)), OK),
    whole("shape of candidates", {"candidates": 1}, BAD),
    whole("shape of a candidate", {"candidates": [1]}, BAD),
    whole("shape of a part", parts("x"), BAD),
    whole("shape of a text", parts({"text": 7}), BAD),
    whole("not ours", {"hello": "world"}, BAD),
]  # fmt: skip

B, C = generated(candidate("Be")), generated(candidate("cause.", "STOP"))
STOPPED = generated(candidate("Be", "STOP"))


def said(name: str, values: list[Any], outcome: str | FaultKind, **more: Any) -> Case:
    return stream(name, events(*values), outcome, **more)


STREAMS = [
    said("plain", [B, C], OK),
    said("the end apart", [B, generated(candidate("cause.")), generated(candidate("", "STOP"))], OK),
    said("STOP in every event", [STOPPED, C], OK),
    said("F46 length", [B, generated(candidate("cau", "MAX_TOKENS"))], "Becau", finish="length"),
    said("F45 blocked", [BLOCKED], REFUSED),
    said("F45 filtered", [B, generated(candidate(None, "SAFETY"))], REFUSED),
    said("F58 cut", [B], CUT),
    said("F67 error first", [SPENT], STATUS, status=429),
    said("F68 error after tokens", [B, SPENT], STATUS, status=429),
    said("F66 one lost", [B, "{", C], OK),
    said("F44 nothing said", [generated(candidate("", "STOP"))], EMPTY),
    said("usage alone at the end", [B, C, {"usageMetadata": {"promptTokenCount": 11}}], OK),
    Case("byte by byte", [CHUNKED_HEAD, *drip(chunked(events(B, C)), 0)], OK),
    Case("STOP in every event, cut", [CHUNKED_HEAD, chunked(events(STOPPED))[:-5], CLOSE], CUT),
    Case("answers in one piece", [answer(generated(candidate(OK, "STOP")))], OK),
]  # fmt: skip


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_whole_answer(case: Case) -> None:
    check(case, False, "gemini")


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
def test_a_streamed_answer(case: Case) -> None:
    check(case, True, "gemini")


def test_the_hint_when_to_come_back_stands_in_the_error() -> None:
    fault = tried([answer([SPENT], 429)], adapter="gemini").fault
    assert fault
    assert (fault.status, fault.retry_after_s, fault.reason) == (429, 13.5, None)


def usage(said: Any = 7, prompt: Any = 11, **more: Any) -> dict[str, Any]:
    names = {"thoughts": "thoughtsTokenCount", "cached": "cachedContentTokenCount"}
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": said}
    return {**counts, **{names[name]: count for name, count in more.items()}}


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (usage(), Usage(11, 7)),
        (usage(3, thoughts=4), Usage(11, 7, reasoning_tokens=4)),
        (usage(None, thoughts=4), Usage(11, 4, reasoning_tokens=4)),
        (usage(cached=9), Usage(11, 7, cached_tokens=9)),
        (usage(cached=99), Usage(11, 7)),
        (usage("x", "y"), Usage(4, 2, estimated=True)),
        (None, Usage(4, 2, estimated=True)),
    ],
)
def test_usage_is_counted_or_estimated(usage: Any, counted: Usage) -> None:
    """F49."""
    result = tried([answer(generated(candidate(OK, "STOP"), usageMetadata=usage))], adapter="gemini")
    assert result.reply
    assert result.reply.usage == counted


def test_several_candidates_are_several_answers() -> None:
    asked, several = replace(REQUEST, n=2), replace(ACME, dialect=Dialect(n=True))
    both = generated(candidate("A", "STOP"), candidate("B", "MAX_TOKENS", index=1))
    ways: list[list[Act]] = [[answer(both)], [STREAM_HEAD, events(both), CLOSE]]
    for acts in ways:
        result = tried(acts, len(acts) > 1, asked, several, adapter="gemini")
        assert result.reply
        assert result.reply.answers == (Choice("A", "stop"), Choice("B", "length"))
        assert result.attempts[0].json["generationConfig"]["candidateCount"] == 2


def body(model: str = "asked", schema: Any = None, **sampling: Any) -> dict[str, Any]:
    return request_body(Request(model, REQUEST.messages, Sampling(50, **sampling), schema))


def test_what_a_request_holds_is_what_is_sent() -> None:
    (sent,) = tried([answer(generated(candidate(OK, "STOP")))], adapter="gemini").attempts
    assert sent.json == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "Why?"}]}],
        "generationConfig": {"maxOutputTokens": 50},
    }
    drawn = body(
        temperature=0.0, top_p=0.9, top_k=5, stop=("END",), seed=3, frequency_penalty=0.1, presence_penalty=0.2,
        extra={"generationConfig": {"responseLogprobs": True}, "safetySettings": []},
    )  # fmt: skip
    assert drawn["safetySettings"] == []
    assert drawn["generationConfig"] == {
        "maxOutputTokens": 50, "temperature": 0.0, "topP": 0.9, "topK": 5, "stopSequences": ["END"], "seed": 3,
        "frequencyPenalty": 0.1, "presencePenalty": 0.2, "responseLogprobs": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "level", "sent"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", "high", {"thinkingBudget": 24576}),
        ("gemini-3.8-flash", "none", {"thinkingLevel": "minimal"}),
        ("gemini-3.8-flash", "medium", {"thinkingLevel": "medium"}),
        ("gemini-3.8-flash", None, None),
    ],
)
def test_each_generation_is_told_to_think_in_its_own_way(model: str, level: Any, sent: Any) -> None:
    assert body(model, reasoning=level)["generationConfig"].get("thinkingConfig") == sent


def test_a_schema_is_brought_down_to_what_is_taken() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 9}}, "required": ["a"]}
    config = body(schema=schema)["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    kept = {"a": {"type": "string", "description": '{"maxLength":9}'}}
    assert config["responseJsonSchema"] == {"type": "object", "properties": kept, "required": ["a"]}


def test_the_name_of_a_model_leads_nowhere_else() -> None:
    assert path(Request("models/gemini-x", ()), False) == "/models/gemini-x:generateContent"
    assert path(Request("../x?y#z", ()), True) == "/models/..%2Fx%3Fy%23z:streamGenerateContent?alt=sse"
    (sent,) = tried(
        [answer(generated(candidate(OK, "STOP")))], request=Request("../x?y", ()), adapter="gemini"
    ).attempts
    assert sent.path == "/v1/models/..%2Fx%3Fy:generateContent"
