"""Run, to put one prompt through a pipeline: the answer to standard output, all else to standard error."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from smoadsl.calls.budget import Limits
from smoadsl.calls.cache import Cache
from smoadsl.language.settings import MOST_OF_BUDGET
from smoadsl.plan.cap import capped, unpriced
from smoadsl.plan.compile import Options
from smoadsl.plan.plan import Plan
from smoadsl.runtime.conversation import Conversation, asked_in
from smoadsl.runtime.events import Event
from smoadsl.runtime.executor import Answer, RunError
from smoadsl.show.live import Live
from smoadsl.show.safe import one_line
from smoadsl.tools import api
from smoadsl.tools.allowing import allow_env
from smoadsl.tools.answered import show_answer
from smoadsl.tools.lacking import keys_or_exit
from smoadsl.tools.locking import made_or_exit
from smoadsl.tools.options import (
    BadData,
    Exit,
    allow_env_option,
    given,
    given_options,
    in_utf8,
    output_path,
    root_option,
)
from smoadsl.tools.outside import Outside, recorded_in, replayed_from
from smoadsl.tools.planning import fetch_weights, planned_or_exit
from smoadsl.tools.sizing import Dollars, passes, without_option
from smoadsl.tools.tracing import Trace
from smoadsl.tools.virtual_clock import Standstill

F = TypeVar("F", bound=Callable[..., Any])


def _cap_options(command: F) -> F:
    """What the run is held to."""
    command = click.option("--max-tokens", type=click.IntRange(1, MOST_OF_BUDGET), metavar="N",
                           help="The same, in tokens.")(command)  # fmt: skip
    command = click.option("--max-calls", type=click.IntRange(1, MOST_OF_BUDGET), metavar="N",
                           help="The same, in calls.")(command)  # fmt: skip
    return click.option("--max-usd", type=Dollars(), metavar="USD",
                        help="Spend no more than this, whatever the file's budget allows.")(command)  # fmt: skip


def _tape_options(command: F) -> F:
    """Where the answers go to, or come from."""
    command = click.option("--replay", metavar="DIR",
                           help="Answer from what was recorded in DIR: no network, no key.")(command)  # fmt: skip
    return click.option("--record", metavar="DIR",
                        help="Keep what each model is asked and answers in DIR.")(command)  # fmt: skip


@click.command()
@click.argument("file")
@click.argument("prompt", required=False)
@click.option("--input", "row", metavar="ROW.json",
              help="A row with a prompt and fields, or with messages, as one of a data set.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object.")
@click.option("--trace", metavar="FILE", help="Write every event to FILE, one JSON object a line.")
@click.option("--seed", default=0, show_default=True, help="What all chance is drawn from.")
@click.option("--locked", is_flag=True, help="Refuse roles that are not locked as they are written.")
@click.option("--cache", is_flag=True, help="Reuse answers of calls that draw nothing by chance, and keep new ones.")
@click.option("--cache-samples", is_flag=True, help="The same for all calls.")
@click.option("--strict", is_flag=True, help="Exit with 4 when the answer is degraded.")
@without_option
@_cap_options
@_tape_options
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
    without: tuple[str, ...],
    cache: bool,
    cache_samples: bool,
    max_usd: Decimal | None,
    max_calls: int | None,
    max_tokens: int | None,
    record: str | None,
    replay: str | None,
    allowed: tuple[str, ...],
    root: str | None,
    params: tuple[str, ...],
    models: tuple[str, ...],
    base_urls: tuple[str, ...],
) -> None:
    """Put PROMPT (`-` or none: standard input) through the pipeline in FILE (FILE:NAME where it has several)."""
    outside = _outside(record, replay, cached=cache or cache_samples)
    cap = Limits(max_usd, max_tokens, max_calls)
    conversation = _conversation(prompt, row)
    wanted = replace(given(params, models, base_urls), roles_may_change=not locked)
    planned = partial(planned_or_exit, file, wanted, root, Options(without=passes(without)))
    plan, outside = _ready(planned, file, not locked, seed, cap, outside, allowed, cached=cache or cache_samples)
    with ExitStack() as stack:
        reads = not as_json and sys.stdout.isatty()
        live = Live(streams=reads and outside.live, terminal=sys.stderr.isatty())
        stack.callback(live.close)
        listeners = [live.show]
        traced = _trace(trace, row) if trace else None
        if traced is not None:
            stack.callback(traced.close)
            listeners.append(traced.hear)
        kept = _cache(cache_samples) if cache or cache_samples else None
        if kept is not None:
            stack.callback(kept.close)
        answer = _answer(plan, conversation, seed, listeners, kept, outside, reads)
    show_answer(answer, live, as_json)
    if traced is not None and not traced.is_whole:
        sys.exit(Exit.FAILED)
    sys.exit(Exit.DEGRADED if strict and answer.degraded else Exit.DONE)


def _trace(path: str, row: str | None) -> Trace:
    try:
        return Trace(output_path("--trace", path, row))
    except OSError as error:
        raise click.UsageError(f"--trace {path}: {error.strerror or error}") from None


def _outside(record: str | None, replay: str | None, cached: bool) -> Outside:
    if record is not None and replay is not None:
        raise click.UsageError("--record asks the models and --replay does not: give one of them")
    if cached and (record is not None or replay is not None):
        option = "--record" if record is not None else "--replay"
        raise click.UsageError(f"{option} with --cache: an answer from the cache is in no recording")
    if record is not None:
        try:
            Path(record).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise click.UsageError(f"--record {record}: {error.strerror or error}") from None
        return recorded_in(Path(record))
    if replay is None:
        return Outside()
    if not Path(replay).is_dir():
        raise click.UsageError(f"--replay {replay}: there is no such folder; `smoadsl run --record` makes one")
    return replayed_from(Path(replay))


def _ready(
    planned: Callable[[], Plan],
    file: str,
    makes_roles: bool,
    seed: int,
    cap: Limits,
    outside: Outside,
    allowed: Sequence[str],
    cached: bool,
) -> tuple[Plan, Outside]:
    """The plan with all that its run needs: its roles made, its weights here, its budget no more than the cap; and the
    outside with the keys that may go there."""
    plan = planned()
    missing = ", ".join(recipe.name for recipe in plan.recipes)
    if missing and not makes_roles:
        click.echo(f"error: the roles of {missing} are not locked: run `smoadsl lock {file}`", err=True)
        sys.exit(Exit.PROBLEMS)
    if why := unpriced(plan, cap):
        raise click.UsageError(one_line(why))
    if missing and cap != Limits():
        raise click.UsageError(
            f"the roles of {missing} are still to be made, which no limit holds: `smoadsl lock` them"
        )
    if outside.live:
        keys = allow_env(plan.providers, allowed)
        outside = replace(outside, options={**outside.options, "allow_env": keys})
        if not cached:  # what the cache answers needs no key
            keys_or_exit([plan])
    if missing:
        plan = _with_roles(plan, planned, seed, outside)
    if outside.live:
        fetch_weights(plan)
    return capped(plan, cap), outside


def _answer(
    plan: Plan,
    conversation: Conversation,
    seed: int,
    listeners: list[Callable[[Event], None]],
    cache: Cache | None,
    outside: Outside,
    streams: bool,
) -> Answer:
    """The run's answer. Ends the program where there is none, or where a recording lacks a part of it."""

    def on_event(event: Event) -> None:
        for listener in listeners:
            listener(event)

    run = api.run(plan, conversation, seed=seed, on_event=on_event, cache=cache, streams=streams, **outside.options)
    answer: Answer | None = None
    try:
        answer = outside.run(run)
    except RunError:
        pass  # told as an event, and so shown
    except Standstill:
        click.echo("error: the recording breaks off: what this run waits for was never answered", err=True)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    for sentence in dict.fromkeys(outside.missing):
        click.echo(f"error: {one_line(sentence)}", err=True)
    if answer is None or outside.missing:
        sys.exit(Exit.FAILED)
    return answer


