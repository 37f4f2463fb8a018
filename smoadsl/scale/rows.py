"""Rows, to read a data set as a stream: one row after the other, whatever its file's form, and none lost.

A row that can not be read is a row that says why. Blank lines are none.
"""

import csv
import hashlib
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from smoadsl.classes import dataclass
from smoadsl.runtime.conversation import PROMPTS, Conversation, asked_in

_MOST_BYTES_OF_LINE = 32 << 20
_MOST_BYTES_OF_JSON = 512 << 20
_MOST_CHARACTERS_OF_CELL = 32 << 20
_CHUNK = 1 << 20
_DIGEST_BYTES = 16
_NONE = (0, b"")  # stands for a row
_BOM = b"\xef\xbb\xbf"
_FIRST = 100  # rows of which one at least has to have a prompt
_MOST_NAMED = 12
_OPEN_QUOTE = "unexpected end of data"  # as Python's csv says it
CHANGED = "changed while it was worked on: the same command says what to do"


class Unfit(Exception):
    """A data set that can not be worked with; the message says what, where and how to mend it."""


@dataclass(frozen=True, slots=True)
class Row:
    """`number` is the row's line in a file of lines, else its place, from 1; `digest` that of what stands there, which
    is only read when it is wanted."""

    number: int
    digest: bytes
    content: Any
    read: Callable[[int, Any], Mapping[str, Any]]

    def fields(self) -> Mapping[str, Any]:
        """Raises `ValueError` where it is no row; the message says where and why."""
        return self.read(self.number, self.content)


def fields_of(row: Row) -> Mapping[str, Any]:
    """A row's fields; none where it is no row, as the error that stands in the place of its answer says."""
    try:
        return row.fields()
    except ValueError:
        return {}


def listed_names(fields: Mapping[str, Any]) -> str:
    """The names of a row's fields, as a message tells them."""
    return ", ".join(f"`{name}`" for name in list(fields)[:_MOST_NAMED]) or "no field"


