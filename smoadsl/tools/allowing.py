"""Allowing, to remember outside of any project which keys their owner lets go where."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

import click
import orjson

from smoadsl.calls.keys import Bound, Keys, Unbound, bound_of
from smoadsl.calls.route import Provider
from smoadsl.diagnostics.render.text import printable
from smoadsl.tools.options import Exit

_CI = ("CI", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION")  # what systems that run jobs for others set
_MOST_BYTES = 1 << 20


class Unreadable(Exception):
    """A file that was to say what is allowed, and is not to be trusted; the message is one sentence."""


def allow_env(providers: Mapping[str, Provider], wanted: Sequence[str]) -> tuple[str, ...]:
    """What a run of these providers takes as its `allow_env`: what `--allow-env` says, and what it said earlier. Ends
    the command when a key would go elsewhere, before anything is paid for or written."""
    try:
        allowed = allowed_keys(wanted, os.environ, lambda line: click.echo(printable(line), err=True))
        Keys(os.environ, allowed).check(providers.values())
    except ValueError as error:
        raise click.UsageError(f"--allow-env {error}") from None
    except (Unreadable, Unbound) as error:
        click.echo(printable(f"error: {error}"), err=True)
        sys.exit(Exit.FAILED)
    return tuple(map(str, allowed))


def allowed_keys(wanted: Iterable[str], environ: Mapping[str, str], told: Callable[[str], None]) -> frozenset[Bound]:
    """What is allowed now: `wanted` (each `NAME=ORIGIN`), which is remembered, and what was remembered before.

    In CI and for who has no home, only `wanted` counts. `told` is given a line on what is new. Raises `ValueError` for
    what is no `NAME=ORIGIN`, and `Unreadable`.
    """
    given = frozenset(bound_of(text) for text in wanted)
    path = memory(environ)
    if path is None:
        return given
    before = _read(path)
    if new := sorted(given - before):
        try:
            _write(path, before | given)
            told(f"{', '.join(map(str, new))}: allowed from now on, as {path} says")
        except OSError as error:
            told(f"{', '.join(map(str, new))}: allowed this once: {path}: {error.strerror or error}")
    return before | given


def memory(environ: Mapping[str, str]) -> Path | None:
    """The file that remembers, in the folder that the user's system has for such; None where nothing is remembered."""
    if any(environ.get(name, "").lower() not in ("", "0", "false") for name in _CI):
        return None
    home = environ.get("HOME", "")
    for folder in (environ.get("XDG_CONFIG_HOME", ""), environ.get("APPDATA", ""), home and f"{home}/.config"):
        if folder and Path(folder).is_absolute():
            return Path(folder) / "smoadsl" / "keys.json"
    return None


def _read(path: Path) -> frozenset[Bound]:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise Unreadable(f"{path} can not be read: {error.strerror or error}") from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o022):
            raise Unreadable(f"{path} could have been written by others: see who owns it, then `chmod 600` it")
        content = file.read(_MOST_BYTES)
    try:
        match orjson.loads(content):
            case {"allow_env": [*texts], **others} if not others and all(isinstance(text, str) for text in texts):
                return frozenset(bound_of(text) for text in texts)
    except (orjson.JSONDecodeError, ValueError):
        pass
    raise Unreadable(f'{path} is not as it was written, {{"allow_env": ["NAME=ORIGIN"]}}: mend it, or remove it')


def _write(path: Path, allowed: Iterable[Bound]) -> None:
    """The whole file or none of it, for nobody else to read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = orjson.dumps({"allow_env": sorted(map(str, allowed))}, option=orjson.OPT_INDENT_2)
    with NamedTemporaryFile(dir=path.parent, prefix=".keys.", delete=False) as file:  # made with mode 0600
        try:
            file.write(content + b"\n")
            file.flush()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
