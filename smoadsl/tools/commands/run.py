"""Run, to put one prompt through a pipeline: the answer to standard output, all else to standard error."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click
import orjson

from smoadsl.adapters.base import Fault
from smoadsl.adapters.weights import weights_of
from smoadsl.calls.cache import Cache
from smoadsl.language.check import Given
from smoadsl.plan.plan import Plan, routes_of
from smoadsl.runtime.conversation import Conversation, conversation_from_row
from smoadsl.runtime.events import Event
from smoadsl.runtime.executor import RunError
from smoadsl.runtime.journal import journal_to
from smoadsl.runtime.roles import NoRoles
from smoadsl.show.live import Live
from smoadsl.show.safe import encodable, printable_text
from smoadsl.show.totals import totals_line
from smoadsl.tools import api
from smoadsl.tools.allowing import allow_env
from smoadsl.tools.locking import lock_roles
from smoadsl.tools.options import (
    Exit,
    allow_env_option,
    file_and_pipeline,
    given,
    given_options,
    problems_exit,
    root_option,
    show_diagnostics,
)


@click.command()
@click.argument("file")
@click.argument("prompt", required=False)
@click.option("--input", "row", metavar="ROW.json", help="A row with a prompt and fields, or with messages.")
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object.")
@click.option("--trace", metavar="FILE", help="Write every event to FILE, one JSON object a line.")
@click.option("--seed", default=0, show_default=True, help="What all chance is drawn from.")
@click.option("--locked", is_flag=True, help="Refuse roles that are not locked as they are written.")
@click.option("--cache", is_flag=True, help="Reuse answers of calls that draw nothing by chance, and keep new ones.")
@click.option("--cache-samples", is_flag=True, help="The same for all calls.")
@click.option("--strict", is_flag=True, help="Exit with 4 when the answer is degraded.")
@allow_env_option
@root_option
@given_options
def command(
    file: str,
    prompt: str | None,
    row: str | None,
    as_json: bool,
    trace: str | None,
    seed: int,
    locked: bool,
    strict: bool,
    cache: bool,
    cache_samples: bool,
    allowed: tuple[str, ...],
    root: str | None,
    params: tuple[str, ...],
    models: tuple[str, ...],
    base_urls: tuple[str, ...],
) -> None:
    """Put PROMPT (or standard input) through the pipeline in FILE (FILE:NAME where it has several)."""
    conversation = _conversation(prompt, row)
    wanted = replace(given(params, models, base_urls), roles_may_change=not locked)
    plan = _plan(file, wanted, root)
    if plan.recipes and locked:
        missing = ", ".join(recipe.name for recipe in plan.recipes)
        click.echo(f"error: the roles of {missing} are not locked: run `smoadsl lock {file}`", err=True)
        sys.exit(Exit.PROBLEMS)
    keys = allow_env(plan.providers, allowed)
    if plan.recipes:
        plan = _with_roles(plan, file, wanted, seed, root, keys)
    _fetch_weights(plan)
    live = Live(streams=not as_json and sys.stdout.isatty(), terminal=sys.stderr.isatty())
    with ExitStack() as stack:
        stack.callback(live.close)
        listeners = [live.show]
        if trace:
            try:
                listeners.append(journal_to(stack.enter_context(Path(trace).open("wb"))))
            except OSError as error:
                raise click.UsageError(f"--trace {trace}: {error.strerror or error}") from None

        def on_event(event: Event) -> None:
            for listener in listeners:
                listener(event)

        kept = _cache(cache_samples) if cache or cache_samples else None
        if kept is not None:
            stack.callback(kept.close)
        try:
            answer = asyncio.run(api.run(plan, conversation, seed=seed, on_event=on_event, cache=kept, allow_env=keys))
        except RunError:
            sys.exit(Exit.FAILED)  # told as an event, and so shown
        except KeyboardInterrupt:
            sys.exit(Exit.INTERRUPTED)
        live.close()
    if as_json:
        value = {"text": answer.text, "value": answer.value, "degraded": answer.degraded}
        sys.stdout.buffer.write(orjson.dumps(value | {"totals": answer.totals.model_dump()}) + b"\n")
    elif not live.streamed:
        _print(answer.text)
    click.echo(totals_line(answer.totals), err=True)
    sys.exit(Exit.DEGRADED if strict and answer.degraded else Exit.DONE)


def _plan(file: str, wanted: Given, root: str | None) -> Plan:
    path, pipeline = file_and_pipeline(file)
    try:
        outcome = api.compile(path, pipeline, wanted, root=root)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from None
    show_diagnostics(outcome.diagnostics)
    if outcome.value is None:
        sys.exit(problems_exit(outcome.diagnostics))
    return outcome.value


def _cache(samples: bool) -> Cache:
    """The cache of whoever runs this: `SMOADSL_CACHE`, or a file in the folder that the system keeps for such."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = Path(os.environ.get("SMOADSL_CACHE") or folder / "smoadsl" / "answers.sqlite3")
    return Cache(path, lambda said: click.echo(f"warning: {said}", err=True), samples)


def _fetch_weights(plan: Plan) -> None:
    """Have an embedded model's weights here before the run is shown: the first time they are fetched, with a bar."""
    for route in routes_of(plan):
        if plan.providers[route.provider].adapter == "local":
            try:
                weights_of(route.model)
            except Fault as fault:
                click.echo(f"error: {fault.message}", err=True)
                sys.exit(Exit.FAILED)


def _with_roles(plan: Plan, file: str, wanted: Given, seed: int, root: str | None, keys: Sequence[str]) -> Plan:
    """The plan once the roles that no lock has are made and pinned."""
    click.echo("making roles: " + ", ".join(recipe.name for recipe in plan.recipes), err=True)
    try:
        for path in asyncio.run(lock_roles(plan.making, seed=seed, allow_env=keys)):
            click.echo(f"{path} written: review and commit it", err=True)
    except NoRoles as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(Exit.FAILED)
    return _plan(file, wanted, root)


def _print(answer: str) -> None:
    """As it is into a pipe or a file; to a terminal, what can not steer it."""
    if sys.stdout.isatty():
        click.echo(encodable(printable_text(answer), sys.stdout.encoding))
    else:
        sys.stdout.buffer.write(answer.encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.flush()


def _conversation(prompt: str | None, row: str | None) -> Conversation:
    if prompt is not None and row is not None:
        raise click.UsageError("give a prompt or --input, not both")
    if row is not None:
        try:
            value = orjson.loads(Path(row).read_bytes())
            if not isinstance(value, dict):
                raise ValueError("it must be one JSON object")
            return conversation_from_row(value)
        except OSError as error:
            raise click.UsageError(f"--input {row}: {error.strerror or error}") from None
        except ValueError as error:
            raise click.UsageError(f"--input {row}: {error}") from None
    if prompt is None:
        if sys.stdin.isatty():
            click.echo("the prompt, then Ctrl-D:", err=True)
        prompt = sys.stdin.read().strip()
    if not prompt.strip():
        raise click.UsageError("the prompt is empty: give it as an argument, with --input, or on standard input")
    return Conversation.of(prompt)
