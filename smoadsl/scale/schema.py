"""Schema, to open the file of a ledger, and to know one that is damaged, foreign or not whole."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

_VERSION = 1
_TABLES = (
    "CREATE TABLE jobs (id INTEGER PRIMARY KEY, name TEXT UNIQUE, plan TEXT, data TEXT, seed INTEGER)",
    "CREATE TABLE sittings (id INTEGER PRIMARY KEY, in_flight INTEGER, ended INTEGER, answers INTEGER, usd TEXT)",
    "CREATE TABLE calls (key BLOB PRIMARY KEY, reply TEXT, usd TEXT) WITHOUT ROWID",
    "CREATE TABLE rows (job INTEGER, number INTEGER, digest BLOB, salt INTEGER, state INTEGER, "
    "PRIMARY KEY (job, number)) WITHOUT ROWID",
    "CREATE TABLE results (job INTEGER, salt INTEGER, result TEXT, events BLOB, PRIMARY KEY (job, salt)) WITHOUT ROWID",
)


class LedgerError(Exception):
    """A ledger that can not be used; the message says which, why, and what can be done."""


def checked(path: Path) -> Path:
    """The path of a ledger of ours, made where there is none. Raises `LedgerError`, `OSError` and SQLite's errors."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    has_log = path.with_name(f"{path.name}-wal").exists()
    with closing(connected(path)) as file:
        if not file.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
            file.execute("BEGIN IMMEDIATE")
            for table in _TABLES:
                file.execute(table)
            file.execute(f"PRAGMA user_version = {_VERSION}")
            file.execute("COMMIT")
        (version,) = file.execute("PRAGMA user_version").fetchone()
        if version != _VERSION:
            by = "a newer" if version > _VERSION else "another"
            raise LedgerError(f"{path} was written by {by} smoadsl: use that one, or another output file")
        if {sql for (sql,) in file.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")} != set(_TABLES):
            raise LedgerError(f"{path} is no ledger of smoadsl: choose another output file")
        last = file.execute("SELECT ended FROM sittings ORDER BY id DESC LIMIT 1").fetchone()
        if last == (0,):
            if not has_log:
                lost = f"{path}-wal is gone, and the last answers with it"
                raise LedgerError(f"{lost}: put it back, or begin anew with another output file")
            if (said := file.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
                raise LedgerError(f"{path} is damaged: {said[0]}")
    return path


def connected(path: Path) -> sqlite3.Connection:
    """What a commit wrote stays, whatever happens to this machine."""
    file = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "journal_mode = WAL", "synchronous = FULL"):
        file.execute(f"PRAGMA {pragma}")
    return file
