"""Ray desk, to be the one place of a cluster where a run's ledger, limits and money are: an actor, beside its folder.

Workers say everything in JSON. What a worker is told has been kept is on the disk. A row that is begun a second time
was under way in a worker that died: what was bought for it is found again, what was on its way may be bought twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import orjson

from smoadsl.calls.limits import Weight
from smoadsl.calls.session import Session
from smoadsl.classes import dataclass
from smoadsl.scale.batch import Batch
from smoadsl.scale.ledger import Ledger, RowLedger, open_ledger
from smoadsl.scale.rates import Rates
from smoadsl.scale.ray_order import Order
from smoadsl.scale.records import read_result
from smoadsl.scale.rows import Row
from smoadsl.scale.schema import LedgerError
from smoadsl.scale.widest import widest


@dataclass(slots=True)
class _UnderWay:
    row: RowLedger
    worst: Decimal
    paid: Decimal = Decimal(0)


class Desk:
    """`open` it before anything else, from the loop that it works in."""

    def __init__(self, order: str) -> None:
        self._order = Order.model_validate_json(order)
        self._under_way: dict[int, _UnderWay] = {}
        self._begun: set[int] = set()  # and not ended: answers to their calls may be here
        self._ended: set[int] = set()  # not on the disk yet
        self._failed: set[int] = set()
        self._broke_off = 0
        self._fault = ""
        self._closed = False

    async def open(self) -> str:
        """Why the ledger can not be used, if it can not."""
        order = self._order
        if not order.reads_as_written:
            return other_version("the machine that the command runs on")
        try:
            self._ledger: Ledger = open_ledger(order.folder)
            nobody = Session({}, {})
            self._batch = Batch(order.plan, order.data, nobody, self._ledger, order.job, order.settings)
            self._rates = Rates(order.plan.providers)
            self._ledger.resume(order.job)
            self._ledger.expect(order.concurrency * widest(order.plan.pipeline))
            await self._ledger.written()  # before the first is on its way
        except LedgerError as error:
            return str(error)
        return ""

    async def close(self, ended: bool) -> bytes:
        """Let go of the ledger, and say how far it has come. `ended`: nothing is on its way any more."""
        if not self._closed:
            self._closed = True
            await self._ledger.close(ended and not self._fault)
        return await self.progress()

    async def progress(self) -> bytes:
        """How far it is; `under_way` rows are being worked on, `broke_off` were, in workers that died."""
        told = asdict(self._batch.progress) | {"usd": str(self._batch.progress.usd)}
        own = {"under_way": len(self._under_way), "broke_off": self._broke_off, "fault": self._fault}
        return orjson.dumps({"progress": told, **own})

    async def drain(self, why: str) -> None:
        self._batch.drain(why)

    async def is_going(self) -> bool:
        """Whether more rows are to be begun."""
        return not self._batch.progress.why

    # ---- what workers ask

    async def begin(self, said: bytes) -> bytes:
        """Whether a row is to be worked on: by the `salt` of it if so, else it is `done`, or none is to be any more.
        `new`: nothing was ever bought for it alone."""
        number, digest, worst = orjson.loads(said)
        row = Row(number, bytes.fromhex(digest), None, _unread)
        with self._telling():
            await self._given_up(number)
            if number in self._failed or number in self._ended or self._ledger.is_answered(self._order.job, row):
                return orjson.dumps({"done": True})
            if not await self._batch.admitted(Decimal(worst)):
                return orjson.dumps({"stopped": True})
            await self._given_up(number)  # whoever died may have waited here too
            kept = self._ledger.begin(self._order.job, row, self._order.seed, again=number in self._begun)
            self._begun.add(number)
            self._under_way[number] = _UnderWay(kept, Decimal(worst))
            return orjson.dumps({"salt": kept.salt, "new": kept.new})

    async def say(self, said: bytes) -> bytes:
        """What workers have to say, a reply to each."""
        with self._telling():
            return orjson.dumps([await self._said(*one) for one in orjson.loads(said)])

    async def keep(self, said: bytes) -> bytes:
        """The same, of what is to be kept: it is on the disk when this returns."""
        replies = await self.say(said)
        ended = self._ended.copy()
        with self._telling():
            await self._ledger.written()
        self._ended -= ended
        return replies

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What is wrong with the ledger ends the run, whose command is told."""
        try:
            yield
        except LedgerError as error:
            self._fault = self._fault or str(error)
            self._batch.drain(self._fault)
            raise

    async def lease(self, said: bytes) -> bytes:
        """How many of these requests may begin, once the first may: a number for each."""
        provider, model, weights = orjson.loads(said)
        return orjson.dumps(await self._rates.granted(provider, model, [Weight(*weight) for weight in weights]))

    async def _said(self, what: str, *told: Any) -> Any:
        match what:
            case "find":
                return await self._ledger.find(bytes.fromhex(told[0]))
            case "keep":
                self._keep(*told)
            case "end":
                await self._end(*told)
            case "tried":
                await self._tried(*told)
            case "drain":
                self._batch.drain(*told)
            case "going":
                return not self._batch.progress.why
            case "sent":
                self._rates.sent(*told)
            case "heard":
                self._rates.heard(*told)
            case "refused":
                self._rates.refused(*told)
            case "settle":
                self._rates.settle(*told)
            case _:
                raise AssertionError(what)
        return None

    def _keep(self, number: int, key: str, reply: str, usd: str) -> None:
        self._ledger.note(bytes.fromhex(key), reply, usd)
        if number in self._under_way:
            self._under_way[number].paid += Decimal(usd)

    async def _end(self, number: int, result: str, events: str | None, usd: str, paid: str) -> None:
        """A row has its result, which took so much, of which so much was paid for answers."""
        if (row := self._under_way.pop(number, None)) is None:
            return
        came = read_result(result)
        if came.error:
            self._failed.add(number)
        self._ended.add(number)
        self._begun.discard(number)
        self._batch.spend(Decimal(usd), Decimal(paid))
        self._ledger.end(row.row, came, events.encode() if events is not None else None)
        self._batch.count(row.row.row, came)
        await self._batch.release(row.worst)

    async def _tried(self, number: int, usd: str, paid: str) -> None:
        """A row has none, which took so much. It may be begun again."""
        if (row := self._under_way.pop(number, None)) is not None:
            self._batch.spend(Decimal(usd), Decimal(paid))
            await self._batch.release(row.worst)

    async def _given_up(self, number: int) -> None:
        """If a worker died over this row, it counts under a limit for all that it can have cost."""
        if (broken := self._under_way.pop(number, None)) is not None:
            self._broke_off += 1
            self._batch.spend(max(broken.worst, broken.paid), broken.paid)
            await self._batch.release(broken.worst)


def other_version(where: str) -> str:
    """What is said where a process takes the plan for another."""
    return f"{where} has another smoadsl than this one: install the same on all machines of the cluster"


def _unread(number: int, content: Any) -> Any:
    raise AssertionError("a desk reads no rows")
