"""Test scripted, to see that a script says what it says as any adapter would say it."""

import asyncio
from dataclasses import replace

import pytest

from smoadsl.adapters.base import Fault, FaultKind, Message, Reply, Request, Usage
from smoadsl.adapters.scripted import Broken, Script, Scripted, words

REQUEST = Request("m", (Message("user", "How are you?"),))


def run(script: Script) -> tuple[Reply, list[str], Scripted]:
    adapter, pieces = Scripted(script), list[str]()

    async def main() -> Reply:
        try:
            return await adapter.complete(REQUEST, pieces.append)
        finally:
            await adapter.aclose()

    return asyncio.run(main()), pieces, adapter


def test_a_text_becomes_a_reply_in_pieces() -> None:
    reply, pieces, adapter = run(lambda request: f"  {request.model} is\nwell. ")
    assert reply == Reply("  m is\nwell. ", "stop", Usage(3, 4, estimated=True), "m")
    assert pieces == ["  m", " is", "\nwell.", " "]
    assert adapter.requests == [REQUEST]
    assert adapter.closed


def test_a_reply_is_given_as_it_is() -> None:
    said = Reply("Well.", "length", Usage(1, 2), "other")
    assert run(lambda _: said)[0] == said


def test_a_script_can_take_its_time_and_decide_by_the_request() -> None:
    async def script(request: Request) -> str:
        await asyncio.sleep(0.05 if request.model == "slow" else 0)
        return request.model

    async def main() -> list[str]:
        adapter, order = Scripted(script), list[str]()
        models = (replace(REQUEST, model=model) for model in ("slow", "fast"))
        await asyncio.gather(*(adapter.complete(request, order.append) for request in models))
        return order

    assert asyncio.run(main()) == ["fast", "slow"]


def test_a_fault_comes_at_once_or_after_half_an_answer() -> None:
    fault = Fault(FaultKind.STALLED, "m stopped", billed=True)
    pieces: list[str] = []
    for said, heard in ((fault, []), (Broken("I am", fault), ["I", " am"])):
        adapter = Scripted(lambda _, said=said: said)  # type: ignore[misc]
        with pytest.raises(Fault) as caught:
            asyncio.run(adapter.complete(REQUEST, pieces.append))
        assert caught.value is fault
        assert pieces == heard


def test_words_lose_nothing() -> None:
    for text in ("", " ", "a", " a  b\n\nc ", "é\tf"):
        assert "".join(words(text)) == text
