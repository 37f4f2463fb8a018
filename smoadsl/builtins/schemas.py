"""Schemas, to read JSON schemas and hold answers against them. References are followed inside a schema alone."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema import SchemaError as _Wrong
from referencing import Registry
from referencing.exceptions import Unresolvable

from smoadsl.builtins.references import Astray, astray

_TOO_DEEP = "it is nested too deeply"


class SchemaError(Exception):
    """A text that is no JSON schema; the message says why. `at` is the place in it, in characters, `help` how to mend
    it, and `lost` a reference that leads nowhere, where they are known."""

    def __init__(self, message: str, at: range | None = None, help: str = "", lost: Astray | None = None) -> None:
        super().__init__(message)
        self.at = at
        self.help = help
        self.lost = lost


def read_schema(text: str) -> dict[str, Any]:
    """The schema in a text. Raises `SchemaError`."""
    try:
        schema = orjson.loads(text)
        if not isinstance(schema, dict):
            raise SchemaError("it is no JSON object")
        Draft202012Validator.check_schema(schema)
        lost = astray(schema)
    except orjson.JSONDecodeError as error:
        at = range(error.pos, min(error.pos + 1, len(text)))
        raise SchemaError(f"it is no JSON: {error.msg.partition(': line')[0]}", at) from None
    except RecursionError:
        raise SchemaError(_TOO_DEEP, help="nest schemas less deeply, or refer to those below `$defs`") from None
    except _Wrong as error:
        place = ".".join(str(step) for step in error.absolute_path)
        raise SchemaError((f"at `{place}`, " if place else "") + error.message) from None
    if lost is not None:
        raise SchemaError(f"the reference `{lost.reference[:100]}` {lost.why}", _place(text, lost), lost.help, lost)
    return schema


def _place(text: str, lost: Astray) -> range | None:
    """Where a reference stands, if it is written without escapes."""
    found = re.search(rf'"\$(?:ref|dynamicRef)"\s*:\s*("{re.escape(lost.reference)}")', text)
    return range(*found.span(1)) if found else None


def misfit(schema: Mapping[str, Any], text: str) -> str:
    """What keeps a text from being JSON that fits the schema, in words for a model; empty when it fits."""
    try:
        value = orjson.loads(text)
    except ValueError:
        return "it is not one JSON value and nothing else"
    registry: Registry[Any] = Registry()  # knows no other documents, and fetches none
    try:
        error = next(Draft202012Validator(schema, registry=registry).iter_errors(value), None)
    except Unresolvable as missing:  # a plan that was made elsewhere; here `read_schema` has followed all of them
        return f"the schema refers to `{missing.ref[:100]}`, which it does not have"
    except RecursionError:
        return _TOO_DEEP
    if error is None:
        return ""
    place = "".join(f"[{step!r}]" for step in error.absolute_path)
    return f"{place or 'it'}: {error.message}"[:500]
