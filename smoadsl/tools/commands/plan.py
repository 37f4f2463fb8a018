"""Plan, to show what a pipeline will do and what it can cost, before anything is paid for."""

import sys

import click

from smoadsl.show.steps import plan_text
from smoadsl.tools import api
from smoadsl.tools.options import (
    Exit,
    file_and_pipeline,
    given,
    given_options,
    problems_exit,
    root_option,
    show_diagnostics,
)


@click.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="The whole plan as JSON.")
@root_option
@given_options
def command(
    file: str,
    as_json: bool,
    root: str | None,
    params: tuple[str, ...],
    models: tuple[str, ...],
    base_urls: tuple[str, ...],
) -> None:
    """Show what the pipeline in FILE will do (FILE:NAME where it has several)."""
    path, pipeline = file_and_pipeline(file)
    try:
        outcome = api.compile(path, pipeline, given(params, models, base_urls), root)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from None
    show_diagnostics(outcome.diagnostics)
    if outcome.value is None:
        sys.exit(problems_exit(outcome.diagnostics))
    click.echo(outcome.value.model_dump_json(indent=2) if as_json else plan_text(outcome.value), nl=as_json)
    sys.exit(Exit.DONE)
