"""Test hedge, to see what a second copy of a slow answer, and what an answer that was cut, bring and cost."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from smoadsl.adapters.base import Fault, FaultKind, Finish, Reply, Request, Sampling, Usage
from smoadsl.adapters.scripted import Answer
from smoadsl.calls.route import Provider, Route
from smoadsl.tools.virtual_clock import run_virtually
from tests.calls.asking import Called, asked, caller_of, session_of
from tests.scripts import plainly, planned, run

SLOW = Route("slow", "m", hedge_s=2.0)
OTHER = Route("other", "m")
BOTH = (SLOW, OTHER)
DOWN = Fault(FaultKind.STATUS, "down", status=503)
GROWS = """
model a = "groq/a" { max_tokens = 100, length = grow }
pipeline p { aggregate a { stream = false } }
"""
WRONG = Fault(FaultKind.STATUS, "wrong", status=400)


@dataclass(slots=True)
class Seen:
    """When which provider was asked, and who was not let finish."""

    asked: list[tuple[str, float]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)


def hedged(
    slow: tuple[float, Answer],
    other: tuple[float, Answer],
    routes: Sequence[Route] = (SLOW, OTHER),
    stream: bool = False,
) -> tuple[Called, Seen]:
    """One call; each provider answers after its time."""
    seen = Seen()

    def after(name: str, seconds: float, answer: Answer) -> Callable[[Request], object]:
        async def script(request: Request) -> Answer:
            seen.asked.append((name, asyncio.get_running_loop().time()))
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                seen.cancelled.append(name)
                raise
            return answer

        return script

    async def main() -> Called:
        scripts = {"slow": after("slow", *slow), "other": after("other", *other)}
        async with session_of(scripts, Provider("slow", "openai"), Provider("other", "openai")) as session:  # type: ignore[arg-type]
            called = await asked(caller_of(session), routes, stream=stream)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert session.gate("slow").is_idle
            assert session.gate("other").is_idle
            return called

    return run_virtually(main()), seen


def text(called: Called) -> str | None:
    return called.reply.text if called.reply else None


def test_a_fast_answer_is_not_copied() -> None:
    called, seen = hedged((1.9, "slow"), (0.1, "other"))
    assert (text(called), seen.asked, called.outcomes) == ("slow", [("slow", 0.0)], ["ok"])


def test_a_slow_answer_is_overtaken_by_its_copy() -> None:
    called, seen = hedged((60.0, "slow"), (1.0, "other"))
    assert (text(called), called.ended_at) == ("other", 3.0)
    assert (seen.asked, seen.cancelled) == ([("slow", 0.0), ("other", 2.0)], ["slow"])
    assert sorted(called.outcomes) == ["hedge_lost", "ok"]
    lost = next(attempt for attempt in called.attempts if attempt.outcome == "hedge_lost")
    assert (lost.route, lost.billed) == ("slow/m", True)


def test_the_first_one_may_still_win() -> None:
    called, seen = hedged((2.5, "slow"), (60.0, "other"))
    assert (text(called), called.ended_at, seen.cancelled) == ("slow", 2.5, ["other"])


def test_both_in_the_same_moment_are_one_answer() -> None:
    called, _ = hedged((3.0, "slow"), (1.0, "other"))
    assert (text(called), called.ended_at) == ("slow", 3.0)
    assert called.outcomes.count("ok") == 1


def test_without_a_fallback_the_copy_goes_to_the_same_model() -> None:
    called, seen = hedged((5.0, "slow"), (1.0, "other"), routes=(SLOW,))
    assert seen.asked == [("slow", 0.0), ("slow", 2.0)]
    assert (text(called), called.ended_at) == ("slow", 5.0)


def test_a_copy_that_fails_is_outlived() -> None:
    called, _ = hedged((4.0, "slow"), (0.5, DOWN))
    assert (text(called), called.ended_at) == ("slow", 4.0)
    assert sorted(called.outcomes) == ["ok", "status"]


def test_when_both_fail_the_call_goes_on_as_ever() -> None:
    called, seen = hedged((3.0, DOWN), (0.5, DOWN))
    assert text(called) is None
    assert called.fault is not None
    assert called.fault.status == 503
    assert len(seen.asked) <= 7


def test_a_mistake_of_ours_ends_both() -> None:
    called, seen = hedged((60.0, "slow"), (0.5, WRONG))
    assert called.fault is not None
    assert (called.fault.status, called.ended_at, seen.cancelled) == (400, 2.5, ["slow"])


def test_there_are_no_copies_while_a_provider_refuses_for_the_rate() -> None:
    times = 0

    async def script(request: Request) -> Answer:
        nonlocal times
        times += 1
        if times == 1:
            return Fault(FaultKind.STATUS, "busy", status=429)
        await asyncio.sleep(5.0)
        return "fine"

    async def main() -> Called:
        async with session_of(script, Provider("slow", "openai")) as session:
            return await asked(caller_of(session), [SLOW])

    assert run_virtually(main()).outcomes == ["status", "ok"]
    assert times == 2


def test_copies_come_out_of_what_may_be_retried() -> None:
    """A thousand slow calls: a fifth of them and ten have a copy, no more."""
    times = 0

    async def script(request: Request) -> Answer:
        nonlocal times
        times += 1
        await asyncio.sleep(10.0)
        return "fine"

    async def main() -> list[Called]:
        async with session_of(script, Provider("slow", "openai", concurrency=10_000)) as session:
            caller = caller_of(session)
            for _ in range(50):
                await asked(caller, [replace(SLOW, hedge_s=None)])
            return await asyncio.gather(*(asked(caller, [SLOW]) for _ in range(1_000)))

    assert all(call.reply for call in run_virtually(main()))
    assert 1_060 < times <= 1_050 * 1.2 + 10


def test_a_streamed_answer_that_has_begun_is_not_replaced() -> None:
    called, _ = hedged((60.0, "slow"), (1.0, "the other"), stream=True)
    assert (text(called), "".join(called.pieces)) == ("the other", "the other")


# ---- answers that were cut at max_tokens


def cut(policy: str, *finishes: Finish | Fault) -> tuple[Called, list[int]]:
    """A call whose answers end so, one after another."""
    asked_for: list[int] = []
    ends = iter(finishes)

    async def script(request: Request) -> Answer:
        asked_for.append(request.sampling.max_tokens)
        end = next(ends)
        if isinstance(end, Fault):
            return end
        return Reply(f"{request.sampling.max_tokens} tokens", end, Usage(1, 1), "m")

    async def main() -> Called:
        async with session_of(script, Provider("slow", "openai", retries=0)) as session:
            route = Route("slow", "m", Sampling(max_tokens=100), length=policy)  # type: ignore[arg-type]
            return await asked(caller_of(session), [route])

    return run_virtually(main()), asked_for


def test_a_cut_answer_is_taken_as_it_is() -> None:
    called, asked_for = cut("accept", "length")
    assert (text(called), asked_for, called.outcomes) == ("100 tokens", [100], ["ok"])


def test_a_cut_answer_grows_once() -> None:
    called, asked_for = cut("grow", "length", "stop")
    assert (text(called), asked_for, called.outcomes) == ("200 tokens", [100, 200], ["length", "ok"])
    called, asked_for = cut("grow", "length", "length")
    assert (text(called), asked_for) == ("200 tokens", [100, 200])
    assert called.reply is not None
    assert called.reply.finish == "length"


@pytest.mark.parametrize("fault", [WRONG, DOWN])
def test_when_the_longer_answer_fails_the_cut_one_is_there(fault: Fault) -> None:
    called, asked_for = cut("grow", "length", fault)
    assert (text(called), asked_for, called.outcomes) == ("100 tokens", [100, 200], ["length", "status"])


def test_a_cut_answer_may_be_none() -> None:
    called, _ = cut("fail", "length")
    assert called.fault is not None
    assert (called.fault.kind, called.outcomes) == (FaultKind.LENGTH, ["length"])
    assert "max_tokens = 100" in called.fault.message


def test_the_settings_reach_the_calls() -> None:
    plan = planned("""
