"""Test rates, to complete every prompt at the rate that a provider allows, told or not, however it counts.

On a virtual clock: prompts of 13 calls (three layers of four, then the aggregate) as many as fill six and a half
seconds, against servers that count in fixed windows, in a sliding one, or by a bucket.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Allowance, Fault, FaultKind, Request
from smoadsl.adapters.scripted import Answer
from smoadsl.calls.route import Provider, Rate, Route
from smoadsl.calls.told import Told
from smoadsl.calls.window import Window
from smoadsl.tools.virtual_clock import run_virtually
from tests.calls.asking import LAB, ROUTE, asked, caller_of, pipeline, session_of
from tests.calls.servers import COUNTINGS, Counting, Limited, counter

Knowing = Literal["declared", "headers", "retry_after", "nothing"]


@dataclass(frozen=True, slots=True)
class Rated:
    """How it went: prompts completed, calls a second as a share of what is allowed, the share that was refused."""

    completed: int
    share: float
    refused: float


def rated(
    counting: Counting,
    per_s: int,
    knowing: Knowing,
    prompts: int = 0,
    seed: int = 0,
    routes: Sequence[Route] = (ROUTE,),
) -> Rated:
    random = Random(seed)
    server = Limited(counter(counting, per_s, 1.0, random), per_s, random)
    if knowing in ("headers", "retry_after"):
        server.tells = knowing
    lab = replace(LAB, rate=Rate(per_s, 1.0) if knowing == "declared" else None)

    async def main() -> tuple[int, float]:
        async with session_of(server, lab) as session:
            caller = caller_of(session, seed)
            done = await asyncio.gather(*(pipeline(caller, str(n), routes) for n in range(per_s // 2)))
            return sum(done), asyncio.get_running_loop().time()

    completed, seconds = run_virtually(main())
    return Rated(completed, server.taken / seconds / per_s, server.refused / (server.taken + server.refused))


@pytest.mark.parametrize("counting", COUNTINGS)
@pytest.mark.parametrize("knowing", ["declared", "headers"])
@pytest.mark.parametrize("per_s", [20, 100])
def test_a_rate_that_is_known_is_used_and_not_exceeded(counting: Counting, knowing: Knowing, per_s: int) -> None:
    went = rated(counting, per_s, knowing)
    assert went.completed == per_s // 2
    assert went.share >= 0.97
    assert went.refused < 0.01


@pytest.mark.parametrize("counting", COUNTINGS)
@pytest.mark.parametrize("per_s", [20, 100, 400])
def test_a_rate_that_nobody_tells_is_found(counting: Counting, per_s: int, request: pytest.FixtureRequest) -> None:
    is_long = request.config.getoption("--profile") == "long"
    for seed in range(20 if is_long else 1):
        went = rated(counting, per_s, "nothing", seed=seed)
        assert went.completed == per_s // 2
        assert went.share >= 0.9


@pytest.mark.parametrize("counting", COUNTINGS)
@pytest.mark.parametrize("per_s", [20, 100])
def test_a_wait_that_is_asked_for_is_kept_and_the_rate_found(counting: Counting, per_s: int) -> None:
    went = rated(counting, per_s, "retry_after")
    assert went.completed == per_s // 2
    assert went.share >= 0.65  # a window that is cut by the first burst looks larger than it is


def test_four_models_under_one_limit_share_it() -> None:
    routes = [replace(ROUTE, model=model) for model in "abcd"]

    async def main() -> list[bool]:
        async with session_of(server) as session:
            caller = caller_of(session)
            return await asyncio.gather(*(pipeline(caller, str(n), [routes[n % 4]]) for n in range(20)))

    server = Limited(counter("sliding", 50, 1.0, Random(0)), 50, Random(0), tells="headers")
    assert all(run_virtually(main()))
    assert server.refused < 0.01 * server.taken


def test_models_with_limits_of_their_own_do_not_wait_for_one_another() -> None:
    servers = {
        model: Limited(counter("bucket", limit, 1.0, Random(0)), limit, Random(0), tells="headers")
        for model, limit in (("slow", 5), ("fast", 200))
    }
    ended: dict[str, float] = {}

    async def many(caller, model: str, calls: int) -> None:  # type: ignore[no-untyped-def]
        done = await asyncio.gather(*(asked(caller, [replace(ROUTE, model=model)], model) for _ in range(calls)))
        assert all(call.reply for call in done)
        ended[model] = asyncio.get_running_loop().time()

    async def main() -> None:
        async with session_of(lambda request: servers[request.model](request)) as session:
            caller = caller_of(session)
            await asyncio.gather(many(caller, "slow", 50), many(caller, "fast", 400))

    run_virtually(main())
    assert ended["fast"] < 5.0 < 8.0 < ended["slow"]


def test_a_limit_of_tokens_is_kept_to() -> None:
    """60 calls that count 16 tokens each at their worst, and take 10 in the end, at 100 tokens a second."""
    taken: list[tuple[float, int]] = []

    async def script(request: Request) -> Answer:
        now = asyncio.get_running_loop().time()
        taken.append((now, 10))
        assert sum(tokens for at, tokens in taken if at > now - 1) <= 100
        await asyncio.sleep(0.02)
        return "1234"

    async def main() -> float:
        async with session_of(script, replace(LAB, tokens_rate=Rate(100, 1.0))) as session:
            caller = caller_of(session)
            done = await asyncio.gather(*(asked(caller) for _ in range(60)))
            assert all(call.reply for call in done)
            return asyncio.get_running_loop().time()

    assert run_virtually(main()) > 2.0


def test_headers_that_say_nothing_is_left_are_waited_for() -> None:
    sent_at: list[float] = []

    async def script(request: Request) -> Answer:
        sent_at.append(asyncio.get_running_loop().time())
        fault = Fault(FaultKind.STATUS, "busy", status=429)
        first = len(sent_at) == 1
        told = (Allowance("requests", 1, 0 if first or sent_at[-1] < 30 else 1, 30.0),)
        fault.exchange = replace(fault.exchange, allowances=told)
        from smoadsl.adapters.base import Exchange, Reply, Usage

        reply = Reply("fine", "stop", Usage(1, 1), "m", exchange=Exchange(4, told))
        return reply if first or sent_at[-1] >= 30 else fault

    async def main() -> None:
        async with session_of(script) as session:
            caller = caller_of(session)
            assert all([(await asked(caller)).reply for _ in range(2)])

    run_virtually(main())
    assert len(sent_at) == 2
    assert sent_at[1] >= 30


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), max_size=60),
    st.integers(1, 40),
    st.sampled_from((0.5, 1.0, 10.0)),
)
def test_a_window_is_never_exceeded(wanted: list[tuple[float, int]], count: int, period_s: float) -> None:
    window = Window(count, period_s)
    now = 0.0
    taken: list[tuple[float, int]] = []
    for pause_s, amount in wanted:
        now = window.ready_at(amount, now + pause_s)
        window.take(amount, now)
        taken.append((now, amount))
        inside = [size for at, size in taken if now - period_s < at]
        assert sum(inside) <= count or inside == [amount]


@pytest.mark.parametrize(("told", "period_s"), [(60.0, 60.0), (0.97, 1.0), (58.0, 60.0), (7.3, 7.3)])
def test_the_period_of_fixed_windows_is_read_off_their_resets(told: float, period_s: float) -> None:
    limit = Told(100)
    for used in range(1, 30):
        limit.heard(Allowance("requests", 100, 100 - used, told - used / 100), used / 100, used / 100)
    assert limit.window is not None
    assert limit.window.period_s == pytest.approx(period_s, rel=0.05)


@pytest.mark.parametrize(("counting", "most_s"), [("fixed", 61.5), ("sliding", 61.5), ("bucket", 47.0)])
def test_three_hundred_a_minute_are_told_and_used(counting: Counting, most_s: float) -> None:
    """40 prompts, 520 calls: a window gives the rest after a minute, a bucket five each second."""
    random = Random(0)
    server = Limited(counter(counting, 300, 60.0, random), 300, random, tells="headers")

    async def main() -> list[bool]:
        async with session_of(server) as session:
            caller = caller_of(session)
            done = await asyncio.gather(*(pipeline(caller, str(n)) for n in range(40)))
            assert asyncio.get_running_loop().time() < most_s
            return done

    assert all(run_virtually(main()))
    assert server.refused <= 5


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 1e9)), max_size=30))
def test_no_header_is_too_odd(headers: list[tuple[int, int, float]]) -> None:
    limit = Told(3)
    for number, (size, remaining, reset_s) in enumerate(headers):
        limit.heard(Allowance("requests", size, remaining, reset_s), number, number)
        limit.take(1, number)
        assert limit.ready_at(1, number) >= number


def test_the_period_of_a_bucket_is_read_off_how_fast_it_fills() -> None:
    limit = Told(14_400)  # a day's calls, one every six seconds
    for used in range(1, 30):
        limit.heard(Allowance("requests", 14_400, 14_400 - used, 6.0 * used), 0.1 * used, 0.1 * used)
    assert limit.window is not None
    assert limit.window.period_s == 86_400.0


def test_owners_take_turns() -> None:
    """One asks a hundred times, then another five times: it does not wait for the hundred."""
    ended: dict[str, list[float]] = {"many": [], "few": []}

    async def script(request: Request) -> Answer:
        await asyncio.sleep(1.0)
        return "fine"

    async def one(caller, owner: str) -> None:  # type: ignore[no-untyped-def]
        ended[owner].append((await asked(caller, owner=owner)).ended_at)

    async def main() -> None:
        async with session_of(script, Provider("lab", "openai", concurrency=2)) as session:
            caller = caller_of(session)
            many = [asyncio.ensure_future(one(caller, "many")) for _ in range(100)]
            await asyncio.sleep(0.5)
            await asyncio.gather(*(one(caller, "few") for _ in range(5)), *many)

    run_virtually(main())
    assert max(ended["few"]) <= 6.0
    assert max(ended["many"]) >= 50.0


def test_a_route_that_hangs_stops_no_other() -> None:
    async def script(request: Request) -> Answer:
        await asyncio.sleep(1e6 if request.model == "hangs" else 0.1)
        return "fine"

    async def main() -> None:
        async with session_of(script, Provider("lab", "openai", concurrency=64)) as session:
            caller = caller_of(session)
            other = replace(ROUTE, model="well")
            await asked(caller, [other])
            hanging = [asyncio.ensure_future(asked(caller, [replace(ROUTE, model="hangs")])) for _ in range(200)]
            await asyncio.sleep(1.0)
            begun = asyncio.get_running_loop().time()
            assert all([(await asked(caller, [other])).reply for _ in range(10)])
            assert asyncio.get_running_loop().time() - begun < 1.1
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)

    run_virtually(main())
