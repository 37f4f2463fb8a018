"""Output, to write what came of a data set beside its rows, in their order: whole or not at all.

Each row stands as it was read, with one more field: `smoadsl` holds the answer, what it took and what went wrong.
"""

import csv
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import orjson

from smoadsl.scale.records import Result
from smoadsl.scale.rows import CHANGED, Data, Unfit, fields_of, parquet_library
from smoadsl.scale.schema import keep_names

FIELD = "smoadsl"
_STEERS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_ROWS_OF_GROUP = 1_000
Written = Mapping[str, Any]
Found = tuple[int, bytes, Result]  # a row's number, its digest and what came of it
_NOTHING: Found = (0, b"", Result())
Write = Callable[[IO[bytes], Callable[[], Iterator[Written]], Data], None]


def writer_for(path: Path) -> Write:
    """How a file is written, by the end of its name. Raises `Unfit`."""
    known: dict[str, Write] = {".jsonl": _lines, ".ndjson": _lines, ".csv": _csv, ".tsv": _tsv, ".parquet": _parquet}
    if path.suffix.lower() not in known:
        raise Unfit(f"{path}: an output is named .jsonl, .csv, .tsv or .parquet")
    if path.suffix.lower() == ".parquet":
        parquet_library()
    return known[path.suffix.lower()]


def write_output(path: Path, data: Data, results: Callable[[], Iterable[Found]]) -> None:
    """Write all rows of the data that have a result. `results` may be asked for twice. Raises `Unfit` and `OSError`."""
    with whole_file(path) as file:
        writer_for(path)(file, lambda: _rows(data, results()), data)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write: whoever finds it under its name finds all of it. Raises `OSError`."""
    part = path.with_name(f".{path.name}.part")  # one name, so that a process that dies leaves one file
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    keep_names(path.parent)


def with_results(data: Data, results: Iterable[Found]) -> Iterator[tuple[int, Mapping[str, Any], Result]]:
    """The rows that have a result, in their order: the number, the fields and what came of it. Raises `Unfit`."""
    found = iter(results)
    number, digest, result = next(found, _NOTHING)
    for row in data.rows():
        if row.number == number:
            if row.digest != digest:
                raise Unfit(f"{data.path}: row {number} {CHANGED}")
            yield number, fields_of(row), result
            number, digest, result = next(found, _NOTHING)
    if number:
        raise Unfit(f"{data.path}: row {number} {CHANGED}")


def _rows(data: Data, results: Iterable[Found]) -> Iterator[Written]:
    for number, fields, result in with_results(data, results):
        yield {**fields, FIELD: {"row": number, **_told(result)}}


def _told(result: Result) -> Written:
    """What a result says, without what only few have."""
    told = ((name, getattr(result, name)) for name in _OURS[1:])
    return {name: value for name, value in told if value or name not in ("answers", "estimated", "refused")}


def _lines(file: IO[bytes], rows: Callable[[], Iterator[Written]], data: Data) -> None:
    for row in rows():
        file.write(orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE))


# ---- tables


def _columns(rows: Iterator[Written]) -> list[str]:
    """All columns, in the order in which they come up; what we add stands last."""
    found: dict[str, None] = {}
    for row in rows:
        found.update(dict.fromkeys(row))
    return [name for name in found if name != FIELD and name not in _HEADS]


def _flat(row: Written, columns: Iterable[str]) -> dict[str, Any]:
    ours = {"answers": (), "estimated": False, "refused": False} | row[FIELD]
    return {name: row.get(name) for name in columns} | dict(zip(_HEADS, map(ours.get, _OURS), strict=True))


_OURS = ("row", *asdict(Result()))
_HEADS = tuple(f"{FIELD}.{name}" for name in _OURS)


def _csv(file: IO[bytes], rows: Callable[[], Iterator[Written]], data: Data, delimiter: str = ",") -> None:
    columns = _columns(rows())
    text = TextIOWrapper(file, encoding="utf-8", errors="surrogatepass", newline="", write_through=True)
    table = csv.writer(text, delimiter=delimiter)  # its lines end in CR LF, else a CR in a cell would not be quoted
    table.writerow([*map(_cell, columns), *_HEADS])
    for row in rows():
        table.writerow([_cell(value) for value in _flat(row, columns).values()])
    text.detach()


def _tsv(file: IO[bytes], rows: Callable[[], Iterator[Written]], data: Data) -> None:
    _csv(file, rows, data, "\t")


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe stands before what begins like one."""
    text = "" if value is None else value if isinstance(value, str) else _json(value)
    return f"'{text}" if text.startswith(_STEERS) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and text == text.strip()
    except ValueError:
        return False


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def _parquet(file: IO[bytes], rows: Callable[[], Iterator[Written]], data: Data) -> None:
    """Columns of a Parquet file keep their types; those of others are texts, JSON where they are none."""
    import pyarrow

    parquet = parquet_library()
    columns = _columns(rows())
    typed = parquet.read_schema(data.path) if data.path.suffix.lower() == ".parquet" else None
    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    kinds[tuple] = pyarrow.list_(pyarrow.string())
    theirs = [(name, typed.field(name).type if typed else pyarrow.string()) for name in columns]
    example = {"row": 0, **asdict(Result(answer="", value=""))}
    schema = pyarrow.schema(
        [*theirs, *((head, kinds[type(example[name])]) for head, name in zip(_HEADS, _OURS, strict=True))]
    )
    with parquet.ParquetWriter(file, schema) as writer:
        group: list[dict[str, Any]] = []
        for row in rows():
            flat = _flat(row, columns)
            if typed is None:
                flat |= {name: _text(flat[name]) for name in columns}
            group.append(flat)
            if len(group) == _ROWS_OF_GROUP:
                writer.write_table(pyarrow.Table.from_pylist(group, schema))
                group = []
        writer.write_table(pyarrow.Table.from_pylist(group, schema))


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value)
