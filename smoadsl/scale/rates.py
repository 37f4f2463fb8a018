"""Rates, to keep all workers of a run together within what a provider allows: what it declares, tells and shows.

A worker asks for so many requests at once, and gets as many of them as may begin; what became of each it tells later.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Any

from smoadsl.adapters.base import Allowance, Exchange, Usage
from smoadsl.calls.limits import Grant, Limits, Weight
from smoadsl.calls.route import Provider
from smoadsl.calls.told import Told
from smoadsl.classes import dataclass

_MOST_UNTOLD = 100_000  # requests of which nobody has told what became of them, as their worker is gone


@dataclass(slots=True)
class _Lane:
    limits: Limits
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # workers take turns


class Rates:
    """The limits of all providers of a run. Time is the event loop's."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._shared = {name: Limits(provider) for name, provider in providers.items()}
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._under_way: OrderedDict[int, tuple[_Lane, Grant]] = OrderedDict()
        self._number = 0
        self._news = asyncio.Event()

    async def granted(self, provider: str, model: str, weights: Sequence[Weight]) -> list[int]:
        """Wait until the first of these requests may begin; a number for each that may begin by then."""
        lane = self._lanes.setdefault((provider, model), _Lane(self._shared[provider]))
        now = asyncio.get_running_loop().time
        async with lane.turn:
            while (at := lane.limits.ready_at(weights[0], now())) > now():
                await self._news_or(at)
            numbers = [self._begin(lane, weights[0], now())]
            for weight in weights[1:]:
                if lane.limits.ready_at(weight, now()) > now():
                    break
                numbers.append(self._begin(lane, weight, now()))
            return numbers

    async def _news_or(self, at: float) -> None:
        """Wait until then, or until something is heard of a request that is under way."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(at):
                await self._news.wait()

    def sent(self, number: int) -> None:
        """The request was sent by now: from now on the periods are counted that it is in, however long its leave took
        to arrive."""
        if number not in self._under_way:
            return
        now = asyncio.get_running_loop().time()
        for _, limit, taken in self._under_way[number][1].taken:
            window = limit.window if isinstance(limit, Told) else limit
            if window is not None and now - taken.at < window.period_s:  # else it is forgotten there
                taken.at = now

    def heard(self, number: int, allowances: Iterable[Mapping[str, Any]]) -> None:
        """An answer to this request came, with headers that tell of limits."""
        if number not in self._under_way:
            return
        lane, grant = self._under_way[number]
        exchange = Exchange(0, tuple(Allowance(**one) for one in allowances))
        if not lane.limits.fits(exchange):
            lane.limits = lane.limits.apart()  # this model's limits are not those of the others
        lane.limits.heard(grant, exchange, asyncio.get_running_loop().time())

    def refused(self, number: int, hinted: bool) -> None:
        """The request was refused for the rate."""
        if (found := self._under_way.pop(number, None)) is not None:
            lane, grant = found
            lane.limits.refused(grant, asyncio.get_running_loop().time(), hinted)
            self._tell()

    def settle(self, number: int, tokens: Sequence[int] | None) -> None:
        """The request was accepted, and took so many tokens of input and output if somebody counted."""
        if (found := self._under_way.pop(number, None)) is not None:
            lane, grant = found
            lane.limits.settle(grant, Usage(tokens[0], tokens[1]) if tokens is not None else None)
            self._tell()

    def _tell(self) -> None:
        """Wake those who wait now."""
        self._news.set()
        self._news.clear()

    def _begin(self, lane: _Lane, weight: Weight, now: float) -> int:
        self._number += 1
        self._under_way[self._number] = lane, lane.limits.begin(weight, now)
        while len(self._under_way) > _MOST_UNTOLD:
            self._under_way.popitem(last=False)
        return self._number
