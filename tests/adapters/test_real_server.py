"""Test real server, to see that what the wall plays agrees with llama.cpp's own server."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import orjson
import pytest

from smoadsl.adapters.base import Connection, Fault, FaultKind, Message, Reply, Request, Sampling
from smoadsl.adapters.openai import OpenAI
from tests.adapters.llama_server import LlamaServer, llama_server

pytest.importorskip("xllamacpp", reason="the real server ships in xllamacpp: pip install 'smoadsl[local]'")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"best": {"enum": [["A", "B"], ["A", "C"], ["B", "C"]]}},
    "required": ["best"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    with llama_server() as running:
        yield running


def request(text: str, max_tokens: int = 16, schema: dict[str, Any] | None = None) -> Request:
    sampling = Sampling(max_tokens=max_tokens, temperature=0.0, extra={"cache_prompt": False})
    return Request("smollm2-135m", (Message("system", "Be brief."), Message("user", text)), sampling, schema)


def ask(server: LlamaServer, asked: Request, pieces: list[str] | None = None, key: str | None = None) -> Reply:
    async def main() -> Reply:
        connection = Connection("llama", server.base_url, key or server.key)
        async with aclosing(OpenAI(connection)) as adapter:
            return await adapter.complete(asked, None if pieces is None else pieces.append)

    return asyncio.run(main())


def test_streamed_or_whole_it_answers_the_same(server: LlamaServer) -> None:
    del server.calls[:]
    pieces: list[str] = []
    streamed = ask(server, request("What is the sea?"), pieces)
    whole = ask(server, request("What is the sea?"))
    assert streamed == whole
    assert "".join(pieces) == whole.text
    assert len(pieces) > 3
    assert not whole.usage.estimated
    assert (whole.usage.output_tokens, whole.finish, whole.model) == (16, "length", "smollm2-135m")
    one, other = server.calls
    assert (one.method, one.path) == (other.method, other.path) == ("POST", "/v1/chat/completions")
    assert (one.body.pop("stream"), one.body.pop("stream_options")) == (True, {"include_usage": True})
    assert other.body.pop("stream") is False
    assert one.body == other.body
    assert one.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is the sea?"},
    ]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_schema_binds(server: LlamaServer, streamed: bool) -> None:
    reply = ask(server, request("Which are the best?", 60, schema=SCHEMA), [] if streamed else None)
    assert orjson.loads(reply.text)["best"] in SCHEMA["properties"]["best"]["enum"]
    assert reply.finish == "stop"


def test_a_wrong_key_is_refused(server: LlamaServer) -> None:
    for pieces in (None, list[str]()):
        with pytest.raises(Fault, match=r"^llama refused the key given for it \(status 401\)") as caught:
            ask(server, request("Hello?"), pieces, key="another-key")
        assert caught.value.kind is FaultKind.STATUS


@pytest.mark.parametrize("streamed", [False, True])
def test_a_prompt_that_is_too_long_is_refused(server: LlamaServer, streamed: bool) -> None:
    with pytest.raises(Fault, match="exceeds the available context size") as caught:
        ask(server, request("word " * 9000), [] if streamed else None)
    assert caught.value.status == 400


def test_cancelled_the_server_is_left_free(server: LlamaServer) -> None:
    async def main() -> None:
        async with aclosing(OpenAI(Connection("llama", server.base_url, server.key))) as adapter:
            came = asyncio.Event()
            long = [request(f"Tell a long story, number {number}.", 4000) for number in range(2)]
            calls = [asyncio.create_task(adapter.complete(asked, lambda _: came.set())) for asked in long]
            await came.wait()
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            async with asyncio.timeout(20):  # both its slots would be taken for a minute
                await adapter.complete(request("Hello?", 4))

    asyncio.run(main())


def test_calls_at_once_do_not_mix(server: LlamaServer) -> None:
    async def main() -> None:
        async with aclosing(OpenAI(Connection("llama", server.base_url, server.key))) as adapter:
            asked = [request(f"Count from {number}.", 8) for number in (1, 1, 1)]
            replies = await asyncio.gather(*(adapter.complete(one, lambda _: None) for one in asked))
            assert all(one.text == other.text for one, other in pairwise(replies))

    asyncio.run(main())
