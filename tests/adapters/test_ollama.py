"""Test ollama, to hold its chat protocol to the catalogue of faults, and what we send to what it takes."""

import asyncio
from typing import Any

import pytest

from smoadsl.adapters.base import FaultKind, Message, Request, Sampling, Usage
from smoadsl.adapters.ollama import request_body
from tests.adapters.attempts import CLOSE, REQUEST, meeting, tried
from tests.adapters.cases import BAD, CUT, EMPTY, STATUS, Case, check, whole
from tests.adapters.protocols import OLLAMA, chat, lines
from tests.adapters.wall import Wall, answer, chunked, drip

OK = "Because."
TOO_LONG = {"error": {"code": 400, "message": "the prompt exceeds the context", "type": "exceed_context_size_error"}}

WHOLE = [
    whole("plain", chat(OK, "stop"), OK),
    whole("F46 length", chat("Beca", "length"), "Beca", finish="length"),
    whole("no reason", {**chat(OK), "done": True}, OK, finish="unknown"),
    whole("thinking", chat(OK, "stop", thinking="Hm."), OK, reasoning="Hm."),
    whole("F44 only thinking", chat("", "length", thinking="Hm."), EMPTY, words="spent all 50 tokens"),
    whole("F44 nothing", chat("", "stop"), EMPTY),
    whole("F44 only loaded", chat("", "load"), EMPTY),
    whole("F43 error in a 200", {"error": "model is busy"}, STATUS, status=500, words="model is busy"),
    whole("shape of message", {"message": "x"}, BAD),
    whole("shape of content", {"message": {"content": 7}}, BAD),
    Case("F33 too long", [answer(TOO_LONG, 400)], STATUS, status=400, words="the prompt exceeds the context"),
    Case("F31 no such model", [answer({"error": "model 'x' not found"}, 404)], STATUS, status=404, words="not found"),
]

B, C, LAST = chat("Be"), chat("cause."), chat("", "stop")


def said(name: str, values: list[Any], outcome: str | FaultKind, **more: Any) -> Case:
    return Case(name, [OLLAMA.closing_head, lines(*values), CLOSE], outcome, **more)


STREAMS = [
    said("plain", [B, C, LAST], OK),
    said("text in the last line", [B, chat("cause.", "stop")], OK),
    said("thinking", [chat("", thinking="Hm"), chat("", thinking="."), B, C, LAST], OK, reasoning="Hm."),
    said("F46 length", [B, chat("", "length")], "Be", finish="length"),
    said("F58 cut", [B, C], CUT),
    said("F69 error line first", [{"error": "no"}], STATUS, status=500, words="no"),
    said("F69 error line after tokens", [B, {"error": "the runner has died"}], STATUS, status=500, words="runner"),
    said("error after the end", [B, C, LAST, {"error": "no"}], OK),
    said("F66 one lost", [B, '{"mess', C, LAST], OK),
    said("F66 four lost", [B, "{", "{", "{", "{", C, LAST], BAD),
    said("F73 more after the end", [B, C, LAST, chat("More.")], OK),
    said("empty lines", [B, "", "", C, LAST], OK),
    said("F44 nothing said", [LAST], EMPTY),
    Case("CRLF", [OLLAMA.closing_head, lines(B, C, LAST).replace(b"\n", b"\r\n"), CLOSE], OK),
    Case("last line open", [OLLAMA.closing_head, lines(B, C, LAST)[:-1], CLOSE], OK),
    Case("last line cut", [OLLAMA.closing_head, lines(B, C, LAST)[:-3], CLOSE], CUT),
    Case("byte by byte", [OLLAMA.chunked_head, *drip(chunked(lines(B, C, LAST)), 0)], OK),
    Case("answers in one piece", [answer(chat(OK, "stop"))], OK),
]


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_whole_answer(case: Case) -> None:
    check(case, False, "ollama")


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
def test_a_streamed_answer(case: Case) -> None:
    check(case, True, "ollama")


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_eval_count": 11, "eval_count": 7}, Usage(11, 7)),
        ({"prompt_eval_count": 11, "eval_count": 0}, Usage(11, 2, estimated=True)),
        ({"prompt_eval_count": None, "eval_count": "x"}, Usage(4, 2, estimated=True)),
    ],
)
def test_usage_is_counted_or_estimated(usage: Any, counted: Usage) -> None:
    """F49."""
    result = tried([answer({**chat(OK, "stop"), **usage})], adapter="ollama")
    assert result.reply
    assert result.reply.usage == counted


def test_what_a_request_holds_is_what_is_sent() -> None:
    schema = {"type": "object"}
    drawn = {"temperature": 0.0, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "seed": 3}
    drawn |= {"frequency_penalty": 0.1, "presence_penalty": 0.2}
    sampling = Sampling(50, stop=("END",), extra={"options": {"num_gpu": 1}, "keep_alive": "1h"}, **drawn)  # type: ignore[arg-type]
    assert request_body(Request("m", REQUEST.messages, sampling, schema), stream=True, context=4096) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "options": {"num_predict": 50, "num_ctx": 4096, **drawn, "stop": ["END"], "num_gpu": 1},
        "truncate": False,
        "shift": False,
        "format": schema,
        "keep_alive": "1h",
        "stream": True,
    }


@pytest.mark.parametrize(
    ("model", "level", "think"),
    [("qwen3:8b", "none", False), ("qwen3:8b", "low", True), ("gpt-oss:20b", "high", "high"), ("x", None, None)],
)
def test_thinking_is_asked_for_as_the_model_takes_it(model: str, level: Any, think: Any) -> None:
    sampling = Sampling(50, reasoning=level)
    assert request_body(Request(model, (), sampling), stream=False, context=4096).get("think") == think


def test_the_context_holds_prompt_and_answer_and_never_shrinks() -> None:
    """Ollama drops the first messages of a prompt that does not fit, and loads a model anew for another context."""
    sizes = [10, 20_000, 10, 60_000]
    wall = Wall(lambda _: [answer(chat(OK, "stop"))])

    async def main() -> None:
        async with meeting(wall, adapter="ollama") as adapter:
            for size in sizes:
                await adapter.complete(Request("m", (Message("user", "x" * size),), Sampling(2048)))
            await adapter.complete(Request("other", (), Sampling(10)))

    asyncio.run(main())
    assert [sent.json["options"]["num_ctx"] for sent in wall.attempts] == [4096, 16384, 16384, 32768, 4096]
    assert all(sent.json["truncate"] is False and sent.json["shift"] is False for sent in wall.attempts)
