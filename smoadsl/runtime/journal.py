"""Journal, to keep a run's events in a file, one JSON object a line, and to read them again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from smoadsl.runtime.events import EVENT, AnswerPiece, Event


class JournalError(Exception):
    """A trace that can not be read; the message says what and where."""


def journal_to(file: BinaryIO) -> Callable[[Event], None]:
    """Writes each event as it happens. Pieces of the streamed answer are left out: the whole text follows them."""

    def write(event: Event) -> None:
        if not isinstance(event, AnswerPiece):
            file.write(event.model_dump_json().encode() + b"\n")
            file.flush()

    return write


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
