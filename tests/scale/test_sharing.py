"""Test sharing, to hold many workers together within one provider's rate, on a virtual clock and without a cluster."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from smoadsl.adapters.scripted import Scripted
from smoadsl.calls.attempt import Ask, request_of
from smoadsl.calls.caller import Caller
from smoadsl.calls.limits import Weight, weight_of
from smoadsl.calls.route import Provider, Rate
from smoadsl.scale.rates import Rates
from smoadsl.scale.ray_engine import _sentence
from smoadsl.scale.sharing import SharedSession
from smoadsl.tools.virtual_clock import run_virtually
from tests.calls.asking import HI, LAB, ROUTE, asked, pipeline
from tests.calls.servers import COUNTINGS, Counting, Limited, counter

_WORKERS = 4
_PER_S = 20


class Away:
    """The office at a distance: each message takes its time on the way there, and on the way back."""

    def __init__(self, rates: Rates, random: Random, trip_s: float = 0.05) -> None:
        self.rates = rates
        self.leases: list[int] = []
        self._random = random
        self._trip_s = trip_s
        self._on_its_way: set[asyncio.Task[None]] = set()

    async def _trip(self) -> None:
        await asyncio.sleep(self._random.uniform(0, self._trip_s))

    def lease(self, provider: str, model: str, weights: Sequence[Weight]) -> Awaitable[list[int]]:
        return self._lease(provider, model, weights)

    async def _lease(self, provider: str, model: str, weights: Sequence[Weight]) -> list[int]:
        self.leases.append(len(weights))
        await self._trip()
        numbers = await self.rates.granted(provider, model, weights)
        await self._trip()
        return numbers

    def tell(self, *said: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._tell(*said))
        self._on_its_way.add(task)
        task.add_done_callback(self._on_its_way.discard)

    async def _tell(self, what: str, *said: Any) -> None:
        await self._trip()
        getattr(self.rates, what)(*said)


def shared(provider: Provider, office: Away, server: Any) -> SharedSession:
    return SharedSession({provider.name: provider}, {}, (), office, _WORKERS, lambda *_: Scripted(server))


def run(counting: Counting, provider: Provider, server: Limited, prompts: int) -> float:
    """All prompts, divided among the workers; how many calls a second came through, as a share of the limit."""

    async def main() -> float:
        rates, random = Rates({provider.name: provider}), Random(1)
        callers = [Caller(shared(provider, Away(rates, random), server), Random(n)) for n in range(_WORKERS)]
        done = await asyncio.gather(*(pipeline(callers[n % _WORKERS], str(n)) for n in range(prompts)))
        assert all(done)
        return server.taken / asyncio.get_running_loop().time() / _PER_S

    return run_virtually(main())


@pytest.mark.parametrize("counting", COUNTINGS)
def test_a_declared_rate_is_never_passed_however_long_leaves_take_to_arrive(counting: Counting) -> None:
    server = Limited(counter(counting, _PER_S, 1.0, Random(2)), _PER_S, Random(3), trip_s=0.0)
    share = run(counting, replace(LAB, rate=Rate(_PER_S, 1.0)), server, prompts=16)
    assert server.refused == 0
    assert server.taken == 16 * 13
    assert 0.85 <= share <= 1.1


@pytest.mark.parametrize("counting", COUNTINGS)
def test_what_headers_tell_one_worker_holds_for_all(counting: Counting) -> None:
    server = Limited(counter(counting, _PER_S, 1.0, Random(2)), _PER_S, Random(3), tells="headers")
    share = run(counting, LAB, server, prompts=16)
    assert server.taken == 16 * 13
    assert server.refused <= 0.1 * server.taken
    assert share > 0.6


def test_each_worker_has_its_share_of_what_may_be_under_way() -> None:
    async def main() -> None:
        provider = replace(LAB, concurrency=10)
        session = shared(provider, Away(Rates({"lab": provider}), Random(0)), lambda request: "fine")
        assert session.providers["lab"].concurrency == 2
        assert shared(replace(LAB, concurrency=1), Away(Rates({}), Random(0)), "").providers["lab"].concurrency == 1

    run_virtually(main())


def test_requests_that_wait_are_asked_for_together() -> None:
    async def main() -> list[int]:
        office = Away(Rates({"lab": LAB}), Random(0))
        caller = Caller(shared(LAB, office, lambda request: "fine"), Random(0))
        done = await asyncio.gather(*(asked(caller) for _ in range(50)))
        assert all(called.reply for called in done)
        return office.leases

    leases = run_virtually(main())
    assert leases[0] == 32, "so many begin in one pass of the loop"
    assert leases[1] >= 50 - 32
    assert len(leases) < 25


def test_who_gives_up_while_he_waits_takes_nothing_from_the_others() -> None:
    async def main() -> None:
        provider = replace(LAB, rate=Rate(1, 10.0), concurrency=4 * _WORKERS)
        office = Away(Rates({"lab": provider}), Random(0), trip_s=0.0)
        session = shared(provider, office, lambda request: "fine")
        caller = Caller(session, Random(0))
        assert (await asked(caller)).reply
        gone = await asyncio.gather(*(asked(caller, deadline_at=2.0) for _ in range(4)))
        assert not any(called.reply for called in gone)
        assert session.gate("lab").is_idle
        last = await asked(caller)
        assert last.reply
        assert last.ended_at < 30

    run_virtually(main())


def test_an_office_that_is_gone_fails_whoever_waits_for_it() -> None:
    class Gone(Away):
        async def _lease(self, provider: str, model: str, weights: Sequence[Weight]) -> list[int]:
            raise ConnectionError("the desk has died")

    async def main() -> None:
        session = shared(LAB, Gone(Rates({}), Random(0)), lambda request: "fine")
        results = await asyncio.gather(*(asked(Caller(session, Random(0))) for _ in range(3)), return_exceptions=True)
        assert [str(one) for one in results] == ["the desk has died"] * 3
        assert session.gate("lab").is_idle

    run_virtually(main())


def test_what_nobody_told_the_end_of_is_forgotten_in_time() -> None:
    async def main() -> None:
        provider = replace(LAB, rate=Rate(2, 1.0))
        rates, weight = Rates({"lab": provider}), weight_of(3, request_of(ROUTE, Ask(HI, 3)))
        for _ in range(10):  # a worker that dies each time
            assert await rates.granted("lab", "one", [weight])
        assert 4.0 <= asyncio.get_running_loop().time() <= 5.5

    run_virtually(main())


def test_of_what_ray_says_of_an_error_the_line_is_told_that_names_it() -> None:
    said = "ray::Worker()\n  | TypeError: Weight is odd\n  +---\nray.exceptions.UserCodeException: x\nTo change that"
    assert _sentence(RuntimeError(said)) == "TypeError: Weight is odd"
    assert _sentence(RuntimeError("The cluster\nis gone.")) == "is gone."
    assert _sentence(RuntimeError()) == "RuntimeError"
