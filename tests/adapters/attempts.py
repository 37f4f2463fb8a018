"""Attempts, to make one call against a wall and check what must hold whatever comes of it."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from smoadsl.adapters import open_adapter
from smoadsl.adapters.base import Adapter, Connection, Fault, FaultKind, Message, Reply, Request, Sampling
from tests.adapters.wall import Act, Attempt, Ending, Script, Wall, answer, events
from tests.canary import CANARY

ACME = Connection("acme", "https://acme.invalid/v1", CANARY)
REQUEST = Request("asked", (Message("system", "Be brief."), Message("user", "Why?")), Sampling(max_tokens=50))

CLOSE, RESET, HOLD = Ending.CLOSE, Ending.RESET, Ending.HOLD

USAGE = {"prompt_tokens": 11, "completion_tokens": 7}


def completion(content: Any = "Because.", finish: Any = "stop", **more: Any) -> dict[str, Any]:
    """A whole chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    return {"id": "1", "model": "answered", "choices": [choice], "usage": USAGE, **more}


def piece(content: Any = None, index: int = 0, finish: Any = None, **more: Any) -> dict[str, Any]:
    """One event of a streamed chat completion."""
    delta = {} if content is None else {"content": content}
    return {"model": "answered", "choices": [{"index": index, "delta": {**delta, **more}, "finish_reason": finish}]}


LAST = piece(finish="stop")
COUNTED = {"model": "answered", "choices": [], "usage": USAGE}
STREAM = events(piece("", role="assistant"), piece("Be"), piece("cause"), piece(" – 🐝."), LAST, COUNTED, "[DONE]")
TEXT = "Because – 🐝."

WELL: dict[str, Any] = {
    "openai": completion("Fine."),
    "anthropic": {"content": [{"type": "text", "text": "Fine."}], "stop_reason": "end_turn"},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "Fine."}]}, "finishReason": "STOP"}]},
    "ollama": {"message": {"content": "Fine."}, "done": True, "done_reason": "stop"},
}
"""A short answer of a provider that is well, in each protocol."""


@dataclass(slots=True)
class Tried:
    """What became of one call."""

    reply: Reply | None
    fault: Fault | None
    pieces: list[str]
    seconds: float
    attempts: list[Attempt]

    @property
    def outcome(self) -> str | FaultKind:
        return self.reply.text if self.reply else self.kind

    @property
    def kind(self) -> FaultKind:
        assert self.fault is not None, self.reply
        return self.fault.kind


def tried(
    acts: Iterable[Act],
    stream: bool = False,
    request: Request = REQUEST,
    connection: Connection = ACME,
    wall: Callable[[Script], Wall] = Wall,
    adapter: str = "openai",
) -> Tried:
    """Call once while the wall plays `acts`, then once more while it is healthy, and look for what was left behind."""
    acts = list(acts)

    async def main() -> Tried:
        provider = wall(lambda _: acts)
        async with meeting(provider, connection, adapter) as caller:
            result = await attempt(caller, request, stream)
            result.attempts = list(provider.attempts)
            assert len(result.attempts) <= 1
            provider.script = lambda _: [answer(WELL[adapter])]
            provider.greeting, provider.cut_body = (), None
            assert (await caller.complete(REQUEST)).text == "Fine."
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(main())


@asynccontextmanager
async def meeting(wall: Wall, connection: Connection = ACME, adapter: str = "openai") -> AsyncIterator[Adapter]:
    """A wall, and an adapter that speaks to it."""
    async with wall, aclosing(open_adapter(adapter, replace(connection, base_url=f"{wall.url}/v1"))) as caller:
        yield caller


async def attempt(adapter: Adapter, request: Request = REQUEST, stream: bool = False) -> Tried:
    """One call, timed, with its pieces. Its fault, if any, keeps the key to itself."""
    pieces: list[str] = []
    reply, found, start = None, None, time.monotonic()
    try:
        reply = await adapter.complete(request, pieces.append if stream else None)
    except Fault as fault:
        found = fault
        keeps_the_key(fault)
    if reply is not None and stream and request.n == 1:
        assert "".join(pieces) == reply.text
    return Tried(reply, found, pieces, time.monotonic() - start, [])


def keeps_the_key(fault: Fault) -> None:
    """The key is in no text that the fault, or what hangs on it, can become."""
    links: list[BaseException | None] = [fault, fault.__cause__, fault.__context__]
    shown = [repr(links), str(links), repr(vars(fault)), *(repr(link.args) for link in links if link is not None)]
    assert CANARY not in "".join([*shown, *traceback.format_exception(fault)])
    assert "\n" not in fault.message
    assert fault.message
    assert "acme" in fault.message or fault.kind is FaultKind.LOCAL
