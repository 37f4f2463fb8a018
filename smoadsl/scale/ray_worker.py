"""Ray worker, to work through groups of rows in one process of a cluster, which has connections and keys of its own.

It is the callable that Ray Data's actor pools are made of. Whatever it does for a row is kept by the desk.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import orjson

from smoadsl.adapters.base import Fault
from smoadsl.calls.keys import Unbound, bound_of
from smoadsl.calls.limits import Weight
from smoadsl.classes import dataclass
from smoadsl.plan.plan import routes_of
from smoadsl.scale.asking import Asking
from smoadsl.scale.hearing import Hearing
from smoadsl.scale.ledger import RowLedger
from smoadsl.scale.ray_desk import other_version
from smoadsl.scale.ray_line import Line
from smoadsl.scale.ray_order import Order
from smoadsl.scale.ray_rows import COLUMN, rows_of
from smoadsl.scale.records import Result
from smoadsl.scale.rows import Row
from smoadsl.scale.sharing import SharedSession
from smoadsl.scale.worst import Worst

_ASKS_EACH_S = 1.0  # whether it is to go on, while nothing is done


class Worker:
    """Made by Ray, with an `Order` as text."""

    def __init__(self, order: str) -> None:
        self._order = Order.model_validate_json(order)
        self._opening = asyncio.Lock()
        self._workplace: Workplace | None = None

    async def __call__(self, batch: Any) -> AsyncIterator[dict[str, list[int]]]:
        """Work through a table of groups; only how many rows there were goes back to Ray."""
        async with self._opening:
            if self._workplace is None:
                import ray

                self._workplace = await opened(self._order, ray.get_actor(self._order.desk))
        count = 0
        for group in batch[COLUMN].to_pylist():
            rows = rows_of(group)
            await self._workplace.work(rows)
            count += len(rows)
        yield {COLUMN: [count]}


class _Desk:
    """The desk, as a worker speaks to it."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self.quick = Line(self._send("say"))
        self.kept = Line(self._send("keep"))

    def _send(self, method: str) -> Any:
        async def send(said: bytes) -> bytes:
            reply: bytes = await getattr(self._actor, method).remote(said)
            return reply

        return send

    async def begin(self, row: Row, worst: Decimal) -> dict[str, Any]:
        said = orjson.dumps((row.number, row.digest.hex(), str(worst)))
        reply: dict[str, Any] = orjson.loads(await self._actor.begin.remote(said))
        return reply

    # ---- as the office that keeps the limits

    def lease(self, provider: str, model: str, weights: Sequence[Weight]) -> Awaitable[list[int]]:
        async def asked() -> list[int]:
            said = orjson.dumps((provider, model, [tuple(weight) for weight in weights]))
            numbers: list[int] = orjson.loads(await self._actor.lease.remote(said))
            return numbers

        return asked()

    def tell(self, *said: Any) -> None:
        self.quick.tell(*said)


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers to one row's calls, which the desk keeps."""

    desk: _Desk
    number: int

    async def find(self, key: bytes) -> tuple[str, str] | None:
        found: list[str] | None = await self.desk.quick.ask("find", key.hex())
        return None if found is None else (found[0], found[1])

    async def keep(self, key: bytes, reply: str, usd: str) -> None:
        await self.desk.kept.ask("keep", self.number, key.hex(), reply, usd)


class Workplace:
    """A worker that is ready. `stopped`: no row is to be begun any more."""

    def __init__(self, order: Order, desk: _Desk, session: SharedSession) -> None:
        self._order = order
        self._desk = desk
        self._session = session
        self._asking = Asking(order.plan, order.data, session, order.seed)
        self._worst = Worst(order.plan, order.data)
        self._at_once = asyncio.Semaphore(order.rows_at_once)
        self.stopped = False

    async def work(self, rows: Sequence[Row]) -> None:
        """Return once each of these rows has a result that is on the disk, or is not to be worked on any more."""
        async with asyncio.TaskGroup() as group:
            for row in rows:
                group.create_task(self._one(row))

    async def stop(self, why: str) -> None:
        self.stopped = True
        await self._desk.quick.ask("drain", why)

    async def leave(self) -> None:
        """Close all connections. Under Ray, the end of the process does."""
        await self._session.__aexit__(None, None, None)

    async def _one(self, row: Row) -> None:
        async with self._at_once:
            worst = self._worst.usd(row, self._order.most_usd)
            while not self.stopped:
                begun = await self._desk.begin(row, worst)
                if "salt" not in begun:
                    self.stopped = self.stopped or "stopped" in begun
                    return
                if await self._tried(row, int(begun["salt"]), bool(begun["new"])):
                    return
                await self._wait_out()

    async def _tried(self, row: Row, salt: int, new: bool) -> bool:
        """Whether the row has its result now; else it is to be begun again later, unless there is a reason to stop."""
        order = self._order
        kept = RowLedger(_Answers(self._desk, row.number), order.job, row, salt, order.seed, new, order.paces)
        hearing = Hearing(order.keeps_events)
        answers, error = await self._asking.ask(row, kept, hearing)
        took = str(hearing.usd), str(kept.paid_usd)
        result = hearing.result(kept.bought, answers, error)
        if (error or result.degraded) and await self._lacks(hearing):
            await self._desk.quick.ask("tried", row.number, *took)
            return False
        lines = hearing.lines()
        told = _text(result), lines.decode() if lines is not None else None
        await self._desk.kept.ask("end", row.number, *told, *took)
        return True

    async def _lacks(self, hearing: Hearing) -> bool:
        """Whether the row can have more, as with `Batch`. What is closed to us here stops all workers."""
        if (closed := self._asking.closed(hearing)) is not None:
            await self.stop(closed.message)
        return closed is not None or self._asking.is_paused(hearing)

    async def _wait_out(self) -> None:
        """Leave alone for so long who wants to be left alone, unless there is a reason to stop."""
        while not self.stopped and (pause_s := self._asking.pause_s()):
            await asyncio.sleep(min(pause_s, _ASKS_EACH_S))
            self.stopped = self.stopped or not await self._desk.quick.ask("going")


async def opened(order: Order, actor: Any) -> Workplace:
    """A worker's place. One that can not work here stops the whole run, and says why."""
    desk = _Desk(actor)
    allowed = frozenset(map(bound_of, order.allowed))
    session = SharedSession(order.plan.providers, os.environ, allowed, desk, order.workers)
    place = Workplace(order, desk, session)
    try:
        await session.__aenter__()
        session.check(route.provider for route in routes_of(order.plan))
        wrong = "" if order.reads_as_written else other_version(socket.gethostname())
    except Unbound as unbound:
        wrong = str(unbound)
    except Fault as fault:
        wrong = f"{fault.message}; it is looked up on each machine of the cluster, and {socket.gethostname()} has none"
    if wrong:
        await place.stop(wrong)
    return place


def _text(result: Result) -> str:
    return orjson.dumps(asdict(result)).decode()
