"""Ray rows, to hand a data set to Ray in groups of rows, read on the one machine that has its file.

A group is text: a JSON list of rows, each with its number, its digest, and its fields or what is wrong with it.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from smoadsl.scale.rows import Data, Row

COLUMN = "rows"
"""The only column of the data sets that Ray sees; each of its cells is a group."""

_ASKS_EACH_S = 1.0
_AS_WRITTEN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def numbers_as_bits(numbers: Iterable[int]) -> bytes:
    """A set of numbers, one bit for each up to the largest: ten million are 1.2 MiB."""
    bits = bytearray()
    for number in numbers:
        if number // 8 >= len(bits):
            bits.extend(bytes(number // 8 + 1 - len(bits) + len(bits) // 8))
        bits[number // 8] |= 1 << number % 8
    return bytes(bits)


def is_among(bits: bytes, number: int) -> bool:
    return number // 8 < len(bits) and bool(bits[number // 8] >> number % 8 & 1)


def groups(data: Data, answered: bytes, size: int) -> Iterator[bytes]:
    """The rows that have no answer yet, so many to a group: the same groups each time that they are read."""
    group: list[bytes] = []
    for row in data.rows():
        if not is_among(answered, row.number):
            group.append(_written(row))
            if len(group) == size:
                yield _joined(group)
                group = []
    if group:
        yield _joined(group)


def tables(data: Data, answered: bytes, size: int, desk: str) -> Iterator[Any]:
    """The groups as Ray takes them, one to a table, for as long as the desk wants any."""
    import pyarrow
    import ray

    actor, asked_at = ray.get_actor(desk), time.monotonic()
    for group in groups(data, answered, size):
        yield pyarrow.table({COLUMN: pyarrow.array([group], pyarrow.large_binary())})
        if time.monotonic() - asked_at > _ASKS_EACH_S:
            if not ray.get(actor.is_going.remote()):
                return
            asked_at = time.monotonic()


def rows_of(group: bytes) -> list[Row]:
    return [Row(number, bytes.fromhex(digest), content, _read) for number, digest, *content in orjson.loads(group)]


def _written(row: Row) -> bytes:
    fields: Mapping[str, Any] | None
    try:
        fields, wrong = row.fields(), ""
    except ValueError as error:
        fields, wrong = None, str(error)
    return orjson.dumps((row.number, row.digest.hex(), fields, wrong), default=str, option=_AS_WRITTEN)


def _joined(group: list[bytes]) -> bytes:
    return b"[" + b",".join(group) + b"]"


def _read(number: int, content: tuple[Mapping[str, Any] | None, str]) -> Mapping[str, Any]:
    fields, wrong = content
    if fields is None:
        raise ValueError(wrong)
    return fields
