"""Contract, to hold any adapter to what the wire contract asks of it: the checks that ours pass, for those of others.

Each of `CHECKS` is a coroutine function that takes a `Subject` and raises `AssertionError` with a sentence. None of it
is imported by a run, and it needs no test framework: `asyncio.run(check(subject))` in a test of any kind.
"""

import asyncio
import threading
import traceback
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from smoadsl.adapters.base import Adapter, Connection, Fault, FaultKind, Message, Reply, Request, Sampling
from smoadsl.classes import dataclass

_AT_ONCE = 5
_SOON_S = 2.0
_ANYTHING = Request("any", (Message("user", "Say something."),), Sampling(max_tokens=64))
_FINISHES = ("stop", "length", "unknown")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is held to the contract: how the adapter is opened, `connection` where a provider answers `request` with
    text, and `broken` where none answers. Give `connection` a key, so that it can be looked for."""

    open: Callable[[Connection], Adapter]
    connection: Connection
    broken: Connection
    request: Request = _ANYTHING


Check = Callable[[Subject], Awaitable[None]]


async def it_answers(subject: Subject) -> None:
    """A whole reply: text, a finish that is known, tokens that can be true, a model."""
    async with aclosing(subject.open(subject.connection)) as adapter:
        _whole(await adapter.complete(subject.request))


async def it_streams(subject: Subject) -> None:
    """The pieces are handed over on the loop's own thread, before the reply, and are its text."""
    pieces: list[str] = []
    threads: set[int] = set()

    def take(piece: str) -> None:
        pieces.append(piece)
        threads.add(threading.get_ident())

    async with aclosing(subject.open(subject.connection)) as adapter:
        reply = await adapter.complete(subject.request, take)
        heard = "".join(pieces)
        _whole(reply)
    assert pieces, "`on_text` was given nothing"
    assert heard == reply.text, f"the pieces make {heard!r}, and the reply says {reply.text!r}"
    assert threads == {threading.get_ident()}, "`on_text` was called on another thread than the loop's"


async def it_serves_several_at_once(subject: Subject) -> None:
    """Calls do not disturb one another, and nothing is left when they are done."""
    before = asyncio.all_tasks()
    async with aclosing(subject.open(subject.connection)) as adapter:
        for reply in await asyncio.gather(*(adapter.complete(subject.request) for _ in range(_AT_ONCE))):
            _whole(reply)
    await _settled()
    left = asyncio.all_tasks() - before
    assert not left, f"tasks are left after `aclose`: {left}"


async def it_can_be_cancelled(subject: Subject) -> None:
    """A call that is cancelled ends soon, as cancelled, and the adapter goes on working."""
    async with aclosing(subject.open(subject.connection)) as adapter:
        call = asyncio.ensure_future(adapter.complete(subject.request, lambda _: None))
        await asyncio.sleep(0)
        call.cancel()
        done, _ = await asyncio.wait([call], timeout=_SOON_S)
        assert done, f"a cancelled call was not over within {_SOON_S:g} s"
        assert call.cancelled() or call.exception() is None, f"a cancelled call raised {call.exception()!r}"
        _whole(await adapter.complete(subject.request))


async def it_fails_with_a_fault(subject: Subject) -> None:
    """Where no provider is, the attempt ends in a `Fault` and nothing else: one sentence, and the key in none of it."""
    key = subject.connection.api_key or "a-key-to-look-for"
    async with aclosing(subject.open(replace(subject.broken, api_key=key))) as adapter:
        for on_text in (None, lambda _: None):
            try:
                reply = await adapter.complete(subject.request, on_text)
            except Fault as fault:
                _keeps_quiet(fault, key)
            except Exception as error:
                raise AssertionError(f"it raised {type(error).__name__} where only `Fault` may be raised") from error
            else:
                raise AssertionError(f"it answered {reply.text!r} where no provider is")


async def it_shows_no_key(subject: Subject) -> None:
    """The key is in no text that the adapter itself can become."""
    key = "a-key-to-look-for"
    async with aclosing(subject.open(replace(subject.connection, api_key=key))) as adapter:
        assert key not in f"{adapter!r}{adapter}", "the key is in the adapter's `repr`"


async def it_gives_one_answer_where_it_can_not_give_more(subject: Subject) -> None:
    """Asked for several answers, it gives them all or says that it can not: never one in silence."""
    async with aclosing(subject.open(subject.connection)) as adapter:
        try:
            reply = await adapter.complete(replace(subject.request, n=3))
        except Fault as fault:
            if fault.kind is not FaultKind.LOCAL:
                message = f"a request that it can not make is a fault of kind LOCAL, not {fault.kind.name}"
                raise AssertionError(message) from fault
            return
    came = len(reply.answers) + len(reply.faults)
    assert came == 3, f"of 3 answers {came} are accounted for: the others are missing from `faults`"


async def it_can_be_closed_unused_and_twice(subject: Subject) -> None:
    """Opening touches nothing, so that closing has nothing to do; closing twice is closing."""
    adapter = subject.open(subject.broken)
    await adapter.aclose()
    await adapter.aclose()


CHECKS: tuple[Check, ...] = (
    it_answers,
    it_streams,
    it_serves_several_at_once,
    it_can_be_cancelled,
    it_fails_with_a_fault,
    it_shows_no_key,
    it_gives_one_answer_where_it_can_not_give_more,
    it_can_be_closed_unused_and_twice,
)


def _whole(reply: Reply) -> None:
    assert isinstance(reply, Reply), f"it gave {type(reply).__name__} instead of a `Reply`"
    assert reply.text.strip(), "the reply has no text: that is a fault of kind EMPTY"
    assert reply.finish in _FINISHES, f"`finish` is {reply.finish!r}, which is none of {', '.join(_FINISHES)}"
    assert reply.usage.input_tokens > 0, "`usage.input_tokens` is not positive: estimate what is not told"
    assert reply.usage.output_tokens > 0, "`usage.output_tokens` is not positive: estimate what is not told"
    assert reply.model, "the reply does not name the model that answered"


def _keeps_quiet(fault: Fault, key: str) -> None:
    assert fault.message, "the fault has no message"
    assert "\n" not in fault.message, "the fault's message is more than one line"
    shown = [*traceback.format_exception(fault), repr(fault), repr(vars(fault))]
    assert key not in "".join(shown), "the key is in the fault, or in what it was raised from"


async def _settled() -> None:
    """What was closed has a moment to end."""
    for _ in range(5):
        await asyncio.sleep(0)
