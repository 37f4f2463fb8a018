"""Ledger, to lose nothing that was paid for: every answer of a model, and every row's result, in a file of the run.

An answer is acknowledged once it is on the disk, and only then read by anybody. The file is SQLite with a write-ahead
log, and belongs to one process at a time.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import orjson
from pydantic import ValidationError

from smoadsl.adapters.base import Connection, Reply, Request
from smoadsl.adapters.tape import TapedReply, taped, untaped
from smoadsl.calls.cache import is_sampled
from smoadsl.calls.route import Provider, Route
from smoadsl.scale.lock import Lock
from smoadsl.scale.records import Books, Bought, Job, Result, read_result
from smoadsl.scale.rows import Row
from smoadsl.scale.schema import LedgerError, checked, connected
from smoadsl.scale.writer import NotWritten, Writer

_KEEP_CALL = "INSERT OR IGNORE INTO calls VALUES (?, ?, ?)"
_BEGIN_ROW = "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, 0)"
_END_ROW = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)"
_RESULT = "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)"
_COUNT = "UPDATE sittings SET in_flight = max(in_flight, ?), answers = answers + ?, usd = ? WHERE id = ?"
_NEXT_SALTS = 1 << 40  # rows that are new in changed data draw apart from all that were there before
_NOBODY = Connection("")  # adapters have taken keys out of what they hand on
_FILE = "ledger.sqlite3"
_BEGUN, _ANSWERED, _FAILED = range(3)


class Ledger:
    """Open in one process. Made by `open_ledger`, within a running loop. `knows`: there may be answers to calls that
    are yet to be made, so that it is worth looking."""

    def __init__(self, path: Path, lock: Lock, here: bool) -> None:
        self.path = path
        self._lock = lock
        self._file = connected(path)
        self._sitting = self._one("SELECT coalesce(max(id), 0) + 1 FROM sittings")
        self._usd = Decimal(0)
        self._file.execute("INSERT INTO sittings VALUES (?, 0, 0, 0, '0')", (self._sitting,))
        self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the file itself says that a sitting has begun
        self.knows = bool(self._one("SELECT count(*) FROM (SELECT 1 FROM calls LIMIT 1)"))
        self._writer = Writer(lambda: connected(path), here)

    async def close(self, ended: bool = True) -> None:
        """Write what is left, and let others in. `ended`: nothing was on its way any more, and all could be written."""
        if ended:
            self._writer.write("UPDATE sittings SET ended = 1 WHERE id = ?", self._sitting)
        await self._writer.close()
        self._file.close()
        if not ended:  # its absence would say that somebody took it away
            self.path.with_name(f"{self.path.name}-wal").touch()
        self._lock.release()

    # ---- jobs

    def changes(self, job: Job) -> list[str]:
        """What is not as it was when the job was last worked on, as the ends of sentences."""
        was = self._file.execute("SELECT plan, data, seed FROM jobs WHERE name = ?", (job.name,)).fetchone()
        if was is None:
            return []
        now = ("the pipeline", job.plan), ("the data", job.data), ("the seed", job.seed)
        return [what for (what, is_), before in zip(now, was, strict=True) if is_ != before]

    def take_on(self, job: Job, rows: Iterable[Row]) -> int:
        """The number of a job, its record brought to what it is now. `rows` are read only where the data changed: a row
        that is still there keeps what it has, wherever it stands now."""
        changed = self.changes(job)
        self.knows = self.knows or bool(self._one("SELECT count(*) FROM jobs WHERE name <> ?", job.name))
        self._file.execute("BEGIN IMMEDIATE")
        self._file.execute("INSERT OR IGNORE INTO jobs (name) VALUES (?)", (job.name,))
        number = self.job(job.name)
        values = (job.plan, job.data, job.seed, number)
        self._file.execute("UPDATE jobs SET plan = ?, data = ?, seed = ? WHERE id = ?", values)
        if "the data" in changed:
            self._carry_over(number, rows)
        if "the pipeline" in changed or "the seed" in changed:
            self._file.execute("UPDATE rows SET state = 0 WHERE job = ?", (number,))
            self._file.execute("DELETE FROM results WHERE job = ?", (number,))
        self._file.execute("COMMIT")
        return number

    def _carry_over(self, job: int, rows: Iterable[Row]) -> None:
        do = self._file.execute
        salts = self._one("SELECT coalesce(max(salt), 0) FROM rows WHERE job = ?", job) // _NEXT_SALTS + 1
        do("CREATE TEMP TABLE was AS SELECT * FROM rows WHERE job = ?", (job,))
        do("CREATE INDEX temp.was_digest ON was (digest, number)")
        do("DELETE FROM rows WHERE job = ?", (job,))
        for row in rows:
            find = "SELECT number, salt, state FROM was WHERE digest = ? ORDER BY number LIMIT 1"
            found = do(find, (row.digest,)).fetchone()
            if found is not None:
                do("DELETE FROM was WHERE number = ?", found[:1])
            new = (row.number + salts * _NEXT_SALTS, _BEGUN) if found is None else found[1:]
            do(_END_ROW, (job, row.number, row.digest, *new))
        do("DELETE FROM results WHERE job = ? AND salt IN (SELECT salt FROM was)", (job,))
        do("DROP TABLE was")

    def job(self, name: str) -> int:
        """The number of a job that was taken on."""
        return int(self._one("SELECT id FROM jobs WHERE name = ?", name))

    def answered(self, job: int) -> Iterator[int]:
        """The numbers of the rows that have an answer, in order."""
        query = "SELECT number FROM rows WHERE job = ? AND state = ? ORDER BY number"
        return (number for (number,) in self._file.execute(query, (job, _ANSWERED)))

    def is_answered(self, job: int, number: int) -> bool:
        """Whether this row has an answer, as far as it is written."""
        query = "SELECT state FROM rows WHERE job = ? AND number = ?"
        return bool(self._file.execute(query, (job, number)).fetchone() == (_ANSWERED,))

    def results(self, job: int) -> Iterator[tuple[int, Result]]:
        """What came of each row, in the order of the rows."""
        for number, text in self._of_rows("result", job):
            yield number, read_result(text)

    def events(self, job: int) -> Iterator[tuple[int, bytes]]:
        """The events that were kept of each row, as they were handed over."""
        return ((number, events) for number, events in self._of_rows("events", job) if events is not None)

    def _of_rows(self, what: str, job: int) -> sqlite3.Cursor:
        joined = "rows JOIN results USING (job, salt) WHERE job = ? ORDER BY number"
        return self._file.execute(f"SELECT number, {what} FROM {joined}", (job,))

    # ---- rows and calls

    def begin(self, job: int, row: Row, seed: int) -> "RowLedger":
        """A row is begun: who makes its calls asks here first, and has them kept here."""
        find = "SELECT salt FROM rows WHERE job = ? AND number = ?"
        found = self._file.execute(find, (job, row.number)).fetchone() if self.knows else None
        salt = int(found[0]) if found else row.number
        self._writer.write(_BEGIN_ROW, job, row.number, row.digest, salt)
        return RowLedger(self, job, row, salt, seed)

    def end(self, row: "RowLedger", result: Result, events: bytes | None) -> None:
        text = orjson.dumps(asdict(result)).decode()
        state = _FAILED if result.error else _ANSWERED
        self._writer.write(_END_ROW, row.job, row.row.number, row.row.digest, row.salt, state)
        self._writer.write(_RESULT, row.job, row.salt, text, events)

    async def written(self) -> None:
        """Return once all that was handed over is on the disk. Raises `LedgerError`."""
        try:
            await self._writer.written()
        except NotWritten as error:
            raise LedgerError(f"{self.path} can not be written: {error}") from None

    def expect(self, in_flight: int) -> None:
        """So many calls may be under way at once from now on."""
        self._writer.write(_COUNT, in_flight, 0, str(self._usd), self._sitting)

    async def find(self, key: bytes) -> tuple[str, str] | None:
        """An answer that is here, and what it cost."""
        if not self.knows:
            return None
        found: tuple[str, str] | None
        found = self._file.execute("SELECT reply, usd FROM calls WHERE key = ?", (key,)).fetchone()
        return found

    async def keep(self, key: bytes, reply: str, usd: str) -> None:
        """Return once the answer is safe. Raises `LedgerError`."""
        self.note(key, reply, usd)
        await self.written()

    def note(self, key: bytes, reply: str, usd: str) -> None:
        """Hand an answer over. It is safe once `written` returns."""
        self._usd += Decimal(usd)
        self._writer.write(_KEEP_CALL, key, reply, usd)
        self._writer.write(_COUNT, 0, 1, str(self._usd), self._sitting)

    def lost(self, usd: Decimal) -> None:
        """So much may have been billed for attempts that brought no answer."""
        self._usd += usd
        self._writer.write(_COUNT, 0, 0, str(self._usd), self._sitting)

    def books(self) -> Books:
        """What was bought until now, as far as it is written."""
        found = self._file.execute("SELECT id, in_flight, ended, answers, usd FROM sittings").fetchall()
        broken = [in_flight for number, in_flight, ended, _, _ in found if not ended and number != self._sitting]
        usd = sum((Decimal(amount) for *_, amount in found), Decimal(0))
        return Books(sum(answers for *_, answers, _ in found), usd, len(broken), sum(broken))

    def _one(self, query: str, *values: Any) -> Any:
        return self._file.execute(query, values).fetchone()[0]


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
    bought: Bought = field(default_factory=Bought)
    paid_usd: Decimal = Decimal(0)

    async def find(self, provider: Provider, route: Route, request: Request, sample: str) -> Reply | None:
        found = await self.ledger.find(self._key(provider, route, request, sample))
        if found is None:
            return None
        reply, usd = _read(found[0]), Decimal(found[1])
        self.bought.input_tokens += reply.usage.input_tokens
        self.bought.output_tokens += reply.usage.output_tokens
        self.bought.usd += usd
        return reply

    async def keep(
        self, provider: Provider, route: Route, request: Request, sample: str, reply: Reply, by: Route
    ) -> None:
        """A fallback's answer too is the call's, and not bought again."""
        usd = by.price.of(reply.usage) if by.price else Decimal(0)
        self.paid_usd += usd
        text = taped(_NOBODY, reply).model_dump_json()
        await self.ledger.keep(self._key(provider, route, request, sample), text, str(usd))

    def _key(self, provider: Provider, route: Route, request: Request, sample: str) -> bytes:
        """Of all that decides the answer. Whose key pays for it and what it falls back to do not."""
        which = [self.salt, self.seed, sample] if is_sampled(route) else []
        asked = [request.messages, request.schema, request.model, request.sampling, request.n]
        where = [provider.adapter, provider.base_url, route.length]
        return hashlib.sha256(orjson.dumps([asked, where, which], option=orjson.OPT_SORT_KEYS)).digest()


def _read(text: str) -> Reply:
    try:
        reply = untaped(TapedReply.model_validate_json(text))
    except (ValidationError, ValueError, TypeError):
        raise LedgerError("the ledger is damaged: an answer in it can not be read") from None
    assert isinstance(reply, Reply)
    return reply


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
        return Ledger(checked(path), lock, here)
    except (sqlite3.Error, OSError, LedgerError) as error:
        lock.release()
        if isinstance(error, LedgerError):
            raise
        raise LedgerError(f"{path} can not be used: {error}") from None
