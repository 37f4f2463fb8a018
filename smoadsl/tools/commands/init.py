"""Init, to write a first pipeline that runs here, with comments and a test, and say what to type next."""

import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from smoadsl.tools.options import Exit
from smoadsl.tools.starter import LOCAL, starter


@click.command()
@click.argument("file", default="pipeline.moa")
def command(file: str) -> None:
    """Write a first pipeline to FILE (pipeline.moa), for a provider whose key is set here, else for the local model."""
    if not file.endswith(".moa"):
        raise click.UsageError(f"{file}: the name of a file with pipelines ends with .moa")
    made = starter(os.environ)
    try:
        with Path(file).open("x", encoding="utf-8", newline="\n") as new:
            new.write(made.text)
    except FileExistsError:
        raise click.UsageError(f"{file} is there already: name another file") from None
    except FileNotFoundError:
        raise click.UsageError(f"{file}: there is no folder {Path(file).parent}") from None
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror or error}") from None
    why = f"{made.key} is set" if made.key else "it needs no key"
    if made.model == LOCAL and find_spec("xllamacpp") is None:
        why += ", but a package that is not here: pip install 'smoadsl[local]'"
    name = shlex.quote(file)
    click.echo(f"{file} written, for {made.model}: {why}. Next:\n", err=True)
    click.echo(f'  smoadsl test {name}\n  smoadsl run {name} "Why is the sky blue?"', err=True)
    sys.exit(Exit.DONE)
