"""Caller, to make one request succeed if it can: a slot, an attempt, another while it is worth it, then a fallback."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from smoadsl.adapters.base import Fault, FaultKind, Message, OnText, Reply, Request
from smoadsl.calls.retry import delay_s, worth_another_route, worth_retrying
from smoadsl.calls.route import Route
from smoadsl.calls.session import Session


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked, whoever answers. `tag` says which call of a run it is."""

    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt came to. `outcome` is `ok`, `cancelled` or the kind of fault; `wait_s` is None when no other
    follows on the same route, `next_route` names the fallback that does. `billed`: it failed, and the provider may
    charge for it."""

    number: int
    route: str
    outcome: str
    message: str
    elapsed_s: float
    status: int | None = None
    wait_s: float | None = None
    next_route: str = ""
    billed: bool = False


OnSend = Callable[[], None]
OnAttempt = Callable[[Attempt], None]


class Caller:
    """Makes calls through a session. Time is the event loop's, chance comes from `random`."""

    def __init__(self, session: Session, random: Random) -> None:
        self._session = session
        self._random = random

    async def call(
        self, routes: Sequence[Route], ask: Ask, on_send: OnSend, on_attempt: OnAttempt, on_text: OnText | None = None
    ) -> tuple[Route, Reply]:
        """The reply and the route that gave it, or the last `Fault`. The first route is the model's own, the others are
        its fallbacks. Once text has reached `on_text` nothing is tried again: a reader saw it. `on_send` is told
        before each attempt is sent, and what it raises ends the call."""
        shown = sent = False

        def show(text: str) -> None:
            nonlocal shown
            shown = True
            if on_text is not None:
                on_text(text)

        def send() -> None:
            nonlocal sent
            on_send()
            sent = True

        number = place = 0
        faults: list[FaultKind] = []  # on this route
        while True:
            route, following = routes[place], routes[place + 1 :]
            number, sent = number + 1, False
            begun = asyncio.get_running_loop().time()
            told = partial(_told, on_attempt, number, route.name, begun)
            try:
                reply = await self._attempt(route, ask, send, show if on_text else None)
            except asyncio.CancelledError:
                if sent:
                    told("cancelled", "not waited for any longer", billed=True)
                raise
            except Fault as fault:
                faults.append(fault.kind)
                wait_s = None if shown else self._wait_s(route, fault, faults, bool(following))
                other = following[0] if following and wait_s is None and not shown else None
                if other is not None and not worth_another_route(fault):
                    other = None
                then = {"wait_s": wait_s, "next_route": other.name if other else ""}
                told(fault.kind.value, fault.message, status=fault.status, billed=fault.billed, **then)
                if wait_s is not None:
                    await asyncio.sleep(wait_s)
                elif other is not None:
                    place, faults = place + 1, []
                else:
                    raise
            else:
                told("ok", "")
                return route, reply

    def _wait_s(self, route: Route, fault: Fault, faults: Sequence[FaultKind], others: bool) -> float | None:
        """How long to wait before the same route is tried again; None when it should not be."""
        provider = self._session.providers[route.provider]
        retries = provider.retries if route.retries is None else route.retries
        if len(faults) > retries or not worth_retrying(fault, faults.count(fault.kind)):
            return None
        if fault.kind is FaultKind.TIMEOUT and others:
            return None  # a silent route is not asked twice while another may answer
        return delay_s(fault, len(faults), self._random)

    async def _attempt(self, route: Route, ask: Ask, on_send: OnSend, on_text: OnText | None) -> Reply:
        request = Request(route.model, ask.messages, route.sampling, ask.schema, ask.tag)
        timeout_s = route.timeout_s or self._session.providers[route.provider].timeout_s
        async with self._session.slot(route.provider):
            await self._session.paced(route.provider, request)
            adapter = self._session.adapter(route.provider)
            on_send()
            try:
                async with asyncio.timeout(timeout_s):
                    return await adapter.complete(request, on_text)
            except TimeoutError:
                message = f"{route.provider} gave no whole answer within {timeout_s:g} s"
                raise Fault(FaultKind.TIMEOUT, message, billed=True) from None


def _told(
    on_attempt: OnAttempt, number: int, route: str, begun: float, outcome: str, message: str, **more: Any
) -> None:
    elapsed_s = asyncio.get_running_loop().time() - begun
    on_attempt(Attempt(number, route, outcome, message, elapsed_s, **more))
