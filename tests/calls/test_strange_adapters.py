"""Test strange adapters, to have the mistakes of one that is not ours fail its own call and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from smoadsl.adapters.base import OnText, Reply, Request, Usage
from smoadsl.calls.route import Provider, Route
from smoadsl.runtime.events import CallAttempted, Event
from smoadsl.runtime.executor import RunError
from smoadsl.tools import api
from smoadsl.tools.virtual_clock import run_virtually
from tests.calls.asking import Called, asked, caller_of, session_of
from tests.scripts import KEYS, planned


async def cancels_what_it_waits_for() -> None:
    inner = asyncio.ensure_future(asyncio.sleep(5))
    await asyncio.sleep(1)
    inner.cancel()
    await inner


async def waits_for_what_is_cancelled() -> None:
    group = asyncio.gather(asyncio.sleep(5), asyncio.sleep(5))
    asyncio.get_running_loop().call_later(1, group.cancel)
    await group


async def says_that_it_is_cancelled() -> None:
    raise asyncio.CancelledError("by nobody")


async def divides() -> None:
    _ = 1 // 0


async def waits() -> None:
    await asyncio.sleep(3_600)


STRANGE: Mapping[str, Callable[[], Awaitable[None]]] = {
    one.__name__: one
    for one in (cancels_what_it_waits_for, waits_for_what_is_cancelled, says_that_it_is_cancelled, divides)
}
MIXTURE = """
model a = "groq/a"
model b = "groq/b"
pipeline p {
  layer one { propose a, b, c = b
    QUORUM }
  aggregate b { stream = STREAM }
}
"""


class Acme:
    """An adapter that is good but for one model, and for how it is closed."""

    def __init__(
        self, does: Callable[[], Awaitable[None]], closes: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._does = does
        self._closes = closes

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        if request.model == "a":
            await self._does()
        if on_text is not None:
            on_text("fine")
        return Reply("fine", "stop", Usage(1, 1), request.model)

    async def aclose(self) -> None:
        if self._closes is not None:
            await self._closes()


def ran(adapter: Acme, quorum: str = "quorum 2", stream: str = "false") -> tuple[str, list[Event]]:
    told: list[Event] = []
    plan = planned(MIXTURE.replace("QUORUM", quorum).replace("STREAM", stream))

    async def main() -> str:
        return (await api.run(plan, "hi", on_event=told.append, environ=KEYS, opener=lambda kind, at: adapter)).text

    return run_virtually(main()), told


@pytest.mark.parametrize("stream", ["true", "false"])
@pytest.mark.parametrize("name", STRANGE)
def test_a_mistake_of_an_adapter_fails_its_call_and_no_other(name: str, stream: str) -> None:
    text, told = ran(Acme(STRANGE[name]), "quorum 2 after 30s", stream)
    assert text == "fine"
    failed = [event for event in told if isinstance(event, CallAttempted) and event.outcome != "ok"]
    assert [event.outcome for event in failed] == ["local"]
    assert failed[0].message.startswith("the adapter of groq failed with ")


@pytest.mark.parametrize("name", STRANGE)
def test_where_all_are_needed_the_run_says_who_failed_and_how(name: str) -> None:
    with pytest.raises(RunError, match="a failed: the adapter of groq failed with "):
        ran(Acme(STRANGE[name]), quorum="")


@pytest.mark.parametrize("name", STRANGE)
def test_of_a_copy_as_of_the_first(name: str) -> None:
    """The copy is strange, and is told as what it is: not as the one that was slower."""

    async def good(request: Request) -> Reply:
        await asyncio.sleep(5)
        return Reply("fine", "stop", Usage(1, 1), "m")

    async def strange(request: Request) -> Reply:
        await STRANGE[name]()
        raise AssertionError("not reached")

    async def main() -> Called:
        providers = Provider("slow", "openai"), Provider("other", "openai")
        async with session_of({"slow": good, "other": strange}, *providers) as session:
            routes = [Route("slow", "m", hedge_s=1.0), Route("other", "m")]
            return await asked(caller_of(session), routes)

    called = run_virtually(main())
    assert called.fault is not None
    assert called.fault.message.startswith("the adapter of other failed with ")
    assert called.outcomes == ["hedge_lost", "local"]


def test_what_is_cancelled_from_outside_is_cancelled() -> None:
    async def main() -> None:
        plan = planned(MIXTURE.replace("QUORUM", "").replace("STREAM", "false"))
        opener = lambda kind, at: Acme(waits)  # noqa: E731
        run = asyncio.ensure_future(api.run(plan, "hi", environ=KEYS, opener=opener))
        await asyncio.sleep(1)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    run_virtually(main())


@pytest.mark.parametrize("name", STRANGE)
def test_an_adapter_that_can_not_be_closed_loses_no_answer(name: str) -> None:
    async def nothing() -> None:
        return None

    with pytest.warns(RuntimeWarning, match="the adapter of groq failed with .+ as it was closed"):
        text, _ = ran(Acme(nothing, STRANGE[name]))
    assert text == "fine"
