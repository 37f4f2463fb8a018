"""Test deadlines, to end every call in time whatever it is doing, and leave nothing behind."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from time import monotonic

import pytest

from smoadsl.adapters.base import Fault, FaultKind, Request
from smoadsl.adapters.scripted import Answer
from smoadsl.calls.route import Provider, Rate, Route
from smoadsl.calls.session import Session
from smoadsl.runtime.events import CallStarted
from smoadsl.tools.virtual_clock import run_virtually
from tests.adapters.attempts import piece
from tests.adapters.wall import STREAM_HEAD, Act, Attempt, Ending, Wall, answer, events
from tests.calls.asking import ROUTE, asked, caller_of, session_of
from tests.scripts import plainly, planned, run

LATE_S = 0.05
IN_S = 0.4


def never(_: Attempt) -> Iterable[Act]:
    return [Ending.HOLD]


def begins(_: Attempt) -> Iterable[Act]:
    return [STREAM_HEAD, events(piece("half ")), Ending.HOLD]


def busy(_: Attempt) -> Iterable[Act]:
    return [answer({"error": {"message": "down"}}, 503, {"Retry-After": "30"})]


@pytest.mark.parametrize(
    ("script", "stream", "more"),
    [
        (never, False, {}),
        (begins, True, {}),
        (busy, False, {}),
        (never, False, {"concurrency": 1}),
        (never, False, {"rate": Rate(1, 60.0)}),
    ],
    ids=["no head", "half a stream", "a wait that is asked for", "a queue", "a rate"],
)
@pytest.mark.parametrize("hedged", [False, True])
def test_a_call_on_real_sockets_ends_in_time(
    script: Callable[[Attempt], Iterable[Act]], stream: bool, more: dict[str, object], hedged: bool
) -> None:
    route = replace(ROUTE, hedge_s=0.1 if hedged else None)

    async def main() -> None:
        async with Wall(script) as wall:
            lab = replace(Provider("lab", "openai", f"{wall.url}/v1"), **more)  # type: ignore[arg-type]
            async with Session({"lab": lab}, {}) as session:
                caller = caller_of(session)
                begun = monotonic()
                at = asyncio.get_running_loop().time() + IN_S
                calls = await asyncio.gather(*(asked(caller, [route], deadline_at=at, stream=stream) for _ in range(4)))
                assert monotonic() - begun < IN_S + LATE_S + 0.5  # for a machine that is busy
                assert not any(call.reply for call in calls)
                lane = session.lane(ROUTE)
                assert (lane.under_way, lane.line.head) == (0, None)
                left = asyncio.all_tasks() - {asyncio.current_task()}
                assert not [task for task in left if "wall" not in repr(task)]
            await asyncio.wait_for(asyncio.gather(*(attempt.left.wait() for attempt in wall.attempts)), 1.0)

    asyncio.run(main())


@pytest.mark.parametrize("state", ["queue", "rate", "answer", "backoff", "hedge", "probe", "hint"])
@pytest.mark.parametrize("at", [1.3, 2.0, 7.77])
def test_a_call_ends_at_its_deadline_in_each_state(state: str, at: float) -> None:
    down = Fault(FaultKind.STATUS, "down", status=503, retry_after_s=60.0 if state == "hint" else None)

    async def script(request: Request) -> Answer:
        if state in ("backoff", "probe", "hint"):
            return down
        await asyncio.sleep(1e6)
        return "never"

    lab = Provider("lab", "openai", concurrency=1 if state == "queue" else 64)
    if state == "rate":
        lab = replace(lab, rate=Rate(1, 3_600.0))
    route = Route("lab", "m", hedge_s=1.0 if state == "hedge" else None, retries=10)

    async def main() -> None:
        async with session_of(script, lab) as session:
            caller = caller_of(session)
            calls = await asyncio.gather(*(asked(caller, [route], deadline_at=at) for _ in range(7)))
            assert all(call.ended_at <= at + LATE_S and call.reply is None for call in calls)
            lane = session.lane(route)
            assert (lane.under_way, lane.line.head) == (0, None)
            assert session.gate("lab").is_idle
            assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtually(main())


def test_nothing_is_begun_for_which_no_time_is_left() -> None:
    async def script(request: Request) -> Answer:
        await asyncio.sleep(1.0)
        return Fault(FaultKind.STATUS, "down", status=503, retry_after_s=10.0)

    async def main() -> None:
        async with session_of(script) as session:
            called = await asked(caller_of(session), deadline_at=11.5)
            assert called.ended_at == 1.0
            assert called.fault is not None
            assert called.fault.status == 503
            assert "no time" in called.attempts[-1].why

    run_virtually(main())


@pytest.mark.parametrize("where", ["draft", "judge", "aggregate"])
def test_a_pipeline_ends_when_its_time_is_up(where: str) -> None:
    """Whichever call hangs, a run with a budget of time is over in time, with what it has."""
    text = """
