"""Locking, to make the roles that a plan still lacks and pin them in the lock file beside their source."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from random import Random
from tempfile import NamedTemporaryFile

from smoadsl.adapters import open_adapter
from smoadsl.calls.caller import Caller
from smoadsl.calls.keys import bound_of
from smoadsl.calls.session import Opener, Session
from smoadsl.language.lock import Entry, entries_in, lock_text
from smoadsl.plan.plan import Making
from smoadsl.runtime.events import Event
from smoadsl.runtime.roles import make_roles


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
    before it are kept. Raises `Unbound` before anything is made.
    """
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
            path = _add_to_lock(recipe.file, by_file[recipe.file])
            if path not in written:
                written.append(path)
    return written


def _add_to_lock(file: str, entries: Mapping[str, Entry]) -> Path:
    path = Path(f"{file}.lock")
    before = entries_in(path.read_text(encoding="utf-8")) if path.exists() else {}
    replace_file(path, lock_text({**before, **entries}))
    return path


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
