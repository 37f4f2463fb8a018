"""Test first text, to see that what shows no text in time is left for another, over real sockets in every protocol."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

import aiohttp  # noqa: F401  (else the time of the first call counts it)
import pytest

from smoadsl.adapters.base import Fault, FaultKind, OnText, Reply, Request, Usage
from smoadsl.calls.route import Provider, Route
from smoadsl.calls.session import Session
from smoadsl.tools.virtual_clock import run_virtually
from tests.adapters.attempts import TEXT, piece
from tests.adapters.protocols import ANTHROPIC, OPENAI, PROTOCOLS, START, Protocol, delta, named
from tests.adapters.wall import Act, Attempt, Ending, Wait, Wall, answer, events
from tests.calls.asking import ROUTE, Called, asked, caller_of

TTFT_S = 0.3  # on a busy machine it must be enough for a first piece
LATE = Wait(20.0)


def asked_of(
    protocol: Protocol,
    slow: Iterable[Act],
    stream: bool = False,
    ttft_s: float | None = TTFT_S,
    by_provider: bool = False,
) -> tuple[Called, list[Attempt], int]:
    """A call whose first route answers by `slow`, and whose fallback is well; what the first one saw of it."""
    acts = list(slow)

    async def main() -> tuple[Called, list[Attempt], int]:
        async with Wall(lambda _: acts) as one, Wall(lambda _: [answer(protocol.whole)]) as other:
            late = Provider("lab", protocol.adapter, f"{one.url}/v1", ttft_s=ttft_s if by_provider else None)
            well = Provider("other", protocol.adapter, f"{other.url}/v1")
            async with Session({"lab": late, "other": well}, {}) as session:
                routes = [Route("lab", "asked", ttft_s=None if by_provider else ttft_s), Route("other", "asked")]
                called = await asked(caller_of(session), routes, stream=stream)
            for attempt in one.attempts:
                await asyncio.wait_for(attempt.left.wait(), 1.0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return called, one.attempts, len(other.attempts)

    return asyncio.run(main())


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.adapter)
@pytest.mark.parametrize("stream", [False, True], ids=["unread", "read"])
@pytest.mark.parametrize("silence", ["head", "body"])
def test_who_shows_no_text_in_time_is_left(protocol: Protocol, stream: bool, silence: str) -> None:
    head = [] if silence == "head" else [protocol.closing_head]
    called, seen, others = asked_of(protocol, [*head, LATE, Ending.CLOSE], stream)
    assert called.reply is not None
    assert called.reply.text == TEXT
    assert called.outcomes == ["timeout", "ok"]
    first, last = called.attempts
    assert first.message == "lab gave no text within 0.3 s"
    assert first.billed
    assert first.next_route == "other/asked"
    assert first.text_after_s is None
    assert first.why == "only where nobody else can be asked"
    assert TTFT_S <= first.elapsed_s < LATE.seconds
    assert len(seen) == 1
    assert others == 1
    assert "".join(called.pieces) == (TEXT if stream else "")
    assert last.number == 2


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.adapter)
@pytest.mark.parametrize("stream", [False, True], ids=["unread", "read"])
def test_what_begins_in_time_may_take_longer(protocol: Protocol, stream: bool) -> None:
    at = protocol.stream.index(b"\n", protocol.stream.index(b"Be")) + 4
    acts: list[Act] = [
        protocol.closing_head,
        protocol.stream[:at],
        Wait(2 * TTFT_S),
        protocol.stream[at:],
        Ending.CLOSE,
    ]
    called, seen, others = asked_of(protocol, acts, stream)
    assert called.reply is not None
    assert called.reply.text == TEXT
    assert called.outcomes == ["ok"]
    assert others == 0
    [only] = called.attempts
    assert only.text_after_s is not None
    assert only.text_after_s < TTFT_S < only.elapsed_s
    assert "".join(called.pieces) == (TEXT if stream else "")
    assert protocol.adapter == "gemini" or seen[0].json["stream"] is True


@pytest.mark.parametrize(
    ("protocol", "acts"),
    [
        (OPENAI, [b": ping\n\n", events(piece("", role="assistant")), events(piece(reasoning_content="Hm."))]),
        (ANTHROPIC, [named(START), named({"type": "ping"}), named(delta("Hm.", "thinking"))]),
    ],
    ids=["openai", "anthropic"],
)
def test_a_ping_and_a_thought_are_no_text(protocol: Protocol, acts: list[bytes]) -> None:
    busy = [act for one in acts * 10 for act in (one, Wait(0.02))]
    called, _, _ = asked_of(protocol, [protocol.closing_head, *busy, LATE, Ending.CLOSE], stream=True)
    assert called.outcomes == ["timeout", "ok"]
    assert "".join(called.pieces) == TEXT


def test_a_provider_may_say_it_for_all_its_models_and_nobody_has_to() -> None:
    silent: list[Act] = [OPENAI.closing_head, Wait(2 * TTFT_S), OPENAI.stream, Ending.CLOSE]
    assert asked_of(OPENAI, silent, by_provider=True)[0].outcomes == ["timeout", "ok"]
    assert asked_of(OPENAI, silent, stream=True, ttft_s=None)[0].outcomes == ["ok"]


def test_an_answer_in_one_piece_is_its_own_first_text() -> None:
    called, seen, _ = asked_of(OPENAI, [answer(OPENAI.whole)])
    assert called.outcomes == ["ok"]
    assert called.reply is not None
    assert called.reply.text == TEXT
    assert seen[0].json["stream"] is True
    assert called.attempts[0].text_after_s is not None


def test_without_a_fallback_it_is_tried_again_and_the_breaker_counts_it() -> None:
    async def main() -> Called:
        async with Wall(lambda _: [LATE, Ending.CLOSE]) as wall:
            lab = Provider("lab", "openai", f"{wall.url}/v1", ttft_s=0.05)
            async with Session({"lab": lab}, {}) as session:
                called = await asked(caller_of(session), [replace(ROUTE, retries=1)])
                lane = session.lane(ROUTE)
                assert lane.last_fault is not None
                assert lane.last_fault.kind is FaultKind.TIMEOUT
                return called

    called = asyncio.run(main())
    assert called.outcomes == ["timeout", "timeout"]
    assert isinstance(called.fault, Fault)
    assert called.fault.kind is FaultKind.TIMEOUT


@dataclass
class Stubborn:
    """An adapter that shows text although it was told to end, from a callback as a thread would."""

    text_at_s: float

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        assert on_text is not None
        asyncio.get_running_loop().call_later(self.text_at_s, on_text, "late")
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(1.0)
            raise
        return Reply("late", "stop", Usage(1, 1), request.model)

    async def aclose(self) -> None:
        return None


def test_text_that_comes_too_late_is_shown_to_nobody() -> None:
    async def main() -> Called:
        lab = Provider("lab", "stubborn", ttft_s=2.0)
        async with Session({"lab": lab}, {}, lambda kind, connection: Stubborn(2.5)) as session:
            return await asked(caller_of(session), [replace(ROUTE, retries=0)], stream=True)

    called = run_virtually(main())
    assert called.outcomes == ["timeout"]
    assert called.pieces == []
    assert called.ended_at == 3.0
    assert not called.attempts[0].shown
