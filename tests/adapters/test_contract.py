"""Test contract, to hold our own adapters to it, and to see it find what an adapter does wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from smoadsl.adapters import contract, open_adapter
from smoadsl.adapters.base import Adapter, Choice, Connection, Fault, FaultKind, OnText, Reply, Request, Usage
from smoadsl.adapters.contract import CHECKS, Subject
from smoadsl.adapters.dialect import Dialect
from smoadsl.adapters.scripted import Scripted
from tests.adapters.protocols import PROTOCOLS, Protocol
from tests.adapters.wall import Attempt, Wall, answer, chunked
from tests.canary import CANARY

BROKEN = Connection("acme", "http://127.0.0.1:9")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.adapter)
def test_ours_keep_it(protocol: Protocol, check: contract.Check) -> None:
    def well(sent: Attempt) -> list[bytes]:
        if sent.json.get("stream") or "stream" in sent.path:
            return [protocol.chunked_head, chunked(protocol.stream)]
        return [answer(protocol.whole)]

    async def main() -> None:
        async with Wall(well) as wall:
            connection = Connection("acme", f"{wall.url}/v1", CANARY)
            await check(Subject(partial(open_adapter, protocol.adapter), connection, BROKEN))
            several = replace(connection, dialect=Dialect(n=True))
            await check(Subject(partial(open_adapter, protocol.adapter), several, BROKEN))

    asyncio.run(main())


GOOD = Reply("Fine words.", "stop", Usage(1, 2), "m")


class Odd(Scripted):
    """An adapter that keeps the contract but for what a test changes."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(lambda _: GOOD if connection is not BROKEN else Fault(FaultKind.NOT_SENT, "nobody is there"))
        self.connection = connection

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        if not self.connection.base_url.startswith("good"):
            raise Fault(FaultKind.NOT_SENT, "nobody is there")
        if request.n > 1:
            raise Fault(FaultKind.LOCAL, "one answer to a request")
        return await super().complete(request, on_text)


def held(check: contract.Check, kind: type[Odd]) -> str:
    """What the check says of an adapter; empty where it says nothing."""
    try:
        asyncio.run(_run(check(Subject(kind, Connection("acme", "good"), BROKEN))))
    except AssertionError as found:
        return str(found)
    return ""


async def _run(check: Awaitable[None]) -> None:
    async with asyncio.timeout(10):
        await check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_one_that_keeps_it_is_left_in_peace(check: contract.Check) -> None:
    assert held(check, Odd) == ""


def replying(**changes: Any) -> type[Odd]:
    class Replying(Odd):
        async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
            return replace(await super().complete(request, on_text), **changes)

    return Replying


def doing(act: Callable[[Odd, Request, OnText | None], Awaitable[Reply]]) -> type[Odd]:
    class Doing(Odd):
        async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
            return await act(self, request, on_text)

    return Doing


async def _silent(adapter: Odd, request: Request, _: OnText | None) -> Reply:
    return await Odd.complete(adapter, request)


async def _from_a_thread(adapter: Odd, request: Request, on_text: OnText | None) -> Reply:
    await asyncio.to_thread(on_text or str, GOOD.text)
    return await Odd.complete(adapter, request)


async def _leaving(adapter: Odd, request: Request, on_text: OnText | None) -> Reply:
    adapter.left = asyncio.ensure_future(asyncio.sleep(3600))  # type: ignore[attr-defined]
    return await Odd.complete(adapter, request, on_text)


async def _stubborn(adapter: Odd, request: Request, on_text: OnText | None) -> Reply:
    if on_text is None:
        return GOOD
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            raise RuntimeError("no") from None


async def _raising(_: Odd, __: Request, ___: OnText | None) -> Reply:
    raise OSError("no route")


async def _talking(adapter: Odd, _: Request, __: OnText | None) -> Reply:
    raise Fault(FaultKind.NOT_SENT, f"the key {adapter.connection.api_key} is of no use")


async def _chatty(_: Odd, __: Request, ___: OnText | None) -> Reply:
    raise Fault(FaultKind.NOT_SENT, "two\nlines")


async def _always(_: Odd, __: Request, on_text: OnText | None) -> Reply:
    return GOOD


class Shown(Odd):
    """One whose `repr` tells its key."""

    def __repr__(self) -> str:
        return f"Shown({self.connection.api_key})"


class Once(Odd):
    """One that can be closed only once."""

    async def aclose(self) -> None:
        assert not self.closed, "it was closed already"
        self.closed = True


@pytest.mark.parametrize(
    ("check", "kind", "words"),
    [
        (contract.it_answers, replying(text=" "), "the reply has no text"),
        (contract.it_answers, replying(finish="tired"), "`finish` is 'tired'"),
        (contract.it_answers, replying(usage=Usage(0, 1)), "`usage.input_tokens` is not positive"),
        (contract.it_answers, replying(usage=Usage(1, 0)), "`usage.output_tokens` is not positive"),
        (contract.it_answers, replying(model=""), "does not name the model"),
        (contract.it_streams, doing(_silent), "`on_text` was given nothing"),
        (contract.it_streams, replying(text="Other words."), "the pieces make 'Fine words.'"),
        (contract.it_streams, doing(_from_a_thread), "on another thread"),
        (contract.it_serves_several_at_once, doing(_leaving), "tasks are left after `aclose`"),
        (contract.it_can_be_cancelled, doing(_stubborn), "a cancelled call raised RuntimeError"),
        (contract.it_fails_with_a_fault, doing(_raising), "it raised OSError where only `Fault` may be raised"),
        (contract.it_fails_with_a_fault, doing(_talking), "the key is in the fault"),
        (contract.it_fails_with_a_fault, doing(_chatty), "more than one line"),
        (contract.it_fails_with_a_fault, doing(_always), "it answered 'Fine words.' where no provider is"),
        (contract.it_shows_no_key, Shown, "the key is in the adapter's `repr`"),
        (contract.it_gives_one_answer_where_it_can_not_give_more, doing(_always), "of 3 answers 1 are accounted for"),
        (contract.it_can_be_closed_unused_and_twice, Once, "it was closed already"),
    ],
)
def test_what_is_wrong_is_found_and_said(check: contract.Check, kind: type[Odd], words: str) -> None:
    assert words in held(check, kind)


def test_several_answers_are_accounted_for() -> None:
    class Several(Odd):
        async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
            return replace(GOOD, others=(Choice("B", "stop"),), faults=(Fault(FaultKind.REFUSED, "no"),))

    assert held(contract.it_gives_one_answer_where_it_can_not_give_more, Several) == ""


def test_an_adapter_is_a_protocol_and_no_base_class() -> None:
    adapter: Adapter = Odd(BROKEN)
    assert not isinstance(adapter, type)
