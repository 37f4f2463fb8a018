"""Asking, to make many calls through one session, as pipelines do, and see what became of them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from smoadsl.adapters.base import Fault, Message, Reply, Sampling, Usage
from smoadsl.adapters.scripted import Script, Scripted
from smoadsl.calls.attempt import Ask, Attempt
from smoadsl.calls.caller import Caller
from smoadsl.calls.price import Price
from smoadsl.calls.route import Provider, Route
from smoadsl.calls.session import Session

LAB = Provider("lab", "openai", "https://lab.invalid/v1", concurrency=1_000)
ROUTE = Route("lab", "one", Sampling(max_tokens=10))
HI = (Message("user", "Hi."),)


class Free:
    """An account and a bill that cost nothing."""

    def bill(self, route: Route, n: int, extra: bool) -> "Free":
        return self

    def answered(self, usage: Usage, price: Price | None) -> None:
        return None

    def failed(self, billed: bool) -> None:
        return None


@dataclass(slots=True)
class Called:
    """What became of one call."""

    attempts: list[Attempt] = field(default_factory=list)
    route: Route | None = None
    reply: Reply | None = None
    fault: Fault | None = None
    ended_at: float = 0.0
    pieces: list[str] = field(default_factory=list)

    @property
    def outcomes(self) -> list[str]:
        return [attempt.outcome for attempt in self.attempts]


async def asked(
    caller: Caller,
    routes: Sequence[Route] = (ROUTE,),
    owner: str = "",
    deadline_at: float | None = None,
    stream: bool = False,
    tag: str = "",
) -> Called:
    """Make one call to its end."""
    called = Called()
    ask = Ask(HI, 3, tag=tag, owner=owner, deadline_at=deadline_at)
    on_text = called.pieces.append if stream else None
    try:
        async with asyncio.timeout_at(deadline_at):
            called.route, called.reply = await caller.call(routes, ask, Free(), called.attempts.append, on_text)
    except Fault as fault:
        called.fault = fault
    except TimeoutError:
        pass
    called.ended_at = asyncio.get_running_loop().time()
    return called


def session_of(scripts: Script | Mapping[str, Script], *providers: Provider) -> Session:
    """A session whose providers answer by a script; one for all, or one each."""
    known = {provider.name: provider for provider in providers or (LAB,)}
    adapters = {name: Scripted(scripts if callable(scripts) else scripts[name]) for name in known}
    return Session(known, {}, lambda kind, connection: adapters[connection.provider])


def caller_of(session: Session, seed: int = 0) -> Caller:
    return Caller(session, Random(seed))


async def pipeline(caller: Caller, owner: str, routes: Sequence[Route] = (ROUTE,)) -> bool:
    """A mixture of agents of 13 calls: three layers of four, then the aggregate. Whether all were answered."""
    for _ in range(3):
        layer = await asyncio.gather(*(asked(caller, routes, owner) for _ in range(4)))
        if not all(called.reply for called in layer):
            return False
    return (await asked(caller, routes, owner)).reply is not None
