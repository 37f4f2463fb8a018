"""Doctor, to say which providers can be asked: who has a key, answers, how fast, and with which models."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from textwrap import wrap

import click
import orjson

from smoadsl.calls.health import Health
from smoadsl.calls.keys import bound_of
from smoadsl.language.check import Given
from smoadsl.plan.compile import plan_of
from smoadsl.plan.plan import Plan
from smoadsl.show.safe import encodable, one_line
from smoadsl.tools import api
from smoadsl.tools.allowing import allow_env
from smoadsl.tools.examining import at_hand, examined, needed_by
from smoadsl.tools.options import (
    Exit,
    allow_env_option,
    file_and_pipeline,
    given,
    given_options,
    problems_exit,
    root_option,
    show_diagnostics,
    text_width,
)

_MOST_LINES = 2  # of the models that a provider lists
_INDENT = " " * 4


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE[:NAME]]…")
@click.option("--json", "as_json", is_flag=True, help="All that was found, every model too, as one JSON array.")
@allow_env_option
@root_option
@given_options
def command(
    files: tuple[str, ...],
    as_json: bool,
    allowed: tuple[str, ...],
    root: str | None,
    params: tuple[str, ...],
    models: tuple[str, ...],
    base_urls: tuple[str, ...],
) -> None:
    """Ask the providers of FILES how they are; without files, those whose key is set and servers on this machine.

    Each is asked for the list of its models, for 5 seconds at most, which costs nothing. Exits with 1 when one that a
    file needs can not be asked.
    """
    wanted = given(params, models, base_urls)
    plans = [plan for file in files for plan in _plans(file, wanted, root)]
    wanted_of = needed_by(plans) if files else at_hand(os.environ)
    keys = allow_env({one.name: one for one, _ in wanted_of}, allowed)
    found = examined(wanted_of, os.environ, allowed=frozenset(map(bound_of, keys)))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps([asdict(one) for one in found], option=orjson.OPT_INDENT_2) + b"\n")
    else:
        text = "\n".join(_told(found, all_are_needed=bool(files)))
        click.echo(encodable(text, sys.stdout.encoding))
    ill = sum(not one.well for one in found)
    click.echo(f"{len(found)} examined, {len(found) - ill} well", err=True)
    sys.exit(Exit.PROBLEMS if files and ill else Exit.DONE)


def _plans(file: str, wanted: Given, root: str | None) -> Iterator[Plan]:
    """The plan that is named, or those of all of a file's pipelines."""
    path, name = file_and_pipeline(file)
    try:
        program = api.analyse(path, wanted, root)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from None
    if not program.ok or program.value is None:
        show_diagnostics(program.diagnostics)
        sys.exit(problems_exit(program.diagnostics))
    pipelines = program.value.pipelines
    if name is not None and name not in pipelines:
        raise click.UsageError(f"{path} has no pipeline {name}: there are {', '.join(program.value.main)}")
    for one in program.value.main if name is None else (name,):
        made = plan_of(pipelines[one])
        if made.value is None:
            show_diagnostics(made.diagnostics)
            sys.exit(problems_exit(made.diagnostics))
        yield made.value


def _told(found: Sequence[Health], all_are_needed: bool) -> Iterator[str]:
    """Each provider; servers that nobody needs and that do not run are no more than named."""
    away = [one for one in found if not (all_are_needed or one.well or one.key)]
    for one in found:
        if one not in away:
            yield from _lines(one, text_width())
    if away:
        yield f"– not running here: {', '.join(one.provider for one in away)}"
    if not all_are_needed and not any(one.key for one in found):
        yield "– no key is set: `smoadsl providers` names the variables"


def _lines(one: Health, width: int) -> Iterator[str]:
    key = f" · key in {one.key}" if one.key and one.key_is_set else ""
    count = "" if one.models is None else f" · {len(one.models):,} model{'s' * (len(one.models) != 1)}"
    took = "" if one.seconds is None else f" · {one.seconds:.2f} s"
    yield one_line(f"{'✓' if one.well else '✗'} {one.provider}{took}{count}{key}")
    if one.said:
        yield from _wrapped(one.said, width)
    for model in one.lacking:
        yield from _wrapped(f"does not list {model}, which is to be asked", width)
    if one.models:
        yield from _some(one.models, width)


def _some(models: Sequence[str], width: int) -> Iterator[str]:
    """As many models as a few lines hold."""
    lines = _wrapped(", ".join(models), width)
    yield from lines[:_MOST_LINES]
    shown = sum(line.count(", ") + 1 for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"{_INDENT}and {len(models) - shown:,} more"


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(one_line(text), width, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False)
