"""Batch, to put a pipeline to every row of a data set, so many at a time, and to keep what comes of each.

It stops early only where going on makes no sense: when it is told to, when money may not last for another row, when a
provider is closed to it, or when nothing succeeds any more. The same work taken up again goes on where it was.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

import orjson

from smoadsl.adapters.base import Fault, Message
from smoadsl.calls.caller import Caller
from smoadsl.calls.session import Session
from smoadsl.plan.bounds import bounds
from smoadsl.plan.plan import Plan
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.executor import Answer, RunError, execute
from smoadsl.scale.hearing import Hearing
from smoadsl.scale.ledger import Ledger, RowLedger
from smoadsl.scale.records import Result
from smoadsl.scale.rows import Data, Row
from smoadsl.scale.widest import widest

_MOST_FAILED_IN_A_ROW = 100
_NONE = (0, b"")  # stands for a row
_DIGITS_OF_USD = 12
_NONE = (0, b"")  # stands for a row
_DIGITS_OF_USD = 12
_PASSED_AT_ONCE = 10_000  # rows that have an answer


@dataclass(slots=True)
class Progress:
    """How far it is. `earlier`: rows that an earlier sitting had answered. `usd` has been spent by this one, on answers
    and on attempts that may be billed without one. `first_error` is of the row that failed first; `why` says why it
    stopped before the end."""

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
    _random: Random = field(init=False)
    _stopping: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _change: asyncio.Condition = field(init=False, default_factory=asyncio.Condition)
    _reserved: Decimal = field(init=False, default=Decimal(0))
    _worst_usd: dict[int, Decimal] = field(init=False, default_factory=dict)  # by the size of what is asked

    async def run(self) -> Progress:
        """Work until all rows have a result, or there is a reason to stop. Raises `LedgerError`, `Unfit`, `OSError`."""
        self._random = Random(self.settings.seed)
        self.ledger.expect(self.settings.concurrency * widest(self.plan.pipeline))
        await self.ledger.written()  # before the first is on its way
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
        self._stopping.set()

    def _open_rows(self) -> Iterator[Row | None]:
        """The rows that have no answer; None now and then, where others may have their turn."""
        answered = self.ledger.answered(self.job)
        done = next(answered, _NONE)
        for row in self.data.rows():
            while done[0] < row.number and done is not _NONE:
                done = next(answered, _NONE)
            if done != (row.number, row.digest):
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
        worst, again = self._worst(row), False
        while await self._admitted(worst):
            try:
                result = await self._result(row, again)
            finally:
                await self._release(worst)
            if result is not None:
                self._count(row, result)
                return
            await self._wait_out()
            again = True

    # ---- one row

    async def _result(self, row: Row, again: bool) -> Result | None:
        """What came of a row; None where it is to be tried again later: by this sitting, unless that has a reason to
        stop now."""
        kept = self.ledger.begin(self.job, row, self.settings.seed, again, self.settings.paces)
        hearing = Hearing(self.settings.keeps_events)
        answers: list[Answer] = []
        error = ""
        try:
            async for answer in self._turns(row, kept, hearing):
                answers.append(answer)
        except (RunError, ValueError) as failed:
            error, answers = str(failed), []
        finally:  # also where it is cut off: what was on its way may be billed
            self._spend(Decimal(str(round(hearing.totals.usd, _DIGITS_OF_USD))), kept)
        result = hearing.result(kept.bought, answers, error)
        if (error or result.degraded) and self._lacks(hearing.failed):
            return None
        self.ledger.end(kept, result, hearing.lines())
        return result

    async def _turns(self, row: Row, kept: RowLedger, hearing: Hearing) -> AsyncIterator[Answer]:
        """The answer to each turn of a row. Raises `RunError`, and `ValueError` where it is no row."""
        conversation, following = self.data.turns(row)
        yield (answer := await self._answer(conversation, kept, hearing))
        for turn in following:
            conversation = _going_on(conversation, answer.text, turn)
            yield (answer := await self._answer(conversation, kept, hearing))

    def _spend(self, usd: Decimal, kept: RowLedger) -> None:
        """Book what a row has cost beyond the answers that were kept."""
        self.progress.usd += max(usd, kept.paid_usd)
        if (lost := usd - round(kept.paid_usd, _DIGITS_OF_USD)) > 0:
            self.ledger.lost(lost)

    async def _answer(self, conversation: Conversation, kept: RowLedger, hearing: Hearing) -> Answer:
        caller = Caller(self.session, self._random, kept)
        return await execute(self.plan, conversation, caller, hearing.hear, self.settings.seed)

    def _count(self, row: Row, result: Result) -> None:
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

    async def _admitted(self, worst: Decimal) -> bool:
        """Whether a row may begin: the money lasts for the worst that it can cost, beside those under way."""
        most, progress = self.settings.most_usd, self.progress
        if most is None:
            return not progress.why
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

    async def _release(self, worst: Decimal) -> None:
        if self.settings.most_usd is not None:
            async with self._change:
                self._reserved -= worst
                self._change.notify_all()

    def _worst(self, row: Row) -> Decimal:
        """The most that a row can cost; 0 where nobody asks."""
        if self.settings.most_usd is None:
            return Decimal(0)
        try:
            conversation, following = self.data.turns(row)
        except ValueError:
            return Decimal(0)
        times = 1 + len(following)
        said = [conversation.messages, following, dict(conversation.input)]
        size = len(orjson.dumps(said, default=str)) // 2 + 1
        answers = bounds(self.plan, 1).output_tokens.worst if times > 1 else 0
        tokens = 1 << (size + (times - 1) * answers - 1).bit_length()  # few sizes have to be worked out
        if tokens not in self._worst_usd:
            money = bounds(self.plan, tokens).usd
            assert money is not None, "a limit in dollars needs prices"
            self._worst_usd[tokens] = money.worst
        return times * self._worst_usd[tokens]

    def _lacks(self, said: Sequence[str]) -> bool:
        """Whether calls failed as a provider is closed to us or wants to be left alone: with time, or once somebody has
        mended it, the row can have more. The first is a reason to stop."""

        def met(fault: Fault) -> bool:
            return any(words.startswith(fault.message) for words in said)

        if closed := next(filter(met, self.session.closed()), None):
            self.drain(closed.message)
        return closed is not None or any(met(fault) for fault, _ in self._paused())

    def _paused(self) -> list[tuple[Fault, float]]:
        return self.session.paused(asyncio.get_running_loop().time())

    async def _wait_out(self) -> None:
        """Leave alone for so long who wants to be left alone, unless there is a reason to stop."""
        while not self.progress.why and (paused := self._paused()):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), max(pause_s for _, pause_s in paused))


def _going_on(conversation: Conversation, answer: str, turn: str) -> Conversation:
    messages = (*conversation.messages, Message("assistant", answer), Message("user", turn))
    return Conversation(messages, conversation.input)
