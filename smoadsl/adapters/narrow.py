"""Narrow, to bring a JSON schema down to the keywords that a provider takes, and tell it the rest in words."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from smoadsl.adapters.base import JSON

Keeps = Callable[[str, JSON], bool]
"""Whether a keyword with that value may be sent."""

_SCHEMAS_BY_NAME = ("properties", "$defs")
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMA = "items"


def narrowed(schema: Mapping[str, JSON], keeps: Keeps, *, closed: bool = False) -> dict[str, JSON]:
    """The schema with the keywords that are kept. What is left out becomes words in its place's description: an answer
    is held to the whole schema all the same, by who asked for it. `closed` shuts objects to unnamed properties, which
    some providers demand."""
    kept: dict[str, JSON] = {}
    told: dict[str, JSON] = {}
    for key, value in schema.items():
        if keeps(key, value):
            kept[key] = _inside(key, value, lambda inner: narrowed(inner, keeps, closed=closed))
        else:
            told[key] = value
    if closed and kept.get("type") == "object":
        kept["additionalProperties"] = False
    told.pop("description", None)
    if told:
        rest = orjson.dumps(told).decode()
        kept["description"] = f"{kept['description']} {rest}" if "description" in kept else rest
    return kept


def names_all_it_requires(schema: JSON) -> bool:
    """Whether every object in it requires each of its properties, as OpenAI's strict mode demands."""
    if not isinstance(schema, Mapping):
        return True
    if not set(schema.get("properties") or ()) <= set(schema.get("required") or ()):
        return False
    inner: list[JSON] = [schema.get(_SCHEMA)]
    for key in _SCHEMAS_BY_NAME:
        inner += (schema.get(key) or {}).values()
    for key in _LISTS_OF_SCHEMAS:
        inner += schema.get(key) or []
    return all(names_all_it_requires(one) for one in inner)


def _inside(key: str, value: JSON, narrow: Callable[[Any], JSON]) -> JSON:
    if key in _SCHEMAS_BY_NAME and isinstance(value, Mapping):
        return {name: narrow(inner) if isinstance(inner, Mapping) else inner for name, inner in value.items()}
    if key in _LISTS_OF_SCHEMAS and isinstance(value, list):
        return [narrow(inner) if isinstance(inner, Mapping) else inner for inner in value]
    if key == _SCHEMA and isinstance(value, Mapping):
        return narrow(value)
    return value


def plain_values(value: JSON) -> bool:
    """Whether an `enum` lists plain values alone: the others are known to no provider's subset."""
    return isinstance(value, list) and all(one is None or isinstance(one, str | int | float) for one in value)