@dataclass(frozen=True, slots=True)
class Data:
    """A data set in a file. `columns` names, for each field that a pipeline is to see, the column that holds it."""

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> Iterator[Row]:
        """Its rows in their order. Raises `Unfit` and `OSError`."""
        rows = reader_of(self.path)(self.path)
        if not self.columns:
            return rows
        mapped = repr(sorted(self.columns.items())).encode()  # read from other columns, it is another row
        return (replace(row, digest=digest_of(mapped + row.digest)) for row in rows)

    def measured(self) -> tuple[str, int]:
        """A digest of all rows, and how many there are. Raises `Unfit` and `OSError`."""
        if not self.path.is_file():
            raise Unfit(f"{self.path} is no plain file: a data set is read more than once, so save it in one")
        whole, count = hashlib.sha256(), 0
        for row in self._asking():
            whole.update(b"%d" % row.number + row.digest)
            count += 1
        return whole.hexdigest(), count

    def beside(self, answered: Iterator[tuple[int, bytes]]) -> Iterator[tuple[Row, bool]]:
        """Its rows in their order, each with whether its number and digest are among those `answered`, which are in
        order too."""
        done = next(answered, _NONE)
        for row in self.rows():
            while done[0] < row.number and done is not _NONE:
                done = next(answered, _NONE)
            yield row, done == (row.number, row.digest)

    def _asking(self) -> Iterator[Row]:
        """Its rows. Raises `Unfit` where the first of them can be read and not one has a prompt, as it stands under
        another name."""
        rows = self.rows()
        lacking = ""
        for count, row in enumerate(islice(rows, _FIRST), 1):
            yield row
            lacking = self._lacking(row, count)
            if not lacking:
                break
        if lacking:
            raise Unfit(lacking)
        yield from rows

    def _lacking(self, row: Row, count: int) -> str:
        """What to say where so many rows up to this one have no prompt; empty if it has one, or can not be read."""
        try:
            fields = row.fields()
        except ValueError:
            return ""
        try:
            self._prompt_of(fields)
        except ValueError as error:
            has = listed_names(fields)
            rows = "its only row. It" if count == 1 else f"its first {count} rows. The last"
            return f"{self.path}: there is no prompt in {rows} has {has}; {error}"
        return ""

    def turns(self, row: Row) -> tuple[Conversation, tuple[str, ...]]:
        """What a row asks first, and what once that is answered. Raises `ValueError`."""
        return asked_in(self._prompt_of(row.fields()))

    def _prompt_of(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """A row's fields under the names that a pipeline knows, a prompt among them. Raises `ValueError`."""
        fields = self._mapped(fields)
        if fields.keys().isdisjoint(PROMPTS):
            raise ValueError(f"it has none of {', '.join(PROMPTS)}: --map prompt=COLUMN names what to read")
        return fields

    def _mapped(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """A row's fields under the names that a pipeline knows. A prompt that is mapped is the only one."""
        if missing := [column for column in self.columns.values() if column not in fields]:
            raise ValueError(f"there is no field `{missing[0]}`, which --map names")
        chosen = {name: fields[column] for name, column in self.columns.items()}
        replaced = PROMPTS if not chosen.keys().isdisjoint(PROMPTS) else ()
        return {name: value for name, value in fields.items() if name not in replaced} | chosen


def reader_of(path: Path) -> Callable[[Path], Iterator[Row]]:
    """How a file is read, by the end of its name. Raises `Unfit`."""
    known = {".jsonl": _lines, ".ndjson": _lines, ".json": _list, ".csv": _csv, ".tsv": _csv, ".parquet": _parquet}
    if path.suffix.lower() not in known:
        raise Unfit(f"{path}: a data set is named .jsonl, .json, .csv, .tsv or .parquet")
    return known[path.suffix.lower()]


def _lines(path: Path) -> Iterator[Row]:
    with path.open("rb", buffering=_CHUNK) as file:
        number = 0
        while line := file.readline(_MOST_BYTES_OF_LINE + 1):
            number += 1
            line = line.removeprefix(_BOM) if number == 1 else line
            if len(line) > _MOST_BYTES_OF_LINE:
                yield Row(number, _past(file, line), line[:0], _too_long)
            elif line := line.strip():
                yield Row(number, digest_of(line), line, _object_in_line)


def _object_in_line(number: int, line: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"line {number} is no JSON: {error.msg} at character {error.pos + 1}") from None
    return _object(f"line {number}", value)


def _object(place: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{place} is no JSON object, as a row must be")
    return value


def _past(file: IO[bytes], line: bytes) -> bytes:
    """Read past a line that is not kept in memory; its digest."""
    whole = hashlib.sha256(line)
    while not line.endswith(b"\n") and (line := file.readline(_CHUNK)):
        whole.update(line)
    return whole.digest()[:_DIGEST_BYTES]


def _too_long(number: int, line: bytes) -> Mapping[str, Any]:
    raise ValueError(f"line {number} has more than {_MOST_BYTES_OF_LINE >> 20} MiB")


def _list(path: Path) -> Iterator[Row]:
    """A file that is one JSON list, as AlpacaEval's are. All of it is read at once."""
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES_OF_JSON + 1)
    if len(content) > _MOST_BYTES_OF_JSON:
        raise Unfit(f"{path} has more than {_MOST_BYTES_OF_JSON >> 20} MiB: write it as .jsonl, one object a line")
    try:
        values = orjson.loads(content.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        raise Unfit(f"{path} is no JSON: {error}") from None
    if not isinstance(values, list):
        raise Unfit(f"{path} is no JSON list: name a file of one object a line .jsonl")
    for number, value in enumerate(values, 1):
        yield Row(number, digest_of(orjson.dumps(value)), value, lambda number, one: _object(f"item {number}", one))


def _csv(path: Path) -> Iterator[Row]:
    """Comma or tab separated values; the first row names the columns."""
    csv.field_size_limit(_MOST_CHARACTERS_OF_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        ended = 0
        try:
            head = next(table, [])
            if len(set(head)) < len(head):
                raise Unfit(f"{path}: two columns have one name")
            read, number, ended = partial(_cells, head), 0, table.line_num
            for cells in table:
                ended = table.line_num
                if cells:
                    number += 1
                    yield Row(number, digest_of(orjson.dumps([head, cells])), cells, read)
        except UnicodeDecodeError as error:  # what follows can not be told apart any more
            line, byte = _not_utf8(path), error.object[error.start]
            raise Unfit(f"{path}:{line} is not UTF-8, for the byte 0x{byte:02x} in it: save it as UTF-8") from None
        except csv.Error as error:
            line, why = table.line_num, str(error)
            if why == _OPEN_QUOTE:  # which is told at the end of the file
                line, why = ended + 1, "a quote in the row that begins here is never closed"
            raise Unfit(f"{path}:{line} can not be read as {path.suffix[1:]}: {why}") from None


def _not_utf8(path: Path) -> int:
    """The first line that is not UTF-8. A table is decoded ahead of what is read of it, and does not know."""
    decoder, line = getincrementaldecoder("utf-8")(), 1
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return line + error.object.count(b"\n", 0, error.start)
            line += chunk.count(b"\n")
    return line  # its last character is cut off


def _cells(head: list[str], number: int, cells: list[str]) -> Mapping[str, Any]:
    if len(cells) != len(head):
        count = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
        raise ValueError(f"row {number} has {count}, and the head names {len(head)}")
    return dict(zip(head, cells, strict=True))


def _parquet(path: Path) -> Iterator[Row]:
    parquet = parquet_library()
    with path.open("rb") as file:
        try:
            number = 0
            for batch in parquet.ParquetFile(file).iter_batches(batch_size=512):
                for fields in batch.to_pylist():
                    number += 1
                    content = orjson.dumps(fields, default=str, option=orjson.OPT_SORT_KEYS)
                    yield Row(number, digest_of(content), fields, lambda number, fields: fields)
        except (ValueError, TypeError, NotImplementedError) as error:  # pyarrow's own errors are of these kinds
            raise Unfit(f"{path} can not be read as parquet: {error}") from None


def parquet_library() -> Any:
    """Pyarrow's part that reads and writes Parquet. Raises `Unfit` where it is not installed."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise Unfit('Parquet needs pyarrow: pip install "smoadsl[parquet]"') from None
    return parquet


def digest_of(content: bytes) -> bytes:
    """By which a row is known again."""
    return hashlib.sha256(content).digest()[:_DIGEST_BYTES]
