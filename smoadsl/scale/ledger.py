"""Ledger, to lose nothing that was paid for: every answer of a model, and every row's result, in a file of the run.

An answer is acknowledged once it is on the disk, and only then read by anybody. The file is SQLite with a write-ahead
log, and belongs to one process at a time.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import orjson

from smoadsl.adapters.base import Reply, Request
from smoadsl.calls.cache import is_sampled
from smoadsl.calls.route import Provider, Route
from smoadsl.classes import dataclass
from smoadsl.scale.lock import Lock
from smoadsl.scale.records import Books, Bought, Job, Result, read_reply, read_result, written_reply
from smoadsl.scale.rows import Row
from smoadsl.scale.schema import LedgerError, checked, connected, damaged, telling
from smoadsl.scale.writer import Writer

_KEEP_CALL = "INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?)"
_BEGIN_ROW = "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, 0)"
_END_ROW = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)"
_RESULT = "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)"
_COUNT = "UPDATE sittings SET in_flight = max(in_flight, ?), answers = answers + ?, usd = ? WHERE id = ?"
_STAKE = "UPDATE sittings SET at_stake = ? WHERE id = ?"
_END_SITTING = "UPDATE sittings SET ended = 1 WHERE id = ?"
_NEXT_SALTS = 1 << 40  # rows that are new in changed data draw apart from all that were there before
_FILE = "ledger.sqlite3"
_READ_AT_ONCE = 10_000
_KEY_BYTES = 16
_BEGUN, _ANSWERED, _FAILED = range(3)


class Ledger:
    """Open in one process. Made by `open_ledger`, within a running loop."""

    def __init__(self, path: Path, lock: Lock, here: bool) -> None:
        self.path = path
        self._lock = lock
        self._file = connected(path)
        self._sitting = self._one("SELECT coalesce(max(id), 0) + 1 FROM sittings")
        self._usd = Decimal(0)
        self._file.execute("INSERT INTO sittings VALUES (?, 0, 0, 0, '0', '0')", (self._sitting,))
        self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the file itself says that a sitting has begun
        self._new: set[int] = set()  # jobs of which nothing was here when they were resumed, nor of any other
        self._writer = Writer(str(path), lambda: connected(path), here)

    async def end_sitting(self) -> None:
        """Nothing is on its way any more, and nothing can be lost from now on."""
        self._writer.write(_END_SITTING, self._sitting)
        await self.written()

    async def close(self, ended: bool = True) -> None:
        """Write what is left, and let others in. `ended`: nothing was on its way any more, and all could be written."""
        try:
            if ended:
                self._writer.write(_END_SITTING, self._sitting)
        finally:
            await self._writer.close()
            recorded = False
            with suppress(sqlite3.Error):
                recorded = bool(self._one("SELECT ended FROM sittings WHERE id = ?", self._sitting))
            self._file.close()
            if not recorded:  # its absence would say that somebody took it away
                with suppress(OSError):
                    self.path.with_name(f"{self.path.name}-wal").touch()
            self._lock.release()

    # ---- jobs

    def changes(self, job: Job) -> list[str]:
        """What is not as it was when the job was last worked on, as the ends of sentences."""
        was = self._all("SELECT plan, data, seed FROM jobs WHERE name = ?", job.name)
        if not was:
            return []
        now = ("the pipeline", job.plan), ("the data", job.data), ("the seed", job.seed)
        return [what for (what, is_), before in zip(now, was[0], strict=True) if is_ != before]

    def take_on(self, job: Job, rows: Iterable[Row]) -> int:
        """The number of a job, its record brought to what it is now. `rows` are read only where the data changed: a row
        that is still there keeps what it has, wherever it stands now."""
        with telling(self.path):
            self._file.execute("BEGIN IMMEDIATE")
            try:
                number = self._taken_on(job, rows)
            except BaseException:
                self._file.rollback()
                raise
            self._file.execute("COMMIT")
        self.resume(number)
        return number

    def resume(self, job: int) -> None:
        """Go on with a job that was taken on: whether anything is to be looked for is known from here on."""
        with telling(self.path):
            old = self._one("SELECT EXISTS (SELECT 1 FROM calls) OR EXISTS (SELECT 1 FROM rows WHERE job = ?)", job)
        (self._new.discard if old else self._new.add)(job)

    def _taken_on(self, job: Job, rows: Iterable[Row]) -> int:
        changed = self.changes(job)
        self._file.execute("INSERT OR IGNORE INTO jobs (name) VALUES (?)", (job.name,))
        number = self.job(job.name)
        values = (job.plan, job.data, job.seed, number)
        self._file.execute("UPDATE jobs SET plan = ?, data = ?, seed = ? WHERE id = ?", values)
        if "the data" in changed:
            self._carry_over(number, rows)
        if "the pipeline" in changed or "the seed" in changed:
            self._file.execute("UPDATE rows SET state = 0 WHERE job = ?", (number,))
            self._file.execute("DELETE FROM results WHERE job = ?", (number,))
        return number

    def _carry_over(self, job: int, rows: Iterable[Row]) -> None:
        """Give each row the record of one that was the same: each record once, and of equals the first to the first."""
        do = self._file.execute
        salts = self._one("SELECT coalesce(max(salt), 0) FROM rows WHERE job = ?", job) // _NEXT_SALTS + 1
        do("CREATE TEMP TABLE was AS SELECT digest, salt, state FROM rows WHERE job = ? ORDER BY number", (job,))
        do("CREATE INDEX temp.was_digest ON was (digest)")
        do("DELETE FROM rows WHERE job = ?", (job,))
        for row in rows:
            find = "SELECT rowid, salt, state FROM was WHERE digest = ? ORDER BY rowid LIMIT 1"
            found = do(find, (row.digest,)).fetchone()
            if found is not None:
                do("DELETE FROM was WHERE rowid = ?", found[:1])
            new = (row.number + salts * _NEXT_SALTS, _BEGUN) if found is None else found[1:]
            do(_END_ROW, (job, row.number, row.digest, *new))
        do("DELETE FROM results WHERE job = ? AND salt IN (SELECT salt FROM was)", (job,))
        do("DROP TABLE was")

    def job(self, name: str) -> int:
        """The number of a job that was taken on."""
        return int(self._one("SELECT id FROM jobs WHERE name = ?", name))

    def answered(self, job: int) -> Iterator[tuple[int, bytes]]:
        """The numbers and digests of the rows that have an answer, in order. Nothing is held open between them: who
        goes on reading sees nothing new, and the log could not be taken in."""
        query = (
            f"SELECT number, digest FROM rows WHERE job = ? AND state = {_ANSWERED} AND number > ? "
            f"ORDER BY number LIMIT {_READ_AT_ONCE}"
        )
        last = 0
        while found := self._all(query, job, last):
            yield from found
            last = found[-1][0]

    def is_answered(self, job: int, row: Row) -> bool:
        """Whether a row has an answer, as far as it is written."""
        query = f"SELECT 1 FROM rows WHERE job = ? AND number = ? AND digest = ? AND state = {_ANSWERED}"
        return bool(self._all(query, job, row.number, row.digest))

    def results(self, job: int) -> Iterator[tuple[int, bytes, Result]]:
        """What came of each row, in the order of the rows, and the digest of the row that it was."""
        for number, digest, text, crc in self._of_rows("digest, result, results.crc", job):
            if crc32(text.encode()) != crc:
                raise damaged(self.path, f"the result of row {number} is not as it was written")
            yield number, digest, read_result(text)

    def events(self, job: int) -> Iterator[tuple[int, bytes]]:
        """The events that were kept of each row, as they were handed over."""
        return ((number, events) for number, events in self._of_rows("events", job) if events is not None)

    def _of_rows(self, what: str, job: int) -> Iterator[tuple[Any, ...]]:
        joined = "rows JOIN results USING (job, salt) WHERE job = ? ORDER BY number"
        with telling(self.path):
            for found in self._file.execute(f"SELECT number, {what} FROM {joined}", (job,)):
                yield tuple(found)  # `yield from` would want the file also of who stops reading, once it is closed

    # ---- rows and calls

    def begin(self, job: int, row: Row, seed: int, again: bool = False, paces: bool = False) -> "RowLedger":
        """A row is begun: who makes its calls asks here first, and has them kept here. `again`: it was begun before, by
        this sitting."""
        new = job in self._new
        found = [] if new else self._all("SELECT salt FROM rows WHERE job = ? AND number = ?", job, row.number)
        salt = int(found[0][0]) if found else row.number
        self._writer.write(_BEGIN_ROW, job, row.number, row.digest, salt)
        return RowLedger(self, job, row, salt, seed, new and not again, paces)

    def end(self, row: "RowLedger", result: Result, events: bytes | None) -> None:
        text = orjson.dumps(result)
        state = _FAILED if result.error else _ANSWERED
        self._writer.write(_END_ROW, row.job, row.row.number, row.row.digest, row.salt, state)
        self._writer.write(_RESULT, row.job, row.salt, text.decode(), crc32(text), events)

    async def written(self) -> None:
        """Return once all that was handed over is on the disk. Raises `LedgerError`."""
        await self._writer.written()

    def expect(self, in_flight: int) -> None:
        """So many calls may be under way at once from now on."""
        self._writer.write(_COUNT, in_flight, 0, str(self._usd), self._sitting)

    def stake(self, usd: Decimal) -> None:
        """The rows that are under way from now on can cost so much, beyond what is counted."""
        self._writer.write(_STAKE, str(usd), self._sitting)

    async def find(self, key: bytes) -> tuple[str, str] | None:
        """An answer that is here, as it was written down, and what it cost. Raises `LedgerError`."""
        if not (found := self._all("SELECT reply, usd, crc FROM calls WHERE key = ?", key)):
            return None
        reply, usd, crc = found[0]
        if not isinstance(reply, str) or crc32(reply.encode()) != crc:
            raise damaged(self.path, "an answer in it is not as it was written")
        return reply, usd

    async def keep(self, key: bytes, reply: str, usd: str) -> None:
        """Return once the answer is safe. Raises `LedgerError`."""
        self.note(key, reply, usd)
        await self.written()

    def note(self, key: bytes, reply: str, usd: str) -> None:
        """Hand an answer over. It is safe once `written` returns."""
        self._usd += Decimal(usd)
        self._writer.write(_KEEP_CALL, key, reply, usd, crc32(reply.encode()))
        self._writer.write(_COUNT, 0, 1, str(self._usd), self._sitting)

    def lost(self, usd: Decimal) -> None:
        """So much may have been billed for attempts that brought no answer."""
        self._usd += usd
        self._writer.write(_COUNT, 0, 0, str(self._usd), self._sitting)

    def books(self) -> Books:
        """What was bought until now, as far as it is written."""
        answers, usd = self._all("SELECT coalesce(sum(answers), 0), group_concat(usd) FROM sittings")[0]
        broke_off = "FROM sittings WHERE NOT ended AND id != ?"
        query = f"SELECT count(*), coalesce(sum(in_flight), 0), group_concat(at_stake) {broke_off}"
        broken, in_flight, at_stake = self._all(query, self._sitting)[0]
        return Books(answers, _sum(usd), broken, in_flight, _sum(at_stake))

    def _one(self, query: str, *values: Any) -> Any:
        return self._file.execute(query, values).fetchone()[0]

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with telling(self.path):
            return self._file.execute(query, values).fetchall()


def _sum(amounts: str | None) -> Decimal:
    """Of dollars in a list; SQLite's own sum would round."""
    return sum(map(Decimal, (amounts or "0").split(",")), Decimal(0))


