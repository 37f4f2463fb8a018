"""References, to follow those of a JSON schema before anything is held against it: each must lead to a schema that is
there, and not only back to itself."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, Schema, SchemaResource

from smoadsl.classes import dataclass

_REFERENCES = ("$ref", "$dynamicRef")
_ALIKE = ("allOf", "anyOf", "oneOf")  # lists of what the same value is held against
_BESIDE = ("not", "if", "then", "else")
_HOLDS = ("$defs", "definitions")


@dataclass(frozen=True, slots=True)
class Astray:
    """A reference that can not be followed: why not, in a clause, how to mend it, and what may have been meant."""

    reference: str
    why: str
    help: str
    known: tuple[str, ...] = ()


def astray(schema: dict[str, Any]) -> Astray | None:
    """The first reference of a schema that leads nowhere, to no schema, or in a circle in which nothing is looked at.
    Raises `jsonschema.SchemaError` for a schema with mistakes that only a reference finds."""
    root = DRAFT202012.create_resource(schema)
    walk = _Walk(schema)
    registry: Registry[Schema] = Registry()  # knows no other documents, and fetches none
    found = walk.into(root, registry.resolver_with_root(root))
    return found or walk.circle()


class _Walk:
    """Through all schemas of a document, each once. `same` has, by identity, those that a schema holds its own value
    against."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._root = schema
        self._same: dict[int, list[tuple[str, int]]] = {}
        self._kept: list[Schema] = []  # so that no identity is given twice

    def into(self, resource: SchemaResource, resolver: Any) -> Astray | None:
        schema = resource.contents
        if not isinstance(schema, dict) or id(schema) in self._same:
            return None
        self._kept.append(schema)
        same = self._same[id(schema)] = [("", id(part)) for part in _same_value(schema)]
        for key in _REFERENCES:
            reference = schema.get(key)
            if not isinstance(reference, str):
                continue
            try:
                target = resolver.lookup(reference)
            except (Unresolvable, ValueError, TypeError, LookupError):  # what is named inside of a list or a number
                return self._nowhere(reference)
            if not isinstance(target.contents, dict | bool):
                return self._inside(reference, "leads to what is no schema")
            if id(target.contents) not in self._same:  # it may lie where no schema was looked for
                Draft202012Validator.check_schema(target.contents)
            same.append((reference, id(target.contents)))
            if found := self.into(DRAFT202012.create_resource(target.contents), target.resolver):
                return found
        parts = ((part, resolver.in_subresource(part)) for part in resource.subresources())
        return next((found for part, inside in parts if (found := self.into(part, inside))), None)

    def circle(self) -> Astray | None:
        """A reference by which a schema would be held against its own value again, without end."""
        done: set[int] = set()
        for start in self._same:
            path: list[tuple[int, Iterator[tuple[str, int]]]] = [(start, iter(self._same[start]))]
            open_ = {start}
            while path:
                at, following = path[-1]
                reference, to = next(following, ("", 0))
                if not to:
                    done.add(at)
                    open_.discard(at)
                    path.pop()
                elif to in open_:
                    help = "it may lead back only from inside `properties`, `items` and the like"
                    return Astray(reference or "#", "leads only to itself", help)
                elif to not in done and to in self._same:
                    open_.add(to)
                    path.append((to, iter(self._same[to])))
        return None

    def _nowhere(self, reference: str) -> Astray:
        if reference.startswith("#"):
            return self._inside(reference, "leads to nothing in this file")
        name = reference.rstrip("/#").rpartition("/")[2].partition(".")[0] or "NAME"
        help = f"nothing is fetched: copy that schema below `$defs`, and refer to it by `#/$defs/{name}`"
        return Astray(reference, "leads out of this file", help)

    def _inside(self, reference: str, why: str) -> Astray:
        held = [(key, self._root[key]) for key in _HOLDS if isinstance(self._root.get(key), dict)]
        known = tuple(f"#/{key}/{name}" for key, holds in held for name in holds)
        return Astray(reference, why, "write what it should lead to below `$defs`", known)


def _same_value(schema: dict[str, Any]) -> Iterator[Schema]:
    for key in _ALIKE:
        yield from schema.get(key, ())
    for key in _BESIDE:
        if key in schema:
            yield schema[key]
    yield from schema.get("dependentSchemas", {}).values()
