"""Schema, to open the file of a ledger, and to know one that is damaged, foreign or not whole."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_VERSION = 2
_TABLES = (
    "CREATE TABLE jobs (id INTEGER PRIMARY KEY, name TEXT UNIQUE, plan TEXT, data TEXT, seed INTEGER)",
    "CREATE TABLE sittings (id INTEGER PRIMARY KEY, in_flight INTEGER, ended INTEGER, answers INTEGER, usd TEXT, "
    "at_stake TEXT)",
    "CREATE TABLE calls (key BLOB PRIMARY KEY, reply TEXT, usd TEXT, crc INTEGER)",  # so that answers stand in a row
    "CREATE TABLE rows (job INTEGER, number INTEGER, digest BLOB, salt INTEGER, state INTEGER, "
    "PRIMARY KEY (job, number)) WITHOUT ROWID",
    "CREATE TABLE results (job INTEGER, salt INTEGER, result TEXT, crc INTEGER, events BLOB, "
    "PRIMARY KEY (job, salt)) WITHOUT ROWID",
)
_OURS = frozenset(("jobs", "sittings", "calls", "rows", "results"))


class LedgerError(Exception):
    """A ledger that can not be used; the message says which, why, and what can be done."""


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """What SQLite says of the file at `path` becomes a `LedgerError`."""
    try:
        yield
    except sqlite3.OperationalError as error:  # of the disk, mostly
        raise LedgerError(f"{path} can not be used: {error}") from None
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:
            raise  # a mistake of ours
        raise damaged(path, str(error)) from None


def damaged(path: Path, why: str) -> LedgerError:
    return LedgerError(f"{path} is damaged: {why}; put a copy of it back, or begin anew with another output file")


def checked(path: Path) -> Path:
    """The path of a ledger of ours, made where there is none. Raises `LedgerError` and `OSError`."""
    log = path.with_name(f"{path.name}-wal")
    has_log = log.exists()
    if not path.exists():
        if has_log:
            raise damaged(path, "it is gone, and only its log is left")
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        keep_names(path.parent, path.parent.parent)
    with telling(path), closing(connected(path)) as file:
        if not file.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
            _make(file)
        _know(path, file)
        if file.execute("SELECT ended FROM sittings ORDER BY id DESC LIMIT 1").fetchone() == (0,):
            if not has_log:
                lost = f"{log} is gone, and the last answers with it"
                raise LedgerError(f"{lost}: put it back, or begin anew with another output file")
            if (said := file.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
                raise damaged(path, " ".join(said[0].split()))
    return path


def connected(path: Path) -> sqlite3.Connection:
    """What a commit wrote stays, whatever happens to this machine."""
    file = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "journal_mode = WAL", "synchronous = FULL"):
        file.execute(f"PRAGMA {pragma}")
    return file


def _make(file: sqlite3.Connection) -> None:
    file.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        file.execute(table)
    file.execute(f"PRAGMA user_version = {_VERSION}")
    file.execute("COMMIT")


def _know(path: Path, file: sqlite3.Connection) -> None:
    """Refuse what is not as this version makes it."""
    found = dict(file.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall())
    (version,) = file.execute("PRAGMA user_version").fetchone()
    if version != _VERSION and found.keys() >= _OURS:
        by = "a newer" if version > _VERSION else "another"
        raise LedgerError(f"{path} was written by {by} smoadsl: use that one, or another output file")
    if version != _VERSION or set(found.values()) != set(_TABLES):
        raise LedgerError(f"{path} is no ledger of smoadsl: choose another output file")


def keep_names(*folders: Path) -> None:
    """See to it that what was just made in these folders is found there after a loss of power."""
    for folder in folders:
        try:
            handle = os.open(folder, os.O_RDONLY)
        except OSError:  # not every system can
            return
        try:
            os.fsync(handle)
        except OSError:
            return
        finally:
            os.close(handle)