class Answers(Protocol):
    """Where the answers to calls are kept, as they are written down: each with what it cost."""

    async def find(self, key: bytes) -> tuple[str, str] | None: ...

    async def keep(self, key: bytes, reply: str, usd: str) -> None: ...


@dataclass(slots=True)
class RowLedger:
    """One row's part of a ledger: a `Kept` for the caller. Calls that draw by chance are the row's own; those that do
    not are answered once for all rows."""

    ledger: Answers
    job: int
    row: Row
    salt: int
    seed: int
    new: bool  # nothing was ever bought for it alone
    paces: bool = False
    bought: Bought = field(default_factory=Bought)
    paid_usd: Decimal = Decimal(0)
    _begun: dict[bytes, float] = field(default_factory=dict)

    async def find(self, provider: Provider, route: Route, request: Request, sample: str) -> Reply | None:
        key = self._key(provider, route, request, sample)
        known_to_be_new = self.new and is_sampled(route)
        found = None if known_to_be_new else await self.ledger.find(key)
        if found is None:
            self._begun[key] = asyncio.get_running_loop().time()
            return None
        reply, took_s = read_reply(found[0])
        self.bought.input_tokens += reply.usage.input_tokens
        self.bought.output_tokens += reply.usage.output_tokens
        self.bought.usd += Decimal(found[1])
        if self.paces:
            await asyncio.sleep(took_s)
        return reply

    async def keep(
        self, provider: Provider, route: Route, request: Request, sample: str, reply: Reply, by: Route
    ) -> None:
        """A fallback's answer too is the call's, and not bought again."""
        usd = by.price.of(reply.usage) if by.price else Decimal(0)
        self.paid_usd += usd
        key, now = self._key(provider, route, request, sample), asyncio.get_running_loop().time()
        await self.ledger.keep(key, written_reply(reply, now - self._begun.pop(key, now)), str(usd))

    def _key(self, provider: Provider, route: Route, request: Request, sample: str) -> bytes:
        """Of all that decides the answer. Whose key pays for it and what it falls back to do not."""
        which = [self.salt, self.seed, sample] if is_sampled(route) else []
        asked = [request.messages, request.schema, request.model, request.sampling, request.n, *request.given.items()]
        where = [provider.adapter, provider.base_url, route.length]
        return hashlib.sha256(orjson.dumps([asked, where, which], option=orjson.OPT_SORT_KEYS)).digest()[:_KEY_BYTES]


def open_ledger(folder: Path, here: bool = False) -> Ledger:
    """The ledger in a run's folder, which is made where there is none. Raises `LedgerError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(folder / "lock")
    except OSError as error:
        raise LedgerError(f"{folder} can not be used: {error.strerror or error}") from None
    if not lock.taken:
        raise LedgerError(f"{folder} is in use: another process works on this run; let it end, or stop it")
    path = folder / _FILE
    try:
        with telling(path):
            return Ledger(checked(path), lock, here)
    except OSError as error:
        lock.release()
        raise LedgerError(f"{path} can not be used: {error.strerror or error}") from None
    except LedgerError:
        lock.release()
        raise
