"""Test failover, to meet the sixteen faults of the public Failover Bench, each from a fake provider's side of the wire.

A primary has one fault; a fallback is well unless the fault is about it. Times of half a minute are scaled down.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from random import Random
from time import monotonic

import orjson

from smoadsl.adapters.base import Fault, FaultKind, Request, Sampling
from smoadsl.adapters.openai import OpenAI
from smoadsl.adapters.scripted import Answer
from smoadsl.calls.caller import Caller
from smoadsl.calls.route import Provider, Route
from smoadsl.calls.session import Session
from smoadsl.tools.virtual_clock import run_virtually
from tests.adapters.attempts import completion, piece
from tests.adapters.wall import STREAM_HEAD, Act, Attempt, Ending, Wait, Wall, answer, events
from tests.calls.asking import Called, asked, caller_of, session_of

TOKENS = [f"token{number} " for number in range(60)]
WHOLE = "".join(TOKENS).strip()
SILENCE_S = 0.4
Script = Callable[[Attempt], Iterable[Act]]


def well(attempt: Attempt) -> Iterable[Act]:
    """A provider without faults: the same sixty tokens, streamed if that is asked for."""
    if attempt.json.get("stream"):
        yield STREAM_HEAD
        yield events(*(piece(token) for token in TOKENS), piece(finish="stop"), "[DONE]")
        yield Ending.CLOSE
    else:
        yield answer(completion(WHOLE, model=attempt.json["model"]))


def error(status: int, headers: dict[str, str] | None = None, **said: str) -> bytes:
    return answer({"error": {"message": "no", **said}}, status, headers)


@dataclass(slots=True)
class Bench:
    """What one call came to, and what the two providers saw of it."""

    called: Called
    primary: list[Attempt]
    fallback: list[Attempt]
    seen_at: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def text(self) -> str | None:
        return self.called.reply.text.strip() if self.called.reply else None


def bench(
    primary: Script, fallback: Script = well, stream: bool = False, contexts: Sequence[int | None] = (None, None)
) -> Bench:
    """Make one call while the primary has its fault, then one more while both are well: nothing may be left behind."""

    async def main() -> Bench:
        seen_at: list[float] = []

        def noted(attempt: Attempt) -> Iterable[Act]:
            seen_at.append(monotonic())
            return primary(attempt)

        async with AsyncExitStack() as stack:
            walls = [await stack.enter_async_context(Wall(script)) for script in (noted, fallback)]
            providers = {
                name: Provider(name, "openai", f"{wall.url}/v1", timeout_s=5.0)
                for name, wall in zip(("primary", "fallback"), walls, strict=True)
            }
            opened = await stack.enter_async_context(
                Session(
                    providers,
                    {},
                    lambda kind, connection: OpenAI(
                        replace(connection, first_byte_timeout_s=SILENCE_S, idle_timeout_s=SILENCE_S)
                    ),
                )
            )
            routes = [
                Route(name, f"{name}-model", Sampling(max_tokens=99), context=context)
                for name, context in zip(providers, contexts, strict=True)
            ]
            caller = Caller(opened, Random(0))
            begun = monotonic()
            called = await asked(caller, routes, stream=stream)
            result = Bench(called, [*walls[0].attempts], [*walls[1].attempts], seen_at, monotonic() - begun)
            walls[0].script = walls[1].script = well
            assert (await asked(caller, routes[1:])).reply is not None
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(main())


def then_well(fault: Script) -> Script:
    """The fault at the first attempt only."""
    attempts: list[Attempt] = []

    def script(attempt: Attempt) -> Iterable[Act]:
        attempts.append(attempt)
        return fault(attempt) if len(attempts) == 1 else well(attempt)

    return script


def test_s01_a_429_with_retry_after_is_waited_for() -> None:
    seen = bench(then_well(lambda _: [error(429, {"Retry-After": "2"})]))
    assert (seen.text, len(seen.primary), len(seen.fallback)) == (WHOLE, 2, 0)
    assert seen.seen_at[1] - seen.seen_at[0] >= 2.0


def test_s02_a_429_for_ever_is_asked_seldom_and_gone_around() -> None:
    seen = bench(lambda _: [error(429)])
    assert (seen.text, len(seen.fallback)) == (WHOLE, 1)
    assert len(seen.primary) <= 6
    assert sum(at - seen.seen_at[0] <= 3.0 for at in seen.seen_at) <= 4


def test_s03_one_500_is_tried_again() -> None:
    seen = bench(then_well(lambda _: [error(500)]))
    assert (seen.text, len(seen.primary), len(seen.fallback)) == (WHOLE, 2, 0)


def test_s04_a_503_for_ever_is_gone_around() -> None:
    seen = bench(lambda _: [error(503)])
    assert (seen.text, len(seen.primary), len(seen.fallback)) == (WHOLE, 3, 1)


def test_s05_a_reset_before_the_head_is_tried_again() -> None:
    seen = bench(then_well(lambda _: [Ending.RESET]))
    assert (seen.text, len(seen.primary), len(seen.fallback)) == (WHOLE, 2, 0)


def test_s06_a_silent_primary_is_not_asked_twice() -> None:
    seen = bench(lambda _: [Ending.HOLD])
    assert (seen.text, len(seen.primary), len(seen.fallback)) == (WHOLE, 1, 1)
    assert seen.seconds < SILENCE_S + 1.0


def test_s07_a_first_token_that_is_late_is_not_waited_for() -> None:
    late: list[Act] = [STREAM_HEAD, Wait(5.0), events(piece("late", finish="stop"), "[DONE]"), Ending.CLOSE]
    seen = bench(lambda _: late, stream=True)
    assert (seen.text, "".join(seen.called.pieces).strip(), len(seen.fallback)) == (WHOLE, WHOLE, 1)


def test_s08_a_stream_that_is_cut_is_never_an_answer() -> None:
    cut: list[Act] = [STREAM_HEAD, events(*(piece(token) for token in TOKENS[:40])), Ending.CLOSE]
    shown = bench(lambda _: cut, stream=True)
    assert shown.called.fault is not None  # a reader saw the pieces: nothing else may follow them
    assert shown.called.fault.kind is FaultKind.TRUNCATED
    body = orjson.dumps(completion(WHOLE))
    half = answer(body, headers={"Content-Length": f"{len(body)}"})[: -len(body) // 2]
    kept = bench(lambda _: [half, Ending.CLOSE])
    assert (kept.text, len(kept.fallback)) == (WHOLE, 1)


def test_s09_a_stream_that_stalls_is_left() -> None:
    stalled: list[Act] = [STREAM_HEAD, events(piece("a ")), Ending.HOLD]
    seen = bench(lambda _: stalled, stream=True)
    assert seen.called.fault is not None
    assert seen.called.fault.kind is FaultKind.STALLED
    body = orjson.dumps(completion(WHOLE))
    kept = bench(lambda _: [answer(body)[:-9], Ending.HOLD])
    assert (kept.text, kept.called.outcomes[0], len(kept.fallback)) == (WHOLE, "stalled", 1)


def test_s10_one_malformed_event_is_passed_over_and_flagged() -> None:
    lines = [events(piece(token)) for token in TOKENS]
    lines[9] = b'data: {"choices": [{"delta": \n\n'
    seen = bench(lambda _: [STREAM_HEAD, *lines, events(piece(finish="stop"), "[DONE]"), Ending.CLOSE], stream=True)
    assert seen.called.reply is not None
    assert seen.text == "".join(TOKENS[:9] + TOKENS[10:]).strip()
    assert seen.called.reply.lost_events == 1


def test_s11_an_end_without_done_is_an_end() -> None:
    acts: list[Act] = [STREAM_HEAD, events(*(piece(token) for token in TOKENS), piece(finish="stop")), Ending.HOLD]
    seen = bench(lambda _: acts, stream=True)
    assert (seen.text, len(seen.primary), len(seen.fallback)) == (WHOLE, 1, 0)
    assert seen.seconds < 1.0


def test_s12_a_prompt_that_is_too_long_goes_to_a_larger_model_only() -> None:
    def too_long(_: Attempt) -> Iterable[Act]:
        return [error(400, code="context_length_exceeded")]

    seen = bench(too_long, contexts=(8_000, 32_000))
    assert (seen.text, len(seen.primary), len(seen.fallback)) == (WHOLE, 1, 1)
    seen = bench(too_long, contexts=(8_000, 8_000))
    assert (seen.text, len(seen.primary), len(seen.fallback)) == (None, 1, 0)


def test_s13_a_content_policy_is_a_clean_error() -> None:
    seen = bench(lambda _: [error(400, code="content_policy_violation", message="This is not allowed.")])
    assert (seen.text, len(seen.primary), len(seen.fallback)) == (None, 1, 0)
    assert seen.called.fault is not None
    assert "This is not allowed." in seen.called.fault.message


def test_s14_a_fallback_begins_anew_and_is_sent_no_half_answer() -> None:
    def refuses_prefill(attempt: Attempt) -> Iterable[Act]:
        if attempt.json["messages"][-1]["role"] == "assistant":
            return [error(400, message="prefill is not supported")]
        return well(attempt)

    body = answer(completion(WHOLE))
    seen = bench(lambda _: [body[:-20], Ending.CLOSE], refuses_prefill)
    assert (seen.text, len(seen.fallback)) == (WHOLE, 1)


def test_s15_an_outage_of_a_minute_is_never_noticed() -> None:
    """One call a second for two minutes; the primary is down for the first."""
    down = Fault(FaultKind.STATUS, "down", status=503)
    asked_at: list[float] = []

    async def primary(request: Request) -> Answer:
        await asyncio.sleep(0.01)
        asked_at.append(asyncio.get_running_loop().time())
        return down if asked_at[-1] < 60 else "primary"

    def fallback(request: Request) -> Answer:
        return "fallback"

    providers = [Provider(name, "openai", "https://x.invalid") for name in ("primary", "fallback")]
    routes = [Route(provider.name, "m") for provider in providers]

    async def main() -> list[Called]:
        async with session_of({"primary": primary, "fallback": fallback}, *providers) as opened:
            caller = caller_of(opened)
            calls = []
            for second in range(120):
                await asyncio.sleep(max(0.0, second - asyncio.get_running_loop().time()))
                calls.append(await asked(caller, routes))
            return calls

    calls = run_virtually(main())
    assert all(call.reply for call in calls)
    assert sum(at < 60 for at in asked_at) <= 10
    back_at = next(call.ended_at for call in calls if call.reply and call.reply.text == "primary")
    assert back_at < 60 + 30
    assert all(call.reply and call.reply.text == "primary" for call in calls if call.ended_at > back_at)


def test_s16_a_fallback_is_told_as_the_one_that_answered() -> None:
    seen = bench(lambda _: [error(503)])
    assert seen.called.reply is not None
    assert seen.called.route is not None
    assert (seen.called.reply.model, seen.called.route.name) == ("fallback-model", "fallback/fallback-model")
    assert [attempt.route.split("/")[0] for attempt in seen.called.attempts] == ["primary"] * 3 + ["fallback"]
    assert [attempt.billed for attempt in seen.called.attempts] == [False] * 4
    assert seen.called.attempts[2].next_route == "fallback/fallback-model"
