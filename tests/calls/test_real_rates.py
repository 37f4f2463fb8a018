"""Test real rates, to keep the rate of a real server on the loopback, over real sockets and on the real clock."""

import asyncio
from collections.abc import Iterable
from random import Random
from time import monotonic, process_time

import aiohttp  # noqa: F401  (else the time of the first run counts it)
import pytest

from smoadsl.calls.route import Provider, Rate
from smoadsl.calls.session import Session
from tests.adapters.attempts import completion
from tests.adapters.wall import Act, Attempt, Wait, Wall, answer
from tests.calls.asking import ROUTE, caller_of, pipeline
from tests.calls.servers import COUNTINGS, Counting, counter
from tests.calls.test_rates import Knowing, Rated

PER_S = 100
LATENCY_S = 0.03


def rated(counting: Counting, knowing: Knowing, prompts: int, per_s: int = PER_S) -> Rated:
    """Prompts of 13 calls each against a server that allows so many requests a second."""
    random = Random(0)
    counted = counter(counting, per_s, 1.0, random)
    taken = refused = 0

    def script(attempt: Attempt) -> Iterable[Act]:
        nonlocal taken, refused
        took = counted.take(monotonic())
        left, reset_s = counted.left(monotonic())
        headers = {}
        if knowing == "headers":
            headers["x-ratelimit-limit-requests"] = f"{per_s}"
            headers["x-ratelimit-remaining-requests"] = f"{left}"
            headers["x-ratelimit-reset-requests"] = f"{reset_s * 1000:.0f}ms"
        if not took:
            refused += 1
            return [answer({"error": {"message": "slow down"}}, 429, headers)]
        taken += 1
        return [Wait(LATENCY_S * random.uniform(0.5, 1.5)), answer(completion(), 200, headers)]

    async def main() -> tuple[int, float]:
        async with Wall(script) as wall:
            rate = Rate(per_s, 1.0) if knowing == "declared" else None
            lab = Provider("lab", "openai", f"{wall.url}/v1", rate=rate)
            async with Session({"lab": lab}, {}) as session:
                caller = caller_of(session)
                begun = monotonic()
                done = await asyncio.gather(*(pipeline(caller, str(n), [ROUTE]) for n in range(prompts)))
                return sum(done), monotonic() - begun

    completed, seconds = asyncio.run(main())
    return Rated(completed, taken / seconds / per_s, refused / (taken + refused))


@pytest.mark.parametrize(
    ("counting", "knowing"), [("sliding", "declared"), ("fixed", "headers"), ("bucket", "nothing")]
)
def test_a_real_server_is_kept_to(counting: Counting, knowing: Knowing) -> None:
    """Few prompts, and room for a machine that is busy."""
    went = rated(counting, knowing, 10)
    assert went.completed == 10
    assert went.share >= 0.6
    assert went.refused < (0.2 if knowing == "nothing" else 0.05)


@pytest.mark.parametrize("counting", COUNTINGS)
@pytest.mark.parametrize("knowing", ["declared", "headers", "nothing"])
def test_fifty_prompts(counting: Counting, knowing: Knowing, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--profile") != "long":
        pytest.skip("seven seconds each, on a machine that does nothing else: --profile long")
    began = process_time()
    went = rated(counting, knowing, 50)
    print(f"{knowing} {counting}: {went.share:.1%}, {went.refused:.2%} refused, {process_time() - began:.1f} s of CPU")
    assert went.completed == 50
    assert went.share >= (0.9 if knowing == "nothing" else 0.97)
    assert went.refused < (0.2 if knowing == "nothing" else 0.01)
