"""Servers, to stand for providers that limit the rate, each in its own way, as a scripted adapter's answers."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Literal, Protocol

from smoadsl.adapters.base import Allowance, Exchange, Fault, FaultKind, Reply, Request, Usage

Counting = Literal["fixed", "sliding", "bucket"]
COUNTINGS: tuple[Counting, ...] = ("fixed", "sliding", "bucket")


class Counter(Protocol):
    """How a server counts: whether it takes a request at that time, what is left, and when all is there again."""

    def take(self, now: float) -> bool: ...

    def left(self, now: float) -> tuple[int, float]: ...


@dataclass(slots=True)
class Fixed:
    """Windows that follow one another, from `phase_s` on."""

    limit: int
    period_s: float
    phase_s: float = 0.0
    window: float = -1.0
    used: int = 0

    def take(self, now: float) -> bool:
        window = (now - self.phase_s) // self.period_s
        if window != self.window:
            self.window, self.used = window, 0
        if self.used >= self.limit:
            return False
        self.used += 1
        return True

    def left(self, now: float) -> tuple[int, float]:
        return self.limit - self.used, self.period_s - (now - self.phase_s) % self.period_s


@dataclass(slots=True)
class Sliding:
    """Any period at all, by a log of what was taken."""

    limit: int
    period_s: float
    log: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> bool:
        while self.log and self.log[0] <= now - self.period_s:
            self.log.popleft()
        if len(self.log) >= self.limit:
            return False
        self.log.append(now)
        return True

    def left(self, now: float) -> tuple[int, float]:
        return self.limit - len(self.log), (self.log[0] + self.period_s - now) if self.log else 0.0


@dataclass(slots=True)
class Bucket:
    """A bucket that fills evenly, and holds what a period allows."""

    limit: int
    period_s: float
    level: float = -1.0
    at: float = 0.0

    def take(self, now: float) -> bool:
        self._fill(now)
        if self.level < 1:
            return False
        self.level -= 1
        return True

    def left(self, now: float) -> tuple[int, float]:
        self._fill(now)
        return int(self.level), (self.limit - self.level) * self.period_s / self.limit

    def _fill(self, now: float) -> None:
        if self.level < 0:
            self.level, self.at = self.limit, now
        self.level = min(self.limit, self.level + (now - self.at) * self.limit / self.period_s)
        self.at = now


def counter(counting: Counting, limit: int, period_s: float, random: Random) -> Counter:
    match counting:
        case "fixed":
            return Fixed(limit, period_s, random.uniform(0, period_s))
        case "sliding":
            return Sliding(limit, period_s)
        case "bucket":
            return Bucket(limit, period_s)


@dataclass(slots=True)
class Limited:
    """A provider behind a counter. A request takes `trip_s` there and back, and its answer `latency_s` besides.

    `tells`: nothing, the wait of a refusal (`Retry-After`, in whole seconds), or its limits with every answer.
    """

    counter: Counter
    limit: int
    random: Random
    latency_s: float = 0.05
    trip_s: float = 0.01
    tells: Literal["nothing", "retry_after", "headers"] = "nothing"
    taken: int = 0
    refused: int = 0

    async def __call__(self, request: Request) -> Reply | Fault:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(self.trip_s / 2 * self.random.uniform(0.5, 1.5))
        takes = self.counter.take(clock())
        left, reset_s = self.counter.left(clock())
        told = (Allowance("requests", self.limit, left, reset_s),) if self.tells == "headers" else ()
        if not takes:
            self.refused += 1
            await asyncio.sleep(self.trip_s / 2 * self.random.uniform(0.5, 1.5))
            hint = float(-(-reset_s // 1)) if self.tells == "retry_after" else None
            fault = Fault(FaultKind.STATUS, "too many requests", status=429, retry_after_s=hint)
            fault.exchange = Exchange(0, told)
            return fault
        self.taken += 1
        await asyncio.sleep(self.latency_s * self.random.uniform(0.5, 1.5))
        return Reply("fine", "stop", Usage(10, 10), request.model, exchange=Exchange(4, told))
