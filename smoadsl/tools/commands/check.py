"""Check, to say everything that is wrong with files, without network, keys or code of theirs."""

import sys

import click

from smoadsl.diagnostics.diagnostic import Outcome, in_order
from smoadsl.language.check import check
from smoadsl.language.load import load
from smoadsl.tools.options import Exit, root_option, show_diagnostics
from smoadsl.tools.reader import read_source, reader_for


@click.command()
@click.argument("files", nargs=-1, required=True)
@root_option
def command(files: tuple[str, ...], root: str | None) -> None:
    """Say everything that is wrong with FILES."""
    bad = 0
    for file in files:
        try:
            reader, read = reader_for(file, root), read_source(file)
        except OSError as error:
            raise click.UsageError(f"{file}: {error.strerror or error}") from None
        said = read.diagnostics
        if read.value is not None:
            loaded = load(read.value, reader)
            program = check(loaded.value) if loaded.value else Outcome(None)
            said = in_order([*loaded.diagnostics, *program.diagnostics])
        show_diagnostics(said)
        bad += not Outcome(True, said).ok
    count = f"{len(files)} file{'s' * (len(files) != 1)}"
    click.echo(f"{count}: no problems" if not bad else f"{count}, {bad} with errors", err=True)
    sys.exit(Exit.PROBLEMS if bad else Exit.DONE)
