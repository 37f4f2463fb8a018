"""Test anthropic, to hold the Messages API to the catalogue of faults, and what we send to what it takes."""

from typing import Any

import pytest

from smoadsl.adapters.anthropic import request_body
from smoadsl.adapters.base import FaultKind, Message, Request, Sampling, Usage
from tests.adapters.attempts import REQUEST, tried
from tests.adapters.cases import BAD, CUT, EMPTY, REFUSED, STATUS, Case, check, stream, whole
from tests.adapters.protocols import CLOSED, OPEN, PING, START, STOP, delta, ending, message, named
from tests.adapters.wall import CHUNKED_HEAD, Act, answer, chunked, drip

OK = "Because."
THINKING = {"type": "thinking", "thinking": "Hm. ", "signature": "x"}
TOOL = {"type": "tool_use", "id": "1", "name": "look", "input": {}}
EXPLAINED = {"type": "refusal", "category": "bio", "explanation": "That could do harm."}


def blocks(*content: Any, reason: Any = "end_turn", **more: Any) -> dict[str, Any]:
    return {**message(reason=reason), "content": list(content), **more}


def text(words: Any) -> dict[str, Any]:
    return {"type": "text", "text": words}


WHOLE = [
    whole("plain", message(OK), OK),
    whole("several blocks", message("Be", "cause."), OK),
    whole("stop sequence", message(OK, reason="stop_sequence"), OK),
    whole("F46 length", message("Beca", reason="max_tokens"), "Beca", finish="length"),
    whole("F46 context", message("Beca", reason="model_context_window_exceeded"), "Beca", finish="length"),
    whole("no reason", message(OK, reason=None), OK, finish="unknown"),
    whole("unknown reason", message(OK, reason="tired"), OK, finish="unknown"),
    whole("thinking", blocks(THINKING, text(OK)), OK, reasoning="Hm. "),
    whole("thinking redacted", blocks({"type": "redacted_thinking", "data": "x"}, text(OK)), OK),
    whole("F44 only thinking", blocks(THINKING, reason="max_tokens"), EMPTY, words="spent all 50 tokens"),
    whole("F44 nothing", message(), EMPTY),
    whole("F44 whitespace", message(" \n"), EMPTY),
    whole("F45 refusal", message(reason="refusal"), REFUSED, words="finish reason refusal"),
    whole("F45 explained", message(reason="refusal", stop_details=EXPLAINED), REFUSED, words="could do harm"),
    whole("F45 category", message(reason="refusal", stop_details={"category": "bio"}), REFUSED, words="bio"),
    whole("F47 refusal after a part", message("Becau", reason="refusal"), REFUSED),
    whole("F48 tools unasked", blocks(text("Let me see."), TOOL, reason="tool_use"), EMPTY, words="asked for a tool"),
    whole("pause_turn", message("Beca", reason="pause_turn"), CUT),
    whole("F43 error in a 200", {"type": "error", "error": {"type": "overloaded_error"}}, STATUS, status=529),
    whole("F43 of a bill", {"error": {"type": "billing_error", "message": "Pay."}}, STATUS, status=402, words="Pay."),
    whole("F57 unknown fields", message(OK, mood="good"), OK),
    whole("shape of the content", message(content="x"), BAD),
    whole("shape of a block", blocks("x"), BAD),
    whole("shape of a text", blocks(text(7)), BAD),
]

BEGUN = (START, OPEN, PING)
ENDED = (CLOSED, ending(), STOP)
B, C = delta("Be"), delta("cause.")
THOUGHT = [
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    delta("Hm. ", "thinking"),
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "x"}},
    CLOSED,
]


def said(name: str, values: Any, outcome: str | FaultKind, **more: Any) -> Case:
    return stream(name, named(*values), outcome, **more)


