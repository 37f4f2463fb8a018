"""Test real server, to see that what the wall plays agrees with llama.cpp's own server, which speaks two protocols."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest

from smoadsl.adapters import open_adapter
from smoadsl.adapters.base import Connection, Exchange, Fault, FaultKind, Message, Reply, Request, Sampling
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


def ask(
    server: LlamaServer,
    asked: Request,
    pieces: list[str] | None = None,
    key: str | None = None,
    adapter: str = "openai",
) -> Reply:
    """The reply, without what differs from one exchange to the next."""

    async def main() -> Reply:
        connection = Connection("llama", server.base_url, key or server.key)
        async with aclosing(open_adapter(adapter, connection)) as caller:
            return await caller.complete(asked, None if pieces is None else pieces.append)

    return replace(asyncio.run(main()), exchange=Exchange())


both = pytest.mark.parametrize("adapter", ["openai", "anthropic"])


@both
def test_streamed_or_whole_it_answers_the_same(server: LlamaServer, adapter: str) -> None:
    del server.calls[:]
    pieces: list[str] = []
    streamed = ask(server, request("What is the sea?"), pieces, adapter=adapter)
    whole = ask(server, request("What is the sea?"), adapter=adapter)
    assert streamed == whole
    assert "".join(pieces) == whole.text
    assert len(pieces) > 3
    assert not whole.usage.estimated
    assert (whole.usage.output_tokens, whole.finish, whole.model) == (16, "length", "smollm2-135m")
    one, other = server.calls
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[adapter]
    assert (one.method, one.path) == (other.method, other.path) == ("POST", path)
    assert (one.body.pop("stream"), one.body.pop("stream_options", None)) == (
        True,
        {"include_usage": True} if adapter == "openai" else None,
    )
    assert other.body.pop("stream") is False
    assert one.body == other.body


def test_both_protocols_bring_the_same_answer(server: LlamaServer) -> None:
    one, other = (ask(server, request("What is the sea?"), adapter=adapter) for adapter in ("openai", "anthropic"))
    assert other.usage.cached_tokens > one.usage.cached_tokens == 0  # it takes `cache_prompt` in one of them alone
    assert replace(other, usage=replace(other.usage, cached_tokens=0)) == one


@pytest.mark.parametrize("streamed", [False, True])
def test_a_schema_binds(server: LlamaServer, streamed: bool) -> None:
    reply = ask(server, request("Which are the best?", 60, schema=SCHEMA), [] if streamed else None)
    assert orjson.loads(reply.text)["best"] in SCHEMA["properties"]["best"]["enum"]
    assert reply.finish == "stop"


@both
def test_a_wrong_key_is_refused(server: LlamaServer, adapter: str) -> None:
    for pieces in (None, list[str]()):
        with pytest.raises(Fault, match=r"^llama refused the key given for it \(status 401\)") as caught:
            ask(server, request("Hello?"), pieces, key="another-key", adapter=adapter)
        assert caught.value.kind is FaultKind.STATUS


@both
@pytest.mark.parametrize("streamed", [False, True])
def test_a_prompt_that_is_too_long_is_refused(server: LlamaServer, streamed: bool, adapter: str) -> None:
    with pytest.raises(Fault, match="exceeds the available context size") as caught:
        ask(server, request("word " * 9000), [] if streamed else None, adapter=adapter)
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
