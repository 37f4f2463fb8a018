"""Writer, to commit what many tasks write in groups, and to tell each task once its own part is safe on the disk.

An ordinary disk takes some hundred commits a second, so each holds all that came while the one before was under way.
"""

import asyncio
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from smoadsl.scale.schema import LedgerError

Statements = dict[str, list[tuple[Any, ...]]]  # the values of each
Waiting = list[asyncio.Future[None]]


class Writer:
    """Writes to a SQLite file that `connect` opens; `name` is what errors call it. Statements must not depend on their
    order within a group. Once a group can not be written, nothing is any more.

    Used from one running event loop. It commits in a thread of its own; with `here` in the loop's, for a loop whose
    clock waits for no thread."""

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection], here: bool = False) -> None:
        self._name = name
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._todo: Statements = defaultdict(list)
        self._waiting: Waiting = []
        self._change = threading.Condition()
        self._closed = False
        self._fault = ""
        self._file = connect() if here else None
        self._thread = None if here else threading.Thread(target=self._work, name="ledger", daemon=True)
        if self._thread is not None:
            self._thread.start()

    def write(self, statement: str, *values: Any) -> None:
        """Have this written with the next group. Raises `LedgerError` when an earlier one could not be."""
        with self._change:
            self._check()
            self._todo[statement].append(values)

    async def written(self) -> None:
        """Return once all that was handed over before is safe. Raises `LedgerError`."""
        safe = self._loop.create_future()
        with self._change:
            self._check()
            self._waiting.append(safe)
            self._change.notify()
        if self._file is not None and len(self._waiting) == 1:
            self._loop.call_soon(self._turn, self._file)
        await safe

    async def close(self) -> None:
        """Write what is left, and let go of the file. Raises nothing: `written` has told those who asked."""
        with self._change:
            self._closed = True
            self._change.notify()
        if self._file is not None:
            self._turn(self._file)
            self._file.close()
        if self._thread is not None:
            await asyncio.shield(asyncio.to_thread(self._thread.join))

    def _check(self) -> None:
        if self._fault:
            raise LedgerError(self._fault)

    def _turn(self, file: sqlite3.Connection) -> None:
        self._write(file, *self._taken())

    def _taken(self) -> tuple[Statements, Waiting]:
        group = self._todo, self._waiting
        self._todo, self._waiting = defaultdict(list), []
        return group

    def _write(self, file: sqlite3.Connection, todo: Statements, waiting: Waiting) -> None:
        """Commit one group. What can not be committed is taken back."""
        try:
            if todo:
                file.execute("BEGIN IMMEDIATE")
                for statement, values in todo.items():
                    file.executemany(statement, values)
                file.execute("COMMIT")
        except Exception as error:  # whatever it is, nobody may wait for ever
            waiting = self._failed(error, waiting)
            if file.in_transaction:
                file.rollback()
        if waiting and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_resolve, waiting, self._fault)

    def _failed(self, error: Exception, waiting: Waiting) -> Waiting:
        """Nothing more is written; those who wait in the next group need not."""
        with self._change:
            self._fault = f"{self._name} can not be written: {error}; once that is mended, the same goes on"
            return [*waiting, *self._taken()[1]]

    def _work(self) -> None:
        """The thread."""
        try:
            file = self._connect()
        except Exception as error:
            waiting = self._failed(error, [])
            self._loop.call_soon_threadsafe(_resolve, waiting, self._fault)
            return
        while not self._fault:
            with self._change:
                while not self._waiting and not self._closed:
                    self._change.wait()
                group = self._taken()
                closed = self._closed
            self._write(file, *group)
            if closed:
                break
        file.close()


def _resolve(waiting: Waiting, fault: str) -> None:
    for safe in waiting:
        if safe.done():
            continue  # whoever waited was cancelled
        if fault:
            safe.set_exception(LedgerError(fault))
        else:
            safe.set_result(None)
