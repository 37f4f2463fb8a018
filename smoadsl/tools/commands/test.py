"""Test, to run the tests that stand in files, on a virtual clock, without network or key."""

import sys

import click

from smoadsl.tools import api
from smoadsl.tools.failing import failing_text
from smoadsl.tools.options import Exit, root_option, show_diagnostics
from smoadsl.tools.rehearse import rehearse


@click.command()
@click.argument("files", nargs=-1, required=True)
@root_option
def command(files: tuple[str, ...], root: str | None) -> None:
    """Run the tests in FILES."""
    passed = failed = 0
    broken = False
    for file in files:
        try:
            program = api.analyse(file, root=root)
        except OSError as error:
            raise click.UsageError(f"{file}: {error.strerror or error}") from None
        show_diagnostics(program.diagnostics)
        if program.value is None or not program.ok:
            broken = True
            continue
        for test in program.value.tests:
            result = rehearse(test)
            passed, failed = passed + result.passed, failed + (not result.passed)
            click.echo(f"{'pass' if result.passed else 'FAIL'}  {file}: {test.title}")
            if not result.passed:
                click.echo(f"\n{failing_text(result)}")
    click.echo(f"{passed} passed, {failed} failed", err=True)
    sys.exit(Exit.PROBLEMS if failed or broken else Exit.DONE)