model a = "groq/draft"
model j = "groq/judge"
model z = "groq/aggregate"
pipeline p {
  budget { time = 9s }
  layer one repeat 2 {
    propose a * 3
    judge j keep 2
  }
  aggregate z
}
"""

    async def script(call, request: Request) -> Answer:  # type: ignore[no-untyped-def]
        await asyncio.sleep(1e6 if request.model == where and (where != "draft" or call.round == 2) else 0.1)
        return plainly(call, request) if call.purpose != "aggregate" else "done"

    made = run(planned(text), script)
    assert made.answer is not None, made.failed
    assert made.answer.degraded
    assert made.answer.totals.seconds <= 9.0 + LATE_S


@pytest.mark.parametrize("ticks", range(0, 40, 3))
def test_a_cancellation_at_any_time_leaves_nothing(ticks: int) -> None:
    """Calls that queue, wait, retry and hedge are cancelled after so many hundredths of a second."""

    async def script(request: Request) -> Answer:
        await asyncio.sleep(0.07)
        return Fault(FaultKind.STATUS, "down", status=503) if int(request.tag) % 2 else "fine"

    async def main() -> None:
        async with session_of(script, Provider("lab", "openai", concurrency=3, rate=Rate(50, 1.0))) as session:
            caller = caller_of(session)
            route = replace(ROUTE, hedge_s=0.03)
            calls = [asyncio.ensure_future(asked(caller, [route], str(n % 3), tag=str(n))) for n in range(20)]
            await asyncio.sleep(ticks / 100)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert session.gate("lab").is_idle
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert (await asked(caller, tag="0")).reply is not None

    run_virtually(main())


@pytest.mark.parametrize(
    ("line", "who"),
    [("judge j keep 1", "the judge j gave"), ("stop when moderator(j)", "the moderator j gave")],
)
@pytest.mark.parametrize(
    ("budget", "asked", "why"),
    [
        ("time = 6s", True, "the time of the budget, 6 s, is spent"),
        ("calls = 3", False, "the budget of 3 calls is spent"),
    ],
)
def test_who_gave_no_verdict_in_the_budget_is_told_as_that(
    line: str, who: str, budget: str, asked: bool, why: str
) -> None:
    """Whether it was asked and did not answer in time, or could not be asked any more."""
    plan = planned(f"""
model a = "groq/a"
model j = "groq/j"
pipeline p {{
  budget {{ {budget} }}
  layer one repeat 2 {{
    propose a * 2
    {line}
  }}
  aggregate a {{ stream = false }}
}}""")

    async def script(call: CallStarted, request: Request) -> Answer:
        if call.purpose in ("judge", "moderator"):
            await asyncio.sleep(100.0)
        return plainly(call, request)

    made = run(plan, script)
    assert made.answer is not None, made.failed
    assert any(one.request.model == "j" for one in made.asked) == asked
    assert made.answer.degraded[0].startswith(f"{who} no verdict, as {why}; ")
