"""Test outage, to see what a provider sees of a thousand callers when it fails, and how it is found well again."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from smoadsl.adapters.base import Fault, FaultKind, Request
from smoadsl.adapters.scripted import Answer
from smoadsl.calls.route import Provider, Route
from smoadsl.tools.virtual_clock import run_virtually
from tests.calls.asking import LAB, ROUTE, Called, asked, caller_of, session_of

FAULTS = (
    Fault(FaultKind.NOT_SENT, "refused"),
    Fault(FaultKind.NO_RESPONSE, "reset", billed=True),
    Fault(FaultKind.TIMEOUT, "silent", billed=True),
    Fault(FaultKind.STATUS, "busy", status=429),
    Fault(FaultKind.STATUS, "busy", status=429, retry_after_s=1.0),
    Fault(FaultKind.STATUS, "down", status=503),
    Fault(FaultKind.STATUS, "overloaded", status=529),
    Fault(FaultKind.TRUNCATED, "cut", billed=True),
    Fault(FaultKind.STALLED, "stalled", billed=True),
    Fault(FaultKind.PROTOCOL, "not HTTP"),
    Fault(FaultKind.BAD_BODY, "garbage", billed=True),
    Fault(FaultKind.EMPTY, "empty", billed=True),
    Fault(FaultKind.STATUS, "not that", status=501),
    Fault(FaultKind.STATUS, "conflict", status=409),
)
PROVIDERS = tuple(Provider(name, "openai", "https://x.invalid", concurrency=200) for name in ("one", "two", "three"))
ROUTES = [Route(provider.name, "m") for provider in PROVIDERS]


def outage(seed: int, calls: int, routes: int) -> tuple[dict[str, int], list[Called]]:
    """Everything fails, by one kind of fault or by all: how often each provider was asked, and what became of calls."""
    random = Random(seed)
    kinds = random.choice((FAULTS, (random.choice(FAULTS),)))
    spread_s = random.choice((0.0, 10.0, 1_000.0))
    seen = dict.fromkeys((route.provider for route in ROUTES), 0)

    def failing(name: str):  # type: ignore[no-untyped-def]
        async def script(request: Request) -> Answer:
            seen[name] += 1
            await asyncio.sleep(random.uniform(0.01, 0.5))
            fault = random.choice(kinds)
            return Fault(
                fault.kind, fault.message, status=fault.status, retry_after_s=fault.retry_after_s, billed=fault.billed
            )

        return script

    async def one(caller, number: int) -> Called:  # type: ignore[no-untyped-def]
        await asyncio.sleep(spread_s * number / calls)
        return await asked(caller, ROUTES[:routes], owner=str(number % 50))

    async def main() -> list[Called]:
        async with session_of({name: failing(name) for name in seen}, *PROVIDERS) as session:
            caller = caller_of(session, seed)
            return await asyncio.gather(*(one(caller, number) for number in range(calls)))

    return seen, run_virtually(main())


@pytest.mark.parametrize("routes", [1, 3])
def test_an_outage_of_everything_is_not_made_worse(routes: int, request: pytest.FixtureRequest) -> None:
    is_long = request.config.getoption("--profile") == "long"
    worst = 0.0
    for seed in range(200 if is_long else 10):  # the long profile takes a quarter of an hour
        calls = 10_000 if is_long else 1_000 // routes
        seen, called = outage(seed, calls, routes)
        assert all(call.fault is not None for call in called), seed
        for name, times in seen.items():
            firsts = sum(any(a.route.startswith(f"{name}/") for a in call.attempts) for call in called)
            assert times <= 1.2 * firsts + 10 + 1e-6, (seed, name)
            worst = max(worst, (times - 10) / max(firsts, 1))
            assert times == sum(a.route.startswith(f"{name}/") for call in called for a in call.attempts), seed
        assert all(len(call.attempts) <= 6 for call in called), seed
    print(f"{routes} routes: {worst:.4f} times the calls, and ten, at worst")


@pytest.mark.parametrize("down_s", [3.0, 20.0, 60.0, 300.0])
@pytest.mark.parametrize("alone", [True, False])
def test_a_route_that_comes_back_is_used_again_soon_after_one_probe(down_s: float, alone: bool) -> None:
    asked_at: list[float] = []

    async def script(request: Request) -> Answer:
        asked_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.05)
        return "fine" if asked_at[-1] >= down_s else Fault(FaultKind.STATUS, "down", status=503)

    async def fine(request: Request) -> Answer:
        return "fine too"

    async def one(caller, at: float) -> Called:  # type: ignore[no-untyped-def]
        await asyncio.sleep(at)
        return await asked(caller, ROUTES[:1] if alone else ROUTES[:2])

    async def main() -> list[Called]:
        async with session_of({"one": script, "two": fine, "three": fine}, *PROVIDERS) as session:
            caller = caller_of(session)
            return await asyncio.gather(*(one(caller, at / 10) for at in range(int(down_s + 60) * 10)))

    called = run_virtually(main())
    back_at = min(at for at in asked_at if at >= down_s)
    assert back_at - down_s < 30
    before = [at for at in asked_at if 1.5 < at < down_s]
    assert all(later - at > 3 for at, later in pairwise(before))  # one probe at a time
    assert sum(back_at <= at < back_at + 0.05 for at in asked_at) == 1  # nobody else, until it has answered
    assert all(call.route and call.route.provider == "one" for call in called if call.ended_at > back_at + 1)
    if not alone:
        assert all(call.reply for call in called)


def test_a_thousand_waiters_send_one_probe() -> None:
    sent_at: list[float] = []

    async def script(request: Request) -> Answer:
        sent_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(1.0)
        return "fine" if sent_at[-1] > 3 else Fault(FaultKind.STATUS, "down", status=503)

    async def main() -> list[Called]:
        async with session_of(script) as session:
            caller = caller_of(session)
            await asyncio.gather(*(asked(caller, [replace(ROUTE, retries=0)]) for _ in range(5)))
            return await asyncio.gather(*(asked(caller) for _ in range(1_000)))

    called = run_virtually(main())
    probe_at = sent_at[5]
    assert probe_at > 4
    assert not [at for at in sent_at[6:] if at < probe_at + 1.0]
    assert all(call.reply for call in called)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_key_that_was_refused_is_not_sent_again(status: int) -> None:
    times = 0

    async def script(request: Request) -> Answer:
        nonlocal times
        times += 1
        await asyncio.sleep(0.1)
        return Fault(FaultKind.STATUS, "refused the key", status=status)

    async def main() -> list[Called]:
        async with session_of(script, Provider("lab", "openai", concurrency=8)) as session:
            caller = caller_of(session)
            return await asyncio.gather(*(asked(caller) for _ in range(1_000)))

    called = run_virtually(main())
    assert times <= 8
    assert all(call.fault and call.fault.status == status for call in called)


def test_a_quota_that_is_spent_closes_the_route_and_the_fallback_answers() -> None:
    async def spent(request: Request) -> Answer:
        return Fault(FaultKind.STATUS, "no quota", status=429, reason="quota")

    async def fine(request: Request) -> Answer:
        return "fine"

    async def main() -> list[Called]:
        async with session_of({"one": spent, "two": fine, "three": fine}, *PROVIDERS) as session:
            caller = caller_of(session)
            return [await asked(caller, ROUTES[:2]) for _ in range(20)]

    called = run_virtually(main())
    assert all(call.reply for call in called)
    assert sum(a.route == "one/m" for call in called for a in call.attempts) == 1


def test_a_hint_of_an_hour_is_not_slept_through() -> None:
    async def busy(request: Request) -> Answer:
        return Fault(FaultKind.STATUS, "busy", status=429, retry_after_s=3_600.0)

    async def main() -> list[Called]:
        async with session_of(busy) as session:
            caller = caller_of(session)
            return [await asked(caller) for _ in range(3)]

    called = run_virtually(main())
    assert called[-1].ended_at < 1.0
    assert [len(call.attempts) for call in called] == [1, 0, 0]
    assert "not asked again" in str(called[1].fault)


def test_a_connection_that_was_kept_too_long_is_never_noticed() -> None:
    """Each call fails at first as nothing was sent, and is well at once after that: a thousand in a row."""
    fresh = False

    async def script(request: Request) -> Answer:
        nonlocal fresh
        fresh = not fresh
        return Fault(FaultKind.NOT_SENT, "closed") if fresh else "fine"

    async def main() -> list[Called]:
        async with session_of(script, LAB) as session:
            caller = caller_of(session)
            return [await asked(caller, [ROUTE]) for _ in range(1_000)]

    called = run_virtually(main())
    assert all(call.reply for call in called)
    assert called[-1].ended_at == 0.0
