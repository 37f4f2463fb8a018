"""Lock, to read the roles that were generated once and are pinned since, and tell whether they still fit.

The lock file of `FILE.moa` is `FILE.moa.lock` beside it: JSON, committed and reviewed like any source.
"""

import hashlib
import re
from collections.abc import Mapping
from os.path import basename

import orjson

from smoadsl.classes import dataclass
from smoadsl.diagnostics.source import Source
from smoadsl.language import checked
from smoadsl.language.load import Absent, Reader, Refused
from smoadsl.language.settings import SAMPLING

LOCK_VERSION = 1
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """The roles of one list, and the fingerprint of what they were made from."""

    fingerprint: str
    n: int
    model: str
    roles: tuple[str, ...]


class BadLock(ValueError):
    """A lock that is there and can not be read, so that nobody may take its place unasked; the message says why."""


def lock_name(source: Source) -> str:
    return f"{basename(source.name)}.lock"


def read_lock(source: Source, reader: Reader) -> Mapping[str, Entry]:
    """The entries of a file's lock by the name of their list; none where there is no lock. Raises `BadLock`."""
    try:
        return entries_in(reader.read(lock_name(source), source).text)
    except Absent:
        return {}
    except Refused as why:
        raise BadLock(str(why)) from None


def entries_in(text: str) -> dict[str, Entry]:
    """The entries in a lock's text. Raises `BadLock` where any of it is not as it was written."""
    if found := _CONFLICT.search(text):
        raise BadLock(f"has a conflict of a merge in line {text.count(chr(10), 0, found.start()) + 1}")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadLock(f"is no JSON in line {error.lineno}") from None
    if not isinstance(value, dict) or not isinstance(value.get("roles"), dict):
        raise BadLock("is no lock")
    if value.get("version") != LOCK_VERSION:
        raise BadLock(f"is of another version than {LOCK_VERSION}")
    return {name: _entry(name, entry) for name, entry in value["roles"].items()}


def _entry(name: str, entry: object) -> Entry:
    match entry:
        case {"fingerprint": str(print_), "n": int(n), "model": str(model), "roles": [*roles]}:
            if len(roles) != n:
                raise BadLock(f"has {len(roles)} roles for `{name}` and says that they are {n}")
            if all(isinstance(role, str) and role for role in roles):
                return Entry(print_, n, model, tuple(roles))
    raise BadLock(f"lacks a part of `{name}`")


def lock_text(entries: Mapping[str, Entry]) -> str:
    """The entries as they stand in a lock file: one role a line, so that a review shows which one changed."""
    roles = {
        name: {"fingerprint": e.fingerprint, "n": e.n, "model": e.model, "roles": list(e.roles)}
        for name, e in sorted(entries.items())
    }
    value = {"version": LOCK_VERSION, "roles": roles}
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"


def fingerprint(model: checked.Model, n: int, dataset: str, task: str, template: str) -> str:
    """What a list of roles was made from: the model as written, how it samples, n, dataset, task and template. What a
    call costs, and how long it may take, changes no role."""
    sampling = {key: value for key, value in model.settings.items() if key in SAMPLING}
    parts = [model.written, sampling, n, dataset, task, template]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