def _cache(samples: bool) -> Cache:
    """The cache of whoever runs this: `SMOADSL_CACHE`, or a file in the folder that the system keeps for such."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = Path(os.environ.get("SMOADSL_CACHE") or folder / "smoadsl" / "answers.sqlite3")
    return Cache(path, lambda said: click.echo(f"warning: {said}", err=True), samples)


def _with_roles(plan: Plan, planned: Callable[[], Plan], seed: int, outside: Outside) -> Plan:
    """The plan once the roles that no lock has are made and pinned."""
    made_or_exit(plan.making, outside.run, seed=seed, **outside.options)
    return planned()


def _conversation(prompt: str | None, row: str | None) -> Conversation:
    if prompt is not None and row is not None:
        raise click.UsageError("give a prompt or --input, not both")
    if row is not None:
        try:
            return _asked_in(orjson.loads(Path(row).read_bytes()))
        except OSError as error:
            raise click.UsageError(f"--input {row}: {error.strerror or error}") from None
        except ValueError as error:
            raise BadData(f"--input {row}: {error}") from None
    if prompt in (None, "-"):
        if sys.stdin.isatty():
            click.echo("the prompt, then Ctrl-D:", err=True)
        prompt = _standard_input()
    if not prompt.strip():
        raise click.UsageError("the prompt is empty: give it as an argument, with --input, or on standard input")
    return Conversation.of(in_utf8("the prompt", prompt))


def _asked_in(row: Any) -> Conversation:
    """What a row asks. Raises `ValueError`."""
    if not isinstance(row, dict):
        raise ValueError("it must be one JSON object")
    conversation, following = asked_in(row)
    if following:
        count = 1 + len(following)
        raise ValueError(
            f"`turns` has {count} texts, and a run asks one: `smoadsl batch` asks them one after the other"
        )
    return conversation


def _standard_input() -> str:
    try:
        return sys.stdin.read().strip()
    except OSError as error:
        raise click.UsageError(f"standard input: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise click.UsageError(f"the prompt is not in UTF-8: there are other bytes at byte {error.start + 1}") from None
