"""Journal, to keep a run's events in a file, one JSON object a line, and to read them again."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import IO

import orjson

from smoadsl.adapters.base import Message
from smoadsl.adapters.recent import Recent
from smoadsl.plan.plan import Plan
from smoadsl.runtime.events import (
    EVENT,
    EVENTS_VERSION,
    INTERRUPTED,
    AnswerPiece,
    CallStarted,
    Event,
    RunFailed,
    RunFinished,
    RunStarted,
)
from smoadsl.runtime.plausible import implausible

_MOMENT_S = 0.05  # of which a crash may cost the last events
_LAST = (RunFinished, RunFailed)
BUFFER_BYTES = 1 << 20  # of a trace's file, so that it is written to as seldom as that


class JournalError(Exception):
    """A trace that can not be read; the message says what and where."""


def journal_to(file: IO[bytes]) -> Callable[[Event], None]:
    """Writes each event as it happens; what is written is in the file a moment later, for all that happened meanwhile
    at once. Pieces of the streamed answer are left out: the whole text follows them."""
    waits = False

    def flush() -> None:
        nonlocal waits
        waits = False
        if not file.closed:
            with suppress(OSError):  # what can not be written now waits, and is told of when it is closed
                file.flush()

    def write(event: Event) -> None:
        nonlocal waits
        kind = type(event)
        if kind is AnswerPiece:
            return
        file.write(line_of(event))
        if kind in _LAST:
            file.flush()
        elif not waits:
            waits = _soon(flush)

    return write


def line_of(event: Event) -> bytes:
    """The event as a line of JSON. A plan, by far the most of a run, is spelled out once for all runs of the same, and
    messages once for all the agents of a round that are sent the same."""
    values, kind = event.__dict__, type(event)
    if kind is CallStarted:
        values = {**values, "messages": _messages_json(values["messages"])}
    elif kind is RunStarted:
        values = {**values, "plan": _plan_json(values["plan"])}
    try:
        return orjson.dumps(values, None, orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a seed of more than 64 bits
        return event.model_dump_json().encode() + b"\n"


def _as_json(value: Plan | tuple[Message, ...]) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(value, _amount))


def _amount(value: object) -> str:
    """Money, which is all in a plan that orjson does not know."""
    if not isinstance(value, Decimal):
        raise TypeError
    return str(value)


_plan_json = Recent[Plan, orjson.Fragment](_as_json)
_messages_json = Recent[tuple[Message, ...], orjson.Fragment](_as_json)


def _soon(flush: Callable[[], None]) -> bool:
    """Have it done in a moment; at once where no event loop runs."""
    try:
        asyncio.get_running_loop().call_later(_MOMENT_S, flush)
    except RuntimeError:
        flush()
        return False
    return True


def read_journal(path: Path) -> Iterator[Event]:
    """The events of a trace. A last line that was cut off by a crash is left out; any other is an error."""
    from pydantic import ValidationError

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
    """The events of a run that came to its end, as it can have told them. Raises as `read_run` does."""
    events = read_run(path)
    for number, why in implausible(events):
        raise JournalError(f"{path}:{number} can not have been told by a run: {why}")
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