STREAMS = [
    said("plain", [*BEGUN, B, C, *ENDED], OK),
    said("thinking", [START, *THOUGHT, OPEN, B, C, *ENDED], OK, reasoning="Hm. "),
    said("F46 length", [*BEGUN, B, CLOSED, ending("max_tokens"), STOP], "Be", finish="length"),
    said("F45 refusal", [START, ending("refusal", stop_details=EXPLAINED), STOP], REFUSED, words="could do harm"),
    said("F47 refusal after a part", [*BEGUN, B, CLOSED, ending("refusal"), STOP], REFUSED),
    said("F48 tools unasked", [*BEGUN, B, CLOSED, ending("tool_use"), STOP], EMPTY),
    said("F44 nothing said", [START, ending(), STOP], EMPTY),
    said("F44 only thinking", [START, *THOUGHT, ending("max_tokens"), STOP], EMPTY, words="spent all 50 tokens"),
    said("F58 cut", [*BEGUN, B, C], CUT),
    said("F59 ends without message_stop", [*BEGUN, B, C, CLOSED, ending()], CUT),
    said("message_stop without a reason", [*BEGUN, B, C, CLOSED, STOP], CUT),
    said("reason null", [*BEGUN, B, ending(None), C, *ENDED], OK),
    said("F67 error first", [{"type": "error", "error": {"type": "overloaded_error"}}], STATUS, status=529),
    said("F68 error after tokens", [*BEGUN, B, {"type": "error", "error": {"type": "api_error"}}], STATUS, status=500),
    said("error after the end", [*BEGUN, B, C, *ENDED, {"type": "error", "error": {"type": "api_error"}}], OK),
    said("unknown events", [*BEGUN, {"type": "mood", "mood": 1}, B, C, *ENDED], OK),
    said("F73 more after the end", [*BEGUN, B, C, *ENDED, OPEN, delta("More.")], OK),
    stream("F66 one lost", named(*BEGUN, B) + b"data: {\n\n" + named(C, *ENDED), OK),
    stream("F66 four lost", named(*BEGUN, B) + b"data: {\n\n" * 4 + named(C, *ENDED), BAD),
    stream("shape of a delta", named(*BEGUN, B) + b'data: {"type":"content_block_delta"}\n\n' * 4, BAD),
    Case("byte by byte", [CHUNKED_HEAD, *drip(chunked(named(*BEGUN, B, C, *ENDED)), 0)], OK),
    Case("answers in one piece", [answer(message(OK))], OK),
]


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_whole_answer(case: Case) -> None:
    check(case, False, "anthropic")


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
def test_a_streamed_answer(case: Case) -> None:
    check(case, True, "anthropic")


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"input_tokens": 11, "output_tokens": 7}, Usage(11, 7)),
        ({"input_tokens": 1, "cache_read_input_tokens": 6, "cache_creation_input_tokens": 4, "output_tokens": 7},
         Usage(11, 7, cached_tokens=6, written_tokens=4)),
        ({"input_tokens": 1, "cache_creation_input_tokens": 10, "output_tokens": 7}, Usage(11, 7, written_tokens=10)),
        ({"input_tokens": 0, "cache_read_input_tokens": 11, "output_tokens": 7}, Usage(11, 7, cached_tokens=11)),
        ({"input_tokens": 11, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 5}},
         Usage(11, 7, reasoning_tokens=5)),
        ({"input_tokens": 11, "output_tokens": 7, "cache_read_input_tokens": "x", "output_tokens_details": 3},
         Usage(11, 7)),
        ({"input_tokens": "many", "output_tokens": None}, Usage(4, 2, estimated=True)),
        ({}, Usage(4, 2, estimated=True)),
        (None, Usage(4, 2, estimated=True)),
        (7, Usage(4, 2, estimated=True)),
    ],
)  # fmt: skip
def test_usage_is_counted_or_estimated(usage: Any, counted: Usage) -> None:
    """F49."""
    result = tried([answer(message(OK, usage=usage))], adapter="anthropic")
    assert result.reply
    assert result.reply.usage == counted


def test_usage_of_a_stream_is_the_last_that_was_said() -> None:
    usage = {"input_tokens": 20, "cache_read_input_tokens": 3, "output_tokens": 9}
    acts: list[Act] = [CHUNKED_HEAD, chunked(named(*BEGUN, B, CLOSED, {**ending(), "usage": usage}, STOP))]
    result = tried(acts, stream=True, adapter="anthropic")
    assert result.reply
    assert result.reply.usage == Usage(23, 9, cached_tokens=3)


def body(request: Request = REQUEST, **sampling: Any) -> dict[str, Any]:
    asked = Request(
        request.model, request.messages, Sampling(max_tokens=sampling.pop("max_tokens", 50), **sampling), request.schema
    )
    return request_body(asked, stream=False, provider="acme")


