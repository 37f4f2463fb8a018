"""Planning, to have for a command the plan of the file that it was given, and what that needs to run."""

import sys

import click

from smoadsl.adapters.base import Fault
from smoadsl.adapters.weights import weights_of
from smoadsl.diagnostics.diagnostic import Severity
from smoadsl.language.check import Given
from smoadsl.plan.compile import Options
from smoadsl.plan.plan import Plan, routes_of
from smoadsl.tools import api
from smoadsl.tools.options import Exit, file_and_pipeline, problems_exit, show_diagnostics


def planned_or_exit(file: str, wanted: Given, root: str | None, options: Options, advises: bool = True) -> Plan:
    """The plan of a pipeline, once all that is to be said of its file is said; its advice if that is wanted. Ends the
    command where there is none."""
    path, pipeline = file_and_pipeline(file)
    try:
        outcome = api.compile(path, pipeline, wanted, options, root)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from None
    show_diagnostics([one for one in outcome.diagnostics if advises or one.severity is not Severity.ADVICE])
    if outcome.value is None:
        sys.exit(problems_exit(outcome.diagnostics))
    return outcome.value


def fetch_weights(plan: Plan) -> None:
    """Have an embedded model's weights here before the run is shown: the first time they are fetched, with a bar."""
    for route in routes_of(plan):
        if plan.providers[route.provider].adapter == "local":
            try:
                weights_of(route.model)
            except Fault as fault:
                click.echo(f"error: {fault.message}", err=True)
                sys.exit(Exit.FAILED)
