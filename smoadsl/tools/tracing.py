"""Tracing, to keep the events of a run in a file, and to lose no answer where that can not be written."""

from pathlib import Path

import click

from smoadsl.runtime.events import Event
from smoadsl.runtime.journal import BUFFER_BYTES, journal_to


class Trace:
    """A trace on its way to a file, which is whole as long as all of it could be written. Raises `OSError` where the
    file can not be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb", BUFFER_BYTES)
        self._write = journal_to(self._file)
        self._fault: OSError | None = None

    @property
    def is_whole(self) -> bool:
        return self._fault is None

    def hear(self, event: Event) -> None:
        if self._fault is None:
            try:
                self._write(event)
            except OSError as error:
                self._fault = error

    def close(self) -> None:
        """Write what is left, and say so where something could not be written."""
        try:
            self._file.close()
        except OSError as error:
            self._fault = self._fault or error
        if self._fault is not None:
            why = self._fault.strerror or self._fault
            click.echo(f"error: --trace {self._path}: {why}: the trace is not whole", err=True)
