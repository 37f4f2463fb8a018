"""Batch, to put a pipeline to every row of a data set, so many at a time, and to keep what comes of each.

It stops early only where going on makes no sense: when it is told to, when money may not last for another row, when a
provider is closed to it, or when nothing succeeds any more. The same work taken up again goes on where it was.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import field, replace
from decimal import Decimal

from smoadsl.calls.session import Session
from smoadsl.classes import dataclass
from smoadsl.plan.plan import Plan
from smoadsl.scale.asking import Asking
from smoadsl.scale.hearing import DIGITS_OF_USD, Hearing
from smoadsl.scale.ledger import Ledger
from smoadsl.scale.records import Result
from smoadsl.scale.rows import Data, Row
from smoadsl.scale.schema import LedgerError
from smoadsl.scale.widest import widest
from smoadsl.scale.worst import Worst

_MOST_FAILED_IN_A_ROW = 100
_PASSED_AT_ONCE = 10_000  # rows that have an answer


@dataclass(slots=True)
class Progress:
    """How far it is. `earlier`: rows that an earlier sitting had answered. `usd` has been spent by this one, on answers
    and on attempts that may be billed without one. `first_error` is of the row that failed first; `why` says why it
    stopped before the end, and `wants_usd` that it was for the limit of money."""

    earlier: int = 0
    answered: int = 0
    failed: int = 0
    degraded: int = 0
    calls: int = 0
    tokens: int = 0
    usd: Decimal = Decimal(0)
    failed_in_a_row: int = 0
    first_error: str = ""
    why: str = ""
    wants_usd: bool = False

    @property
    def rows(self) -> int:
        return self.earlier + self.answered + self.failed


@dataclass(frozen=True, slots=True)
class Settings:
    """`concurrency` rows at a time. `most_usd` is not passed by what this sitting spends. `keeps_events`: what happened
    in each row is kept beside its result. `strict`: the first row without an answer ends it. `paces`: answers that are
    found take as long as they took when they were made, so that a row's time is its own whoever paid for its calls."""

    concurrency: int = 32
    seed: int = 0
    most_usd: Decimal | None = None
    keeps_events: bool = False
    strict: bool = False
    paces: bool = False

    def with_usd(self, most_usd: Decimal) -> "Settings":
        return replace(self, most_usd=most_usd)


