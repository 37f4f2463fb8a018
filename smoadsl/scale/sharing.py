"""Sharing, to make one worker's calls within limits that it shares with others: each is asked for before it begins.

What one worker alone can know stays its own: whether a route is well, what is under way, what is tried again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import asdict, field, replace
from random import Random
from typing import Any, Protocol

from smoadsl.adapters import open_adapter
from smoadsl.adapters.base import Exchange, Usage
from smoadsl.calls.gate import Gate
from smoadsl.calls.keys import Bound
from smoadsl.calls.lane import Lane, Pass, TurnedAway
from smoadsl.calls.learned import Sent
from smoadsl.calls.limits import Grant, Limits, Weight
from smoadsl.calls.route import Provider
from smoadsl.calls.session import Opener, Session
from smoadsl.classes import dataclass


class Office(Protocol):
    """Who keeps the limits that are shared."""

    def lease(self, provider: str, model: str, weights: Sequence[Weight]) -> Awaitable[list[int]]:
        """Wait until the first of these requests may begin; a number for each that may begin by then."""
        ...

    def tell(self, *said: Any) -> None:
        """What became of a request: one of the methods of `Rates`, and what that is told."""
        ...


@dataclass(slots=True)
class _Granted(Grant):
    number: int = 0  # that the office knows it by; 0 until it was asked


class _Limits(Limits):
    """Limits that somebody else keeps: nothing waits here, and all is told on."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def apart(self) -> "_Limits":
        return self

    def ready_at(self, weight: Weight, now: float) -> float:
        return now

    def begin(self, weight: Weight, now: float) -> Grant:
        return _Granted(now, Sent(now), weight, [])

    def fits(self, exchange: Exchange) -> bool:
        return True

    def heard(self, grant: Grant, exchange: Exchange, now: float) -> None:
        if exchange.allowances:
            self._tell("heard", grant, [asdict(one) for one in exchange.allowances])

    def refused(self, grant: Grant, now: float, hinted: bool) -> None:
        self._tell("refused", grant, hinted)

    def settle(self, grant: Grant, usage: Usage | None) -> None:
        counted = usage is not None and not usage.estimated
        self._tell("settle", grant, [usage.input_tokens, usage.output_tokens] if usage and counted else None)

    def _tell(self, what: str, grant: Grant, *said: Any) -> None:
        assert isinstance(grant, _Granted)
        if grant.number:
            self._office.tell(what, grant.number, *said)


@dataclass(slots=True)
class _Queue:
    """The requests of one route that wait for the office; it is asked for all of them at once."""

    office: Office
    provider: str
    model: str
    waiting: deque[tuple[Weight, asyncio.Future[int]]] = field(default_factory=deque)
    asking: asyncio.Task[None] | None = None

    async def number(self, weight: Weight) -> int:
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.waiting.append((weight, turn))
        if self.asking is None:
            self.asking = asyncio.get_running_loop().create_task(self._ask())
        return await turn

    async def _ask(self) -> None:
        try:
            while self._in_need():
                weights = [weight for weight, _ in self.waiting]
                for number in await self.office.lease(self.provider, self.model, weights):
                    if self._in_need():  # else whoever asked has given up, and the request counts as sent
                        self.waiting.popleft()[1].set_result(number)
        except Exception as error:
            for _, turn in self.waiting:
                if not turn.done():
                    turn.set_exception(error)
            self.waiting.clear()
        finally:
            self.asking = None

    def _in_need(self) -> bool:
        while self.waiting and self.waiting[0][1].done():
            self.waiting.popleft()
        return bool(self.waiting)


class _Gate(Gate):
    """A gate whose requests wait for the office too, once it is their turn here."""

    def __init__(self, provider: Provider, random: Random, office: Office) -> None:
        super().__init__(provider, random)
        self._limits = _Limits(office)
        self._office = office
        self._name = provider.name
        self._queues: dict[int, _Queue] = {}

    def lane(self, model: str) -> Lane:
        lane = super().lane(model)
        if id(lane) not in self._queues:
            self._queues[id(lane)] = _Queue(self._office, self._name, model)
        return lane

    async def enter(
        self, lane: Lane, weight: Weight, owner: str, patience: int, others: bool, again: bool, now: float
    ) -> Pass:
        leave = await super().enter(lane, weight, owner, patience, others, again, now)
        loop = asyncio.get_running_loop()
        try:
            assert isinstance(leave.grant, _Granted)
            leave.grant.number = await self._queues[id(lane)].number(weight)
            self._office.tell("sent", leave.grant.number)
            if (fault := lane.shut(loop.time())) is not None:
                raise TurnedAway(fault)
        except BaseException:
            lane.let_go(leave, loop.time())
            self.leave(leave)
            raise
        return leave


class SharedSession(Session):
    """A session that is one of `workers`: it has its share of what may be under way at once, and rates are the
    office's."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        environ: Mapping[str, str],
        allowed: Collection[Bound],
        office: Office,
        workers: int,
        opener: Opener = open_adapter,
    ) -> None:
        shares = {
            name: replace(provider, concurrency=max(1, provider.concurrency // workers), rate=None, tokens_rate=None)
            for name, provider in providers.items()
        }
        super().__init__(shares, environ, opener, allowed)
        self._office = office

    def gate(self, name: str) -> Gate:
        if name not in self._gates:
            self._gates[name] = _Gate(self.providers[name], self._random, self._office)
        return self._gates[name]
