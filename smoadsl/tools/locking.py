"""Locking, to make the roles that a plan still lacks and pin them in the lock file beside their source."""

import errno
import os
import stat
import sys
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from random import Random
from tempfile import NamedTemporaryFile
from typing import Any

import click

from smoadsl.adapters import open_adapter
from smoadsl.calls.caller import Caller
from smoadsl.calls.keys import bound_of
from smoadsl.calls.session import Opener, Session
from smoadsl.language.lock import BadLock, Entry, entries_in, lock_text
from smoadsl.plan.plan import Making
from smoadsl.runtime.events import Event
from smoadsl.runtime.roles import NoRoles, make_roles
from smoadsl.show.safe import printable_text
from smoadsl.tools.options import Exit

_ROLE_BYTES = 1_000  # more than most roles have


class Unwritten(NoRoles):
    """Roles that were made, and that no lock could take; `text` is what should stand in it."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.text = text


async def lock_roles(
    making: Making,
    *,
    seed: int = 0,
    on_event: Callable[[Event], None] | None = None,
    environ: Mapping[str, str] | None = None,
    opener: Opener = open_adapter,
    allow_env: Iterable[str] = (),
    keyless: bool = False,
) -> list[Path]:
    """Make each list of roles and write the lock files; which ones is returned.

    `environ`, `opener`, `allow_env` and `keyless` are those of `smoadsl.run`. Raises `NoRoles`; lists that were made
    before it are kept. Raises `Unbound`, and `NoRoles` for a lock that can not be written, before anything is made;
    `Unwritten` if it can not be in the end.
    """
    for file in dict.fromkeys(recipe.file for recipe in making.recipes):
        try:
            _try_to_write(lock_path(file), sum(recipe.n for recipe in making.recipes))
        except (OSError, BadLock) as error:
            raise NoRoles(f"{_unwritable(file, error)}, so no roles were made") from None
    allowed = frozenset(bound_of(text) for text in allow_env)
    written: list[Path] = []
    by_file: dict[str, dict[str, Entry]] = defaultdict(dict)
    providers = {name: one.without_keys() if keyless else one for name, one in making.providers.items()}
    async with Session(providers, os.environ if environ is None else environ, opener, allowed) as session:
        caller = Caller(session, Random(seed))
        for recipe in making.recipes:
            roles = await make_roles(making, recipe, caller, on_event or (lambda _: None), seed)
            made = Entry(recipe.fingerprint, recipe.n, recipe.call.routes[0].name, roles)
            by_file[recipe.file][recipe.name] = made
            path = lock_path(recipe.file)
            try:
                replace_file(path, lock_text({**_entries(path), **by_file[recipe.file]}))
            except (OSError, BadLock) as error:
                text = lock_text(by_file[recipe.file])
                raise Unwritten(f"{_unwritable(recipe.file, error)}; these roles were made:", text) from None
            if path not in written:
                written.append(path)
    return written


def made_or_exit(making: Making, run: Callable[[Coroutine[Any, Any, list[Path]]], list[Path]], **options: Any) -> None:
    """What `lock_roles` does, told on standard error; `run` runs it. Ends the command where there are no roles."""
    click.echo("making roles: " + ", ".join(recipe.name for recipe in making.recipes), err=True)
    try:
        for path in run(lock_roles(making, **options)):
            click.echo(f"{path} written: review and commit it", err=True)
    except NoRoles as error:
        click.echo(f"error: {error}", err=True)
        if isinstance(error, Unwritten):
            click.echo(printable_text(error.text), err=True, nl=False)
        sys.exit(Exit.FAILED)


def lock_path(file: str) -> Path:
    return Path(f"{file}.lock")


def _entries(path: Path) -> dict[str, Entry]:
    """What the lock has now. Raises `OSError` and `BadLock`."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "no plain file")  # which might never end
        return entries_in(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise BadLock("is not UTF-8") from None


def _try_to_write(path: Path, roles: int) -> None:
    """Find out now, as well as can be, what would else be found out when the roles are paid for. Raises `OSError` and
    `BadLock`."""
    _entries(path)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as file:
        file.write(bytes(roles * _ROLE_BYTES))
        file.flush()


def _unwritable(file: str, error: OSError | BadLock) -> str:
    """What is wrong, as the beginning of a sentence."""
    if isinstance(error, BadLock):
        return f"{lock_path(file)} {error}"
    return f"{lock_path(file)} can not be written: {error.strerror or error}"


def replace_file(path: Path, text: str) -> None:
    """Put a whole file in the place of another, or leave that as it is."""
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, path.stat().st_mode & 0o777 if path.exists() else 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
