"""Test sdks, to see the providers' own clients send what we send and read what our walls say, and to know their words.

The clients are dependencies of the tests alone. What they do not know is said where it is.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, get_args

import pytest

from smoadsl.adapters import anthropic_answer, gemini, gemini_answer, ollama_answer, openai_answer
from smoadsl.adapters.base import Message, Request, Sampling
from smoadsl.adapters.dialect import PLAIN, Dialect
from tests.adapters.attempts import ACME, TEXT, attempt, meeting
from tests.adapters.protocols import ANTHROPIC, GEMINI, OLLAMA, OPENAI, Protocol
from tests.adapters.wall import Attempt, Wall, answer, chunked
from tests.canary import CANARY

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

LONG = "Be brief. " * 400  # enough to be kept
MESSAGES = (
    Message("system", "Be brief."),
    Message("user", "Why?"),
    Message("assistant", "So."),
    Message("user", "Eh?"),
)
TURNS = [{"role": message.role, "content": message.content} for message in MESSAGES]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}

Use = Callable[[str, bool], Awaitable[str]]
"""Asks, with a client, the server at an address, streamed or not, and gives the text that it read."""


def heard(protocol: Protocol, use: Use, streamed: bool) -> tuple[str, Any]:
    """The text that a client read in what our wall says, and what it had sent."""

    async def main() -> tuple[str, Any]:
        async with Wall(lambda sent: _said(protocol, sent)) as wall:
            text = await use(wall.url, streamed)
            return text, wall.attempts[-1].json

    return asyncio.run(main())


def sent_by_us(protocol: Protocol, request: Request, streamed: bool, dialect: Dialect = PLAIN) -> Any:
    """What we send for the same."""

    async def main() -> Any:
        wall = Wall(lambda sent: _said(protocol, sent))
        async with meeting(wall, replace(ACME, dialect=dialect), protocol.adapter) as adapter:
            assert (await attempt(adapter, request, streamed)).outcome == TEXT
            return wall.attempts[-1].json

    return asyncio.run(main())


def _said(protocol: Protocol, sent: Attempt) -> list[bytes]:
    if sent.json.get("stream") or "stream" in sent.path:
        return [protocol.chunked_head, chunked(protocol.stream)]
    return [answer(protocol.whole)]


both = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


async def joined(pieces: AsyncIterator[Any], text: Callable[[Any], str | None]) -> str:
    return "".join([text(piece) or "" async for piece in pieces])


# ---- OpenAI


@both
def test_openai(streamed: bool) -> None:
    openai = pytest.importorskip("openai")
    drawn = {"temperature": 0.0, "top_p": 0.9, "frequency_penalty": 0.1, "presence_penalty": 0.2, "seed": 3}
    schema = {"name": "reply", "schema": SCHEMA, "strict": True}

    async def use(url: str, stream: bool) -> str:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=CANARY, max_retries=0) as client:
            given = {**drawn, "model": "asked", "messages": TURNS, "max_completion_tokens": 50, "stop": ["END"], "n": 1}
            given |= {"reasoning_effort": "low", "response_format": {"type": "json_schema", "json_schema": schema}}
            if not stream:
                whole = await client.chat.completions.create(**given, stream=False)
                assert whole.choices[0].finish_reason == "stop"
                return str(whole.choices[0].message.content)
            pieces = await client.chat.completions.create(**given, stream=True, stream_options={"include_usage": True})
            return await joined(pieces, lambda one: one.choices[0].delta.content if one.choices else "")

    text, sent = heard(OPENAI, use, streamed)
    sampling = Sampling(50, stop=("END",), reasoning="low", **drawn)  # type: ignore[arg-type]
    ours = sent_by_us(
        OPENAI,
        Request("asked", MESSAGES, sampling, SCHEMA),
        streamed,
        Dialect(n=True, schema="strict", most_tokens="max_completion_tokens"),
    )
    assert text == TEXT
    assert ours | {"n": 1} == sent


def test_every_word_of_openais_for_an_end_is_known() -> None:
    chat = pytest.importorskip("openai.types.chat.chat_completion")
    assert set(get_args(chat.Choice.model_fields["finish_reason"].annotation)) <= set(openai_answer.CHAT.endings)


# ---- Anthropic


@both
def test_anthropic(streamed: bool) -> None:
    anthropic = pytest.importorskip("anthropic")

    async def use(url: str, stream: bool) -> str:
        async with anthropic.AsyncAnthropic(base_url=url, api_key=CANARY, max_retries=0) as client:
            turns = [{"role": one["role"], "content": [{"type": "text", "text": one["content"]}]} for one in TURNS[1:]]
            given = {
                "model": "claude-opus-5-5",
                "max_tokens": 50,
                "system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}],
                "messages": turns,
                "stop_sequences": ["END"],
                "thinking": {"type": "adaptive"},
                "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
            }
            if not stream:
                whole = await client.messages.create(**given, stream=False)
                assert whole.stop_reason == "end_turn"
                return str(whole.content[0].text)
            async with client.messages.stream(**given) as pieces:
                return await joined(pieces.text_stream, lambda one: one)

    text, sent = heard(ANTHROPIC, use, streamed)
    sampling = Sampling(50, stop=("END",), reasoning="low", prompt_cache=True)
    messages = (Message("system", LONG, len(LONG)), *MESSAGES[1:])
    ours = sent_by_us(ANTHROPIC, Request("claude-opus-5-5", messages, sampling, SCHEMA), streamed)
    assert text == TEXT
    assert ours == sent


def test_every_word_of_anthropics_for_an_end_is_known() -> None:
    words = pytest.importorskip("anthropic.types.stop_reason")
    assert set(get_args(words.StopReason)) <= set(anthropic_answer.MESSAGE.endings)


# ---- Gemini


@both
def test_gemini(streamed: bool) -> None:
    genai = pytest.importorskip("google.genai")
    drawn = {"temperature": 0.0, "top_p": 0.9, "top_k": 5, "seed": 3, "frequency_penalty": 0.1, "presence_penalty": 0.2}

    async def use(url: str, stream: bool) -> str:
        client = genai.Client(api_key=CANARY, http_options={"base_url": url, "api_version": "v1beta"})
        config = {
            **drawn, "max_output_tokens": 50, "stop_sequences": ["END"], "candidate_count": 2,
            "thinking_config": {"thinking_budget": 1024}, "response_mime_type": "application/json",
            "response_json_schema": SCHEMA, "system_instruction": {"parts": [{"text": "Be brief."}]},
        }  # fmt: skip
        speakers = {"assistant": "model", "user": "user"}
        turns = [{"role": speakers[one["role"]], "parts": [{"text": one["content"]}]} for one in TURNS[1:]]
        given = {"model": "gemini-2.5-flash", "contents": turns, "config": config}
        async with client.aio as models:
            if not stream:
                whole = await models.models.generate_content(**given)
                assert whole.candidates[0].finish_reason == "STOP"
                return str(whole.text)
            return await joined(await models.models.generate_content_stream(**given), lambda one: one.text)

    text, sent = heard(GEMINI, use, streamed)
    sampling = Sampling(50, stop=("END",), reasoning="low", **drawn)  # type: ignore[arg-type]
    request = Request("gemini-2.5-flash", MESSAGES, sampling, SCHEMA, n=2)

    spelt = sent["generationConfig"]["thinkingConfig"]
    spelt["thinkingBudget"] = spelt.pop("thinking_budget")  # the server takes either spelling
    assert text == TEXT
    assert gemini.request_body(request) == sent


def test_every_word_of_geminis_for_an_end_is_known() -> None:
    types = pytest.importorskip("google.genai.types")
    known = set(gemini_answer.CANDIDATES.endings)
    new = {word.value.lower() for word in types.FinishReason} - known
    assert new == {"missing_thought_signature"}  # of requests that bring thoughts back, which ours never do


# ---- Ollama


@both
def test_ollama(streamed: bool) -> None:
    ollama = pytest.importorskip("ollama")
    drawn = {"temperature": 0.0, "top_p": 0.9, "top_k": 5, "seed": 3, "frequency_penalty": 0.1, "presence_penalty": 0.2}
    options = {**drawn, "num_predict": 50, "num_ctx": 4096, "stop": ["END"]}

    async def use(url: str, stream: bool) -> str:
        given = {"model": "asked", "messages": TURNS, "options": options, "format": SCHEMA, "think": True}
        async with ollama.AsyncClient(host=url) as client:
            if not stream:
                whole = await client.chat(**given)
                assert (whole.done, whole.done_reason) == (True, "stop")
                return str(whole.message.content)
            return await joined(await client.chat(**given, stream=True), lambda one: one.message.content)

    text, sent = heard(OLLAMA, use, streamed)
    sampling = Sampling(50, stop=("END",), reasoning="low", **drawn)  # type: ignore[arg-type]
    ours = sent_by_us(OLLAMA, Request("asked", MESSAGES, sampling, SCHEMA), streamed)
    assert text == TEXT
    beyond = {"truncate": False, "shift": False}  # of the server, but not of its client
    assert ours == {**{name: value for name, value in sent.items() if name != "tools"}, **beyond}
    assert set(ollama_answer.CHAT.endings) >= {"stop", "length"}