model a = "groq/a" { hedge = 2s, length = grow, fallback = b }
model b = "groq/b"
pipeline p {
  layer one { propose a { length = fail } }
  aggregate b { hedge = 500ms }
}
""")
    agent, aggregate = plan.pipeline.layers[0].agents[0].does, plan.pipeline.aggregate
    assert [(r.hedge_s, r.length) for r in agent.routes] == [(2.0, "fail"), (None, "accept")]  # type: ignore[union-attr]
    assert aggregate.call.routes[0].hedge_s == 0.5  # type: ignore[union-attr]
    made = run(plan, plainly)
    assert made.answer is not None


def test_a_copy_that_the_budget_does_not_hold_is_not_sent_and_costs_nothing() -> None:
    """Money for one attempt: the slow answer is waited for, and the budget is not spent by the copy."""
    plan = planned("""
model a = "groq/a" { max_tokens = 100, price = { input = $0, output = $1_000 }, hedge = 1s }
pipeline p {
  budget { usd = $0.15 }
  aggregate a { stream = false }
}
""")

    async def script(call: object, request: Request) -> Answer:
        await asyncio.sleep(5.0)
        return Reply("fine", "stop", Usage(1, 10), "a")

    made = run(plan, script)
    assert made.answer is not None
    assert (made.answer.text, made.answer.degraded, len(made.asked)) == ("fine", (), 1)


def test_an_answer_that_can_not_be_paid_for_twice_is_taken_as_it_was_cut() -> None:
    plan = planned("""
model a = "groq/a" { max_tokens = 100, price = { input = $0, output = $1_000 }, length = grow }
pipeline p {
  budget { usd = $0.25 }
  aggregate a { stream = false }
}
""")

    async def script(call: object, request: Request) -> Answer:
        return Reply("half of", "length", Usage(1, 100), "a")

    made = run(plan, script)
    assert made.answer is not None
    assert (made.answer.text, len(made.asked)) == ("half of", 1)
    assert "cut at max_tokens" in made.answer.degraded[0]


def test_bounds_count_an_answer_that_grows() -> None:
    plan = planned(GROWS)
    assert plan.bounds is not None
    assert plan.bounds.output_tokens.full == 300
    assert plan.bounds.output_tokens.worst == 100 + 3 * 200
    asked_for: list[int] = []

    async def script(call: object, request: Request) -> Answer:
        asked_for.append(request.sampling.max_tokens)
        return Reply("half", "length", Usage(1, asked_for[-1]), "a")

    made = run(plan, script)
    assert made.answer is not None
    assert (asked_for, made.answer.totals.output_tokens, made.answer.totals.calls) == ([100, 200], 300, 1)


def test_a_streamed_answer_that_wins_over_its_copy_is_shown_once() -> None:
    for routes in ((SLOW,), BOTH):
        called, _ = hedged((2.5, "slow but sure"), (60.0, "other"), routes=routes, stream=True)
        assert (text(called), "".join(called.pieces)) == ("slow but sure", "slow but sure")