def test_what_a_request_holds_is_what_is_sent() -> None:
    (sent,) = tried([answer(message(OK))], adapter="anthropic").attempts
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.json == {
        "model": "asked",
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}],
        "stream": False,
    }
    drawn = body(
        temperature=0.0, top_p=0.9, top_k=5, stop=("END",), extra={"metadata": {"user_id": "u"}, "stream": True}
    )
    expected = {"temperature": 0.0, "top_p": 0.9, "top_k": 5, "stop_sequences": ["END"], "stream": False}
    assert drawn.items() >= {**expected, "metadata": {"user_id": "u"}}.items()


LONG = "Be brief. " * 400


@pytest.mark.parametrize("rest", ["", "\n\nRead this: 🐝."])
def test_a_long_beginning_that_lasts_is_to_be_kept_where_that_is_wanted(rest: str) -> None:
    asked = Request("asked", (Message("system", LONG + rest, len(LONG)), Message("user", "Why?")))
    kept = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    assert body(asked, prompt_cache=True)["system"] == [kept, *([{"type": "text", "text": rest}] if rest else [])]
    assert "cache_control" not in str(body(asked, prompt_cache=True)["messages"])
    for wish in (None, False):
        assert body(asked, prompt_cache=wish)["system"] == [{"type": "text", "text": LONG + rest}]


@pytest.mark.parametrize("lasting", [0, 9, 3071])
def test_what_is_too_short_to_be_kept_is_not_marked(lasting: int) -> None:
    asked = Request("asked", (Message("system", LONG, lasting), Message("user", "Why?")))
    assert body(asked, prompt_cache=True)["system"] == [{"type": "text", "text": LONG}]


@pytest.mark.parametrize(
    ("model", "level", "thinking", "effort"),
    [
        ("claude-haiku-4-5-20251001", "low", {"type": "enabled", "budget_tokens": 1024}, None),
        ("claude-opus-4-5", "high", {"type": "enabled", "budget_tokens": 1999}, None),
        ("claude-opus-4-5", "none", None, None),
        ("claude-opus-4-8", "medium", {"type": "adaptive"}, "medium"),
        ("claude-sonnet-4-6", "none", None, None),
        ("claude-opus-5", "none", {"type": "disabled"}, None),
        ("claude-opus-5-5", "high", {"type": "adaptive"}, "high"),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
        ("claude-opus-5-5", None, None, None),
    ],
)
def test_each_generation_is_told_to_think_in_its_own_way(model: str, level: Any, thinking: Any, effort: Any) -> None:
    sent = body(Request(model, REQUEST.messages), max_tokens=2000, reasoning=level)
    assert sent.get("thinking") == thinking
    assert sent.get("output_config", {}).get("effort") == effort


def test_too_few_tokens_to_think_are_told_before_anything_is_sent() -> None:
    asked = Request("claude-opus-4-5", REQUEST.messages, Sampling(1024, reasoning="low"))
    result = tried([], request=asked, adapter="anthropic")
    assert result.kind is FaultKind.LOCAL
    assert "needs max_tokens above 1024" in str(result.fault)
    assert not result.attempts


def test_a_schema_is_brought_down_to_what_is_taken() -> None:
    labels = {"type": "string", "enum": ["A", "B"]}
    fields = {
        "reason": {"type": "string", "maxLength": 400, "description": "Why."},
        "best": {"type": "array", "items": labels, "minItems": 2, "maxItems": 2},
    }
    schema = {"type": "object", "properties": fields, "required": ["reason", "best"]}
    sent = body(Request("asked", REQUEST.messages, schema=schema))["output_config"]["format"]
    reason = {"type": "string", "description": 'Why. {"maxLength":400}'}
    best = {"type": "array", "items": labels, "description": '{"minItems":2,"maxItems":2}'}
    assert sent["type"] == "json_schema"
    assert sent["schema"]["properties"] == {"reason": reason, "best": best}
    assert sent["schema"]["additionalProperties"] is False


@pytest.mark.parametrize(
    "setting", [{"seed": 1}, {"min_p": 0.1}, {"presence_penalty": 0.5}, {"frequency_penalty": 0.5}]
)
def test_what_the_protocol_has_no_word_for_is_told(setting: dict[str, Any]) -> None:
    result = tried([], request=Request("asked", REQUEST.messages, Sampling(**setting)), adapter="anthropic")
    assert result.kind is FaultKind.LOCAL
    assert f"the anthropic protocol has no {next(iter(setting))}" in str(result.fault)
