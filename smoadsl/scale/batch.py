"""Batch, to put a pipeline to every row of a data set, so many at a time, and to keep what comes of each.

It stops early only where going on makes no sense: when it is told to, when money may not last for another row, when a
provider is closed to it, or when nothing succeeds any more. The same work taken up again goes on where it was.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from smoadsl.calls.session import Session
from smoadsl.plan.plan import Plan
from smoadsl.scale.asking import Asking
from smoadsl.scale.hearing import Hearing
from smoadsl.scale.ledger import Ledger
from smoadsl.scale.records import Result
from smoadsl.scale.rows import Data, Row
from smoadsl.scale.widest import widest
from smoadsl.scale.worst import Worst

_MOST_FAILED_IN_A_ROW = 100
_WAITS_AT_A_TIME_S = 60.0


@dataclass(slots=True)
class Progress:
    """How far it is. `earlier`: rows that an earlier sitting had answered. `usd` has been spent by this one, on answers
    and on attempts that may be billed without one. `why` says why it stopped before the end."""

    earlier: int = 0
    answered: int = 0
    failed: int = 0
    degraded: int = 0
    calls: int = 0
    tokens: int = 0
    usd: Decimal = Decimal(0)
    failed_in_a_row: int = 0
    why: str = ""

    @property
    def rows(self) -> int:
        return self.earlier + self.answered + self.failed


@dataclass(frozen=True, slots=True)
class Settings:
    """`concurrency` rows at a time. `most_usd` is not passed by what this sitting spends. `keeps_events`: what happened
    in each row is kept beside its result. `strict`: the first row without an answer ends it."""

    concurrency: int = 32
    seed: int = 0
    most_usd: Decimal | None = None
    keeps_events: bool = False
    strict: bool = False

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
    _change: asyncio.Condition = field(init=False, default_factory=asyncio.Condition)
    _reserved: Decimal = field(init=False, default=Decimal(0))
    _asking: Asking = field(init=False)
    _worst: Worst = field(init=False)

    def __post_init__(self) -> None:
        self._asking = Asking(self.plan, self.data, self.session, self.settings.seed)
        self._worst = Worst(self.plan)

    async def run(self) -> Progress:
        """Work until all rows have a result, or there is a reason to stop. Raises `LedgerError`, `Unfit`, `OSError`."""
        self.ledger.expect(self.settings.concurrency * widest(self.plan.pipeline))
        rows = self._open_rows()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.settings.concurrency):
                    group.create_task(self._work(rows))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        await self.ledger.written()
        return self.progress

    def drain(self, why: str) -> None:
        self.progress.why = self.progress.why or why

    def _open_rows(self) -> Iterator[Row]:
        answered = self.ledger.answered(self.job)
        done = next(answered, None)
        for row in self.data.rows():
            if row.number == done:
                done = next(answered, None)
                self.progress.earlier += 1
            else:
                yield row

    async def _work(self, rows: Iterator[Row]) -> None:
        for row in rows:
            worst = self._worst.usd(row) if self.settings.most_usd is not None else Decimal(0)
            if self.progress.why or not await self.admitted(worst):
                return
            try:
                result = await self._result(row)
                while result is None and not self.progress.why:
                    self.ledger.knows = True  # what was bought for the row is not bought again
                    await asyncio.sleep(self._pause_s())
                    result = await self._result(row)
            finally:
                await self.release(worst)
            if result is not None:
                self.count(row, result)

    # ---- one row

    async def _result(self, row: Row) -> Result | None:
        """What came of a row; None where it is to be tried again later: by this sitting, unless that has a reason to
        stop now."""
        kept = self.ledger.begin(self.job, row, self.settings.seed)
        hearing = Hearing(self.settings.keeps_events)
        answers, error = await self._asking.ask(row, kept, hearing)
        self.spend(Decimal(str(hearing.totals.usd)), kept.paid_usd)
        if error and (self._is_closed_to_us() or self._pause_s() > 0):
            return None
        result = hearing.result(kept.bought, answers, error)
        self.ledger.end(kept, result, hearing.lines())
        return result

    def spend(self, usd: Decimal, paid_usd: Decimal) -> None:
        """A row took so much; what the ledger has no answers for was paid for nothing."""
        self.progress.usd += usd
        if usd > paid_usd:
            self.ledger.lost(usd - paid_usd)

    def count(self, row: Row, result: Result) -> None:
        progress = self.progress
        progress.calls += result.calls
        progress.tokens += result.input_tokens + result.output_tokens
        progress.degraded += bool(result.degraded)
        if result.error:
            progress.failed += 1
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
            return True
        async with self._change:
            while not progress.why and progress.usd + self._reserved + worst > most and self._reserved:
                await self._change.wait()
            if not progress.why and progress.usd + self._reserved + worst > most:
                left = most - progress.usd
                self.drain(f"${left:.4f} of the money is left, and the next row may cost ${worst:.4f} at worst")
            if progress.why:
                return False
            self._reserved += worst
            return True

    async def release(self, worst: Decimal) -> None:
        async with self._change:
            self._reserved -= worst
            self._change.notify_all()

    def _is_closed_to_us(self) -> bool:
        if (fault := self.session.closed()) is None:
            return False
        self.drain(fault.message)
        return True

    def _pause_s(self) -> float:
        """How long a provider wants to be left alone that told so, at most a while at a time."""
        return min(self.session.pause_s(asyncio.get_running_loop().time()), _WAITS_AT_A_TIME_S)