@dataclass(slots=True)
class Batch:
    """One sitting: `run` it once. `drain` lets the rows under way come to their end and begins no other."""

    plan: Plan
    data: Data
    session: Session
    ledger: Ledger
    job: int
    settings: Settings
    on_progress: Callable[[Progress], None] = lambda _: None
    progress: Progress = field(default_factory=Progress)
    _stopping: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _change: asyncio.Condition = field(init=False, default_factory=asyncio.Condition)
    _reserved: Decimal = field(init=False, default=Decimal(0))  # for the rows under way
    _staked: Decimal = field(init=False, default=Decimal(0))  # the most of that, as the ledger was told
    _safe: Decimal = field(init=False, default=Decimal(0))  # and as it is on the disk
    _asking: Asking = field(init=False)
    _worst: Worst = field(init=False)

    def __post_init__(self) -> None:
        self._asking = Asking(self.plan, self.data, self.session, self.settings.seed)
        self._worst = Worst(self.plan, self.data)

    async def run(self) -> Progress:
        """Work until all rows have a result, or there is a reason to stop. Raises `LedgerError`, `Unfit`, `OSError`."""
        self.ledger.expect(self.settings.concurrency * widest(self.plan.pipeline))
        await self.ledger.written()  # before the first is on its way
        rows = self._open_rows()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.settings.concurrency):
                    group.create_task(self._work(rows))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            with suppress(LedgerError):  # what can not be written is known
                self.ledger.stake(Decimal(0))  # whatever was cut off is booked
        await self.ledger.written()
        return self.progress

    def drain(self, why: str) -> None:
        self.progress.why = self.progress.why or why
        self._stopping.set()

    def _open_rows(self) -> Iterator[Row | None]:
        """The rows that have no answer; None now and then, where others may have their turn."""
        for row, is_answered in self.data.beside(self.ledger.answered(self.job)):
            if not is_answered:
                yield row
                continue
            self.progress.earlier += 1
            if self.progress.earlier % _PASSED_AT_ONCE == 0:
                yield None

    async def _work(self, rows: Iterator[Row | None]) -> None:
        for row in rows:
            if row is None:
                await asyncio.sleep(0)
            elif not self.progress.why:
                await self._try(row)
            if self.progress.why:
                return

    async def _try(self, row: Row) -> None:
        """Have a result of a row, unless there is a reason to stop before."""
        worst, again = self._worst.usd(row, self.settings.most_usd), False
        while await self.admitted(worst):
            try:
                result = await self._result(row, again)
            finally:
                await self.release(worst)
            if result is not None:
                self.count(row, result)
                return
            await self._wait_out()
            again = True

    # ---- one row

    async def _result(self, row: Row, again: bool) -> Result | None:
        """What came of a row; None where it is to be tried again later: by this sitting, unless that has a reason to
        stop now."""
        kept = self.ledger.begin(self.job, row, self.settings.seed, again, self.settings.paces)
        hearing = Hearing(self.settings.keeps_events)
        try:
            answers, error = await self._asking.ask(row, kept, hearing)
        finally:  # also where it is cut off: what was on its way may be billed
            self.spend(hearing.usd, kept.paid_usd)
        result = hearing.result(kept.bought, answers, error)
        if (error or result.degraded) and self._lacks(hearing):
            return None
        self.ledger.end(kept, result, hearing.lines())
        return result

    def _lacks(self, hearing: Hearing) -> bool:
        """Whether the row can have more: with time, or once somebody has mended what is closed to us. That is a reason
        to stop."""
        if (closed := self._asking.closed(hearing)) is not None:
            self.drain(closed.message)
        return closed is not None or self._asking.is_paused(hearing)

    def spend(self, usd: Decimal, paid_usd: Decimal) -> None:
        """Book what a row has cost beyond the answers that were kept, which were paid for already."""
        self.progress.usd += max(usd, paid_usd)
        if (lost := usd - round(paid_usd, DIGITS_OF_USD)) > 0:
            self.ledger.lost(lost)

    def count(self, row: Row, result: Result) -> None:
        progress = self.progress
        progress.calls += result.calls
        progress.tokens += result.input_tokens + result.output_tokens
        progress.degraded += bool(result.degraded)
        if result.error:
            progress.failed += 1
            progress.first_error = progress.first_error or f"row {row.number}: {result.error}"
            progress.failed_in_a_row += bool(result.calls)  # a row that is no question says nothing of the others
            if self.settings.strict:
                self.drain(f"row {row.number} has no answer, and --strict was given: {result.error}")
            elif progress.failed_in_a_row >= _MOST_FAILED_IN_A_ROW:
                self.drain(f"{_MOST_FAILED_IN_A_ROW} rows one after the other had no answer; the last: {result.error}")
        else:
            progress.answered += 1
            progress.failed_in_a_row = 0
        self.on_progress(progress)

    # ---- whether to go on

    async def admitted(self, worst: Decimal) -> bool:
        """Whether a row may begin: the money lasts for the worst that it can cost, beside those under way."""
        most, progress = self.settings.most_usd, self.progress
        if most is None:
            return not progress.why
        async with self._change:
            while not progress.why and progress.usd + self._reserved + worst > most and self._reserved:
                await self._change.wait()
            if not progress.why and progress.usd + self._reserved + worst > most:
                left, progress.wants_usd = most - progress.usd, True
                self.drain(f"${left:.4f} of the money is left, and the next row may cost ${worst:.4f} at worst")
            if progress.why:
                return False
            self._reserved += worst
        await self._stake()
        return True

    async def _stake(self) -> None:
        """What a row can cost is on the disk before it can cost anything: so the limit holds where we are killed."""
        if self._reserved > self._staked:
            self._staked = self._reserved
            self.ledger.stake(self._staked)
        if self._reserved > self._safe:
            staked = self._staked
            await self.ledger.written()
            self._safe = max(self._safe, staked)

    async def release(self, worst: Decimal) -> None:
        if self.settings.most_usd is not None:
            async with self._change:
                self._reserved -= worst
                self._change.notify_all()

    async def _wait_out(self) -> None:
        """Leave alone for so long who wants to be left alone, unless there is a reason to stop."""
        while not self.progress.why and (pause_s := self._asking.pause_s()):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
