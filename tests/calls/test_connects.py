"""Test connects, to begin thousands of calls at once and see that the loop stays free for all else."""

import asyncio
import multiprocessing
import resource
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from time import thread_time

import aiohttp  # noqa: F401  (else the time of the first call counts it)
import pytest

from smoadsl.adapters.base import Request
from smoadsl.calls.route import Provider, Rate
from smoadsl.calls.session import Session
from smoadsl.tools.virtual_clock import run_virtually
from tests.adapters.attempts import completion
from tests.adapters.wall import Wait, Wall, answer
from tests.calls.asking import Called, asked, caller_of, session_of

MOST_AT_ONCE = 0.3  # of the work of the loop; where all connect at once it is half of it
HOLD_S, HOLD_LONG_S = 2.0, 10.0
_LOOK_S = 0.005


def serve(pipe: Pipe) -> None:
    """A server in a process of its own, which holds each answer back so that all connections stand at once."""
    hold_s = pipe.recv()

    async def main() -> None:
        async with Wall(lambda _: [Wait(hold_s), answer(completion())]) as wall:
            pipe.send(wall.url)
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
            pipe.send(wall.connections)

    asyncio.run(main())


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Pipe, str]]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    ours.send(HOLD_LONG_S if request.config.getoption("--profile") == "long" else HOLD_S)
    assert ours.poll(60)
    yield ours, ours.recv()
    process.kill()
    process.join(10)


async def longest_turn_s() -> float:
    """How long the loop worked at worst before it came back to somebody, until nobody waits for this any longer. It is
    its own work that counts: what else the machine does is no fault of it."""
    worst = 0.0
    try:
        while True:
            before = thread_time()
            await asyncio.sleep(_LOOK_S)
            worst = max(worst, thread_time() - before)
    except asyncio.CancelledError:
        return worst


def test_f93_many_connects_at_once_leave_the_loop_free(
    server: tuple[Pipe, str], request: pytest.FixtureRequest
) -> None:
    calls = 4_000 if request.config.getoption("--profile") == "long" else 1_000
    pipe, url = server
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < calls + 200:
        pytest.skip(f"{calls} connections need as many file handles")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, calls + 200)), hard))

    async def main() -> tuple[list[Called], float, float]:
        lab = Provider("lab", "openai", f"{url}/v1", concurrency=10_000, rate=Rate(1_000_000, 1.0))
        async with Session({"lab": lab}, {}) as session:
            caller = caller_of(session)
            await asked(caller)
            turn = asyncio.create_task(longest_turn_s())
            await asyncio.sleep(10 * _LOOK_S)
            begun = thread_time()
            called = await asyncio.gather(*(asked(caller, owner=str(number % 50)) for number in range(calls)))
            worked_s = thread_time() - begun
            turn.cancel()
            return called, await turn, worked_s

    called, turn_s, worked_s = asyncio.run(main())
    print(f"{calls} connects are {1_000 * worked_s:.0f} ms of work, of which {1_000 * turn_s:.0f} ms at once")
    assert all(call.reply for call in called)
    pipe.send("enough")
    assert pipe.recv() >= calls
    assert turn_s < MOST_AT_ONCE * worked_s


def test_few_begin_in_one_pass_of_the_loop_and_none_later_than_that() -> None:
    passes: Counter[int] = Counter()
    number = 0

    async def script(request: Request) -> str:
        passes[number] += 1
        await asyncio.sleep(1.0)
        return "fine"

    async def count() -> None:
        nonlocal number
        while number < 500:  # time stands still meanwhile
            number += 1
            await asyncio.sleep(0)

    async def main() -> list[Called]:
        lab = Provider("lab", "openai", concurrency=10_000, rate=Rate(100_000, 1.0))
        async with session_of(script, lab) as session:
            caller = caller_of(session)
            counting = asyncio.create_task(count())
            called = await asyncio.gather(*(asked(caller) for _ in range(1_000)))
            await counting
            return called

    called = run_virtually(main())
    assert all(call.reply for call in called)
    assert max(passes.values()) <= 32
    assert sum(passes.values()) == 1_000
    assert {call.ended_at for call in called} == {1.0}  # no time has passed
