"""Cache, to answer a call from what the very same call was answered before, from a file of one's own.

A call is the same if all is that decides its answer: adapter, address, whose key, model, sampling, messages, schema.
One that draws by chance is kept only where samples are wanted, and then apart for each place of a pipeline. The file
is never trusted: one that others may write, that is broken or of another make, is left alone, and that is said once.
"""

import hashlib
import json
import os
import sqlite3
import stat
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import orjson

from smoadsl.adapters.base import Reply, Request, Usage
from smoadsl.calls.route import Env, Provider, Route

_VERSION = 1
_TABLE = "CREATE TABLE replies (key TEXT PRIMARY KEY, request TEXT NOT NULL, reply TEXT NOT NULL) WITHOUT ROWID"
_BUSY_S = 2.0
_FIELDS = frozenset(("text", "finish", "model", "input_tokens", "output_tokens"))

Warn = Callable[[str], None]


def is_sampled(route: Route) -> bool:
    """Whether the answer is drawn by chance that nobody can repeat."""
    return route.sampling.temperature != 0 and route.sampling.seed is None


class Kept(Protocol):
    """Who may know the answer to a call before it is made."""

    async def find(self, provider: Provider, route: Route, request: Request, sample: str) -> Reply | None:
        """What the call was answered before, if that is known."""
        ...

    async def keep(
        self, provider: Provider, route: Route, request: Request, sample: str, reply: Reply, by: Route
    ) -> None:
        """What it was answered now, `by` its own route or a fallback. Nobody reads the answer before this returns."""
        ...


class Cache:
    """Answers in a SQLite file. `samples`: those that are drawn by chance are kept as well; `warn` is told, once, why
    the file is not used."""

    def __init__(self, path: Path, warn: Warn, samples: bool = False) -> None:
        self._path = path
        self._warn = warn
        self._samples = samples
        self._file: sqlite3.Connection | None = None
        self._broken = False

    async def find(self, provider: Provider, route: Route, request: Request, sample: str) -> Reply | None:
        """What the call was answered before, if it is kept."""
        if not self._keeps(route, request):
            return None
        key, asked = _key(provider, route, request, sample)
        row = self._do(lambda file: file.execute("SELECT request, reply FROM replies WHERE key = ?", (key,)).fetchone())
        if row is None or row[0] != asked:  # an entry that somebody put in the place of another
            return None
        return _read(row[1])

    async def keep(
        self, provider: Provider, route: Route, request: Request, sample: str, reply: Reply, by: Route
    ) -> None:
        """Keep an answer, if it is whole and the call is one that is kept; what a fallback said is not what was asked
        for."""
        if reply.finish != "stop" or reply.lost_events or by != route or not self._keeps(route, request):
            return
        key, asked = _key(provider, route, request, sample)
        kept = {
            "text": reply.text,
            "finish": reply.finish,
            "model": reply.model,
            "input_tokens": reply.usage.input_tokens,
            "output_tokens": reply.usage.output_tokens,
        }
        row = (key, asked, json.dumps(kept))
        self._do(lambda file: file.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", row))

    def _keeps(self, route: Route, request: Request) -> bool:
        """Several answers to one request are several, and not the same again."""
        return request.n == 1 and (self._samples or not is_sampled(route))

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _do(self, what: Callable[[sqlite3.Connection], Any]) -> Any:
        """Do something with the file; None, and never again, when it can not be used."""
        if self._broken:
            return None
        try:
            if self._file is None:
                self._file = _opened(self._path)
            return what(self._file)
        except (OSError, sqlite3.Error, _Unfit) as error:
            self._broken = True
            self.close()
            self._warn(f"the cache {self._path} is not used: {error}")
            return None


class _Unfit(Exception):
    """A file that is not to be trusted as a cache; the message says why."""


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        _check_file(path)
    file = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _check_content(file)
    except BaseException:
        file.close()
        raise
    return file


def _check_file(path: Path) -> None:
    info = path.lstat()
    if not stat.S_ISREG(info.st_mode):
        raise _Unfit("it is no plain file")
    if hasattr(os, "getuid") and info.st_uid != os.getuid():
        raise _Unfit("it belongs to somebody else")
    if info.st_mode & 0o022:
        raise _Unfit("others may write to it")


def _check_content(file: sqlite3.Connection) -> None:
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "journal_mode = WAL", "synchronous = NORMAL"):
        file.execute(f"PRAGMA {pragma}")
    if not (found := file.execute("SELECT sql FROM sqlite_schema").fetchall()):
        file.execute("BEGIN IMMEDIATE")
        if not (found := file.execute("SELECT sql FROM sqlite_schema").fetchall()):  # nobody else was faster
            file.execute(_TABLE)
            file.execute(f"PRAGMA user_version = {_VERSION}")
            found = [(_TABLE,)]
        file.execute("COMMIT")
    if file.execute("PRAGMA user_version").fetchone() != (_VERSION,):
        raise _Unfit("it was written by another version")
    if [sql for (sql,) in found] != [_TABLE]:
        raise _Unfit("it holds something else")
    if file.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise _Unfit("it is damaged")


def _key(provider: Provider, route: Route, request: Request, sample: str) -> tuple[str, str]:
    """The key of a call, and a digest of what was asked alone."""
    secret = provider.api_key.name if provider.api_key else None
    headers = {name: value.name if isinstance(value, Env) else value for name, value in provider.headers.items()}
    asked = _digest(
        {
            "messages": [asdict(message) for message in request.messages],
            "schema": request.schema,
            "model": request.model,
            **({"given": dict(request.given)} if request.given else {}),
        }
    )
    where = {"adapter": provider.adapter, "url": provider.base_url, "key": secret, "headers": headers}
    how = {"sampling": asdict(request.sampling), "length": route.length}
    which = sample if is_sampled(route) else ""
    return _digest({"version": _VERSION, "asked": asked, "where": where, "how": how, "which": which}), asked


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _read(text: str) -> Reply | None:
    """A reply as it was kept; None for anything else."""
    try:
        kept = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(kept, dict) or kept.keys() != _FIELDS or kept["finish"] != "stop":
        return None
    texts, numbers = (kept["text"], kept["model"]), (kept["input_tokens"], kept["output_tokens"])
    if not all(isinstance(one, str) for one in texts) or not all(type(one) is int and one >= 0 for one in numbers):
        return None
    return Reply(kept["text"], "stop", Usage(*numbers), kept["model"])
