"""Journal, to keep a run's events in a file, one JSON object a line, and to read them again."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import orjson
from pydantic import ValidationError

from smoadsl.runtime.events import (
    EVENT,
    EVENTS_VERSION,
    INTERRUPTED,
    AnswerPiece,
    Event,
    RunFailed,
    RunFinished,
    RunStarted,
)


class JournalError(Exception):
    """A trace that can not be read; the message says what and where."""


def journal_to(file: BinaryIO) -> Callable[[Event], None]:
    """Writes each event as it happens; all that happen in one turn of the event loop are flushed together, at its end.
    Pieces of the streamed answer are left out: the whole text follows them."""
    lines: list[bytes] = []

    def flush() -> None:
        if lines and not file.closed:
            file.write(b"".join(lines))
            file.flush()
        lines.clear()

    def write(event: Event) -> None:
        if isinstance(event, AnswerPiece):
            return
        lines.append(event.__pydantic_serializer__.to_json(event) + b"\n")
        if len(lines) == 1 and not isinstance(event, RunFinished | RunFailed):
            _at_the_end_of_this_turn(flush)
        elif isinstance(event, RunFinished | RunFailed):
            flush()

    return write


def _at_the_end_of_this_turn(flush: Callable[[], None]) -> None:
    """Have it done then; at once where no event loop runs."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        flush()
    else:
        loop.call_soon(flush)


def read_journal(path: Path) -> Iterator[Event]:
    """The events of a trace. A last line that was cut off by a crash is left out; any other is an error."""
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            yield EVENT.validate_json(line)
        except ValidationError as error:
            if number == len(lines) and not line.endswith(b"\n"):
                return
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise JournalError(f"{path}:{number} is no event of a trace: {place} {first['msg']}".strip()) from None


def read_run(path: Path) -> list[Event]:
    """The events of a run, finished or not. Raises `OSError`, and `JournalError` for what is no trace of ours."""
    _check_version(path)
    events = list(read_journal(path))
    if not events or not isinstance(events[0], RunStarted):
        raise JournalError(f"{path} is no trace: it does not begin with the start of a run")
    return events


def read_whole_run(path: Path) -> list[Event]:
    """The events of a run that came to its end. Raises as `read_run` does."""
    events = read_run(path)
    last = events[-1]
    if not isinstance(last, RunFinished | RunFailed):
        raise JournalError(f"{path} breaks off at line {len(events)}: it has no end of the run")
    if isinstance(last, RunFailed) and last.message == INTERRUPTED:
        raise JournalError(f"{path} is the trace of a run that was interrupted: there is no end to come to again")
    return events


def _check_version(path: Path) -> None:
    """Say of another version's trace that it is one, before its events are found wrong one by one."""
    with path.open("rb") as file:
        first = file.readline()
    try:
        version = orjson.loads(first)["version"]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return  # no trace at all, as will be seen
    if version != EVENTS_VERSION:
        by = "a newer" if isinstance(version, int) and version > EVENTS_VERSION else "another"
        raise JournalError(f"{path} was written by {by} smoadsl: it has events of version {version}")
