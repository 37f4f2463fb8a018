"""Lock, to make the roles that a file generates and pin them beside it, to be committed and reviewed."""

import asyncio
import sys
from dataclasses import replace

import click

from smoadsl.plan.lower import lower_recipes
from smoadsl.tools import api
from smoadsl.tools.allowing import allow_env
from smoadsl.tools.locking import made_or_exit
from smoadsl.tools.options import (
    Exit,
    allow_env_option,
    as_line,
    given,
    given_options,
    problems_exit,
    root_option,
    show_diagnostics,
)


@click.command()
@click.argument("file")
@click.option("--check", "only_check", is_flag=True, help="Make nothing; exit with 1 when a lock is missing or stale.")
@click.option("--seed", default=0, show_default=True, help="What all chance is drawn from.")
@allow_env_option
@root_option
@given_options
def command(
    file: str,
    only_check: bool,
    seed: int,
    allowed: tuple[str, ...],
    root: str | None,
    params: tuple[str, ...],
    models: tuple[str, ...],
    base_urls: tuple[str, ...],
) -> None:
    """Make the roles that FILE generates and pin them in FILE.lock."""
    may_change = replace(given(params, models, base_urls), roles_may_change=True)
    try:
        program = api.analyse(file, may_change, root)
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror or error}") from None
    show_diagnostics(program.diagnostics)
    if program.value is None or not program.ok:
        sys.exit(problems_exit(program.diagnostics))
    making = lower_recipes(program.value.recipes)
    names = ", ".join(recipe.name for recipe in making.recipes)
    if not making.recipes:
        said = "every list of roles is locked" if program.value.recipes else "no list of roles is generated here"
        click.echo(f"{as_line(file)}: {said}", err=True)
        sys.exit(Exit.DONE)
    if only_check:
        click.echo(f"{as_line(file)}: not locked as written: {names}", err=True)
        sys.exit(Exit.PROBLEMS)
    keys = allow_env(making.providers, allowed)
    made_or_exit(making, asyncio.run, seed=seed, allow_env=keys)
