"""Schemas, to read JSON schemas and hold answers against them. References are followed inside a schema alone."""

from collections.abc import Mapping
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema import SchemaError as _Wrong
from referencing import Registry
from referencing.exceptions import Unresolvable


class SchemaError(Exception):
    """A text that is no JSON schema; the message says why, and `at` is the place in it, in characters, where known."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at


def read_schema(text: str) -> dict[str, Any]:
    """The schema in a text. Raises `SchemaError`."""
    try:
        schema = orjson.loads(text)
        if not isinstance(schema, dict):
            raise SchemaError("it is no JSON object")
        Draft202012Validator.check_schema(schema)
    except orjson.JSONDecodeError as error:
        raise SchemaError(f"it is no JSON: {error.msg.partition(': line')[0]}", error.pos) from None
    except _Wrong as error:
        place = ".".join(str(step) for step in error.absolute_path)
        raise SchemaError((f"at `{place}`, " if place else "") + error.message) from None
    return schema


def misfit(schema: Mapping[str, Any], text: str) -> str:
    """What keeps a text from being JSON that fits the schema, in words for a model; empty when it fits."""
    try:
        value = orjson.loads(text)
    except ValueError:
        return "it is not one JSON value and nothing else"
    registry: Registry[Any] = Registry()  # knows no other documents, and fetches none
    try:
        error = next(Draft202012Validator(schema, registry=registry).iter_errors(value), None)
    except Unresolvable as missing:
        return f"the schema refers to something outside itself: {missing}"
    if error is None:
        return ""
    place = "".join(f"[{step!r}]" for step in error.absolute_path)
    return f"{place or 'it'}: {error.message}"[:500]
