"""Check, to say everything that is wrong with files, without network, keys or code of theirs."""

import sys

import click

from smoadsl.diagnostics.diagnostic import Outcome
from smoadsl.tools.checking import everything_about
from smoadsl.tools.options import Exit, show_diagnostics
from smoadsl.tools.reader import DiskReader, read_source, root_of


@click.command()
@click.argument("files", nargs=-1, required=True)
def command(files: tuple[str, ...]) -> None:
    """Say everything that is wrong with FILES."""
    bad = 0
    for file in files:
        try:
            read = read_source(file)
        except OSError as error:
            raise click.UsageError(f"{file}: {error.strerror or error}") from None
        said = read.diagnostics
        if read.value is not None:
            said = everything_about(read.value, DiskReader(root_of(file))).diagnostics
        show_diagnostics(said)
        bad += not Outcome(True, said).ok
    count = f"{len(files)} file{'s' * (len(files) != 1)}"
    click.echo(f"{count}: no problems" if not bad else f"{count}, {bad} with errors", err=True)
    sys.exit(Exit.PROBLEMS if bad else Exit.DONE)
