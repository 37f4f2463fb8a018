"""Batch, to put every row of a data set through a pipeline: the answers beside the rows, in a file of their own."""

import asyncio
import os
import sys
import time
from contextlib import redirect_stdout
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import NoReturn

import click

from smoadsl.adapters.base import Fault
from smoadsl.calls.budget import Limits
from smoadsl.calls.keys import Bound, bound_of
from smoadsl.calls.session import Session
from smoadsl.plan.cap import unpriced
from smoadsl.plan.compile import Options
from smoadsl.plan.plan import Plan, routes_of
from smoadsl.scale.batch import Settings
from smoadsl.scale.ledger import Ledger, open_ledger
from smoadsl.scale.output import write_output, writer_for
from smoadsl.scale.ray_cluster import Cluster, ClusterError
from smoadsl.scale.ray_engine import sit_on_cluster
from smoadsl.scale.rows import Data, Unfit, reader_of
from smoadsl.scale.schema import LedgerError
from smoadsl.scale.sitting import Changed, Sitting, Watch, Work, folder_of, sit, stopped
from smoadsl.score.formats import FORMATS
from smoadsl.show.safe import counted, one_line
from smoadsl.tools.allowing import allow_env
from smoadsl.tools.exporting import Export
from smoadsl.tools.handles import rows_at_once
from smoadsl.tools.lacking import keys_or_exit
from smoadsl.tools.listening import INTERRUPTED, listen, listen_no_more
from smoadsl.tools.options import SEED, BadData, Exit, allow_env_option, given, given_options, mapped, root_option
from smoadsl.tools.paying import ask_before_paying
from smoadsl.tools.planning import fetch_weights, planned_or_exit
from smoadsl.tools.progress import Bar, shown_in, tell
from smoadsl.tools.sizing import Dollars, passes, without_option


@click.command()
@click.argument("file")
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="OUT",
              help="Where the rows go with their answers: .jsonl, .csv, .tsv or .parquet.")  # fmt: skip
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN",
              help="Read a field (as `prompt`) from a column of another name.")  # fmt: skip
@click.option("--concurrency", type=click.IntRange(1, 100_000), default=32, show_default=True,
              help="How many rows are under way at once.")  # fmt: skip
@click.option("--max-usd", type=Dollars(), metavar="USD", help="Spend no more than this in all, over all sittings.")
@click.option("--export", type=click.Choice(tuple(FORMATS)),
              help="Write the answers in a benchmark's form as well, beside OUT.")  # fmt: skip
@click.option("--generator", metavar="NAME", help="Who has answered, in that form: the pipeline unless it is named.")
@click.option("--yes", is_flag=True, help="Begin without a question about the price.")
@click.option("--strict", is_flag=True, help="Stop at the first row without an answer.")
@click.option("--accept-changed", is_flag=True, help="Go on though the pipeline or the data changed.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
              help="Work in this process, or in those of a Ray cluster.")  # fmt: skip
@click.option("--ray-address", metavar="HOST:PORT", help="The cluster to work on; else one is started here.")
@click.option("--workers", type=click.IntRange(1, 10_000), metavar="N", help="How many processes of the cluster work.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="What all chance is drawn from.")
@without_option
@allow_env_option
@root_option
@given_options
def command(
    file: str,
    data: Path,
    output: Path,
    columns: tuple[str, ...],
    concurrency: int,
    max_usd: Decimal | None,
    export: str | None,
    generator: str | None,
    yes: bool,
    strict: bool,
    accept_changed: bool,
    engine: str,
    ray_address: str | None,
    workers: int | None,
    seed: int,
    without: tuple[str, ...],
    allowed: tuple[str, ...],
    root: str | None,
    params: tuple[str, ...],
    models: tuple[str, ...],
    base_urls: tuple[str, ...],
) -> None:
    """Put each row of DATA (.jsonl, .json, .csv, .tsv, .parquet) through the pipeline in FILE.

    A row's prompt is its `messages`, `turns`, `prompt`, `instruction` or `question`. The same command goes on where it
    was stopped, whatever stopped it; what was paid for stands in the folder OUT.run.
    """
    if engine == "local" and (ray_address is not None or workers is not None):
        raise click.UsageError("--ray-address and --workers are for --engine ray")
    cluster = Cluster(ray_address, workers) if engine == "ray" else None
    plan = planned_or_exit(file, given(params, models, base_urls), root, Options(without=passes(without)))
    _check(plan, file, max_usd)
    read = Data(data, mapped(columns))
    work = _work(plan, read, output)
    if not yes:
        ask_before_paying([plan], work.rows, max_usd, again=folder_of(output).is_dir())
    allow = allow_env(plan.providers, allowed)
    if cluster is None:  # in a cluster, keys are read where a worker runs
        keys_or_exit([plan], every_route=True)
    fetch_weights(plan)
    if cluster is None:
        concurrency = rows_at_once(min(concurrency, max(1, work.rows)), [plan])
    settings = Settings(concurrency, seed, max_usd, strict=strict)
    bar = Bar(work.rows, time.monotonic, terminal=sys.stderr.isatty())
    exported = Export(export, generator or plan.pipeline.name) if export else None
    try:
        sitting = asyncio.run(_sitting(work, output, settings, allow, bar, accept_changed, exported, cluster))
    except (Changed, Unfit, LedgerError, ClusterError, Fault) as error:
        _fail(str(error), bar)
    except OSError as error:
        _fail(f"{error.filename or output}: {error.strerror or error}", bar)
    except (asyncio.CancelledError, KeyboardInterrupt):
        bar.close()
        tell("stopped at once: the same command goes on, and buys again only what was on its way")
        sys.exit(Exit.INTERRUPTED)
    sys.exit(_told(work, sitting, output))


def _check(plan: Plan, file: str, max_usd: Decimal | None) -> None:
    if plan.recipes:
        names = ", ".join(recipe.name for recipe in plan.recipes)
        click.echo(f"error: the roles of {names} are not locked: run `smoadsl lock {file}`", err=True)
        sys.exit(Exit.PROBLEMS)
    if why := unpriced(plan, Limits(usd=max_usd)):
        raise click.UsageError(one_line(why))


def _work(plan: Plan, data: Data, output: Path) -> Work:
    """What is to be done, once it is sure that it can be read and written. Ends the command where it can not."""
    try:
        reader_of(data.path)
        writer_for(output)
        if output.exists() and output.samefile(data.path):
            raise click.UsageError(f"-o {output}: this is the data itself")
        if output.exists() and not folder_of(output).is_dir():
            raise click.UsageError(
                f"-o {output}: it is there already, and no run of it: remove it, or name another file"
            )
    except Unfit as error:
        raise click.UsageError(one_line(str(error))) from None
    except OSError as error:
        raise click.UsageError(f"-o {output}: {error.strerror or error}") from None
    try:
        return Work(plan, data, *data.measured())
    except Unfit as error:
        raise BadData(str(error)) from None
    except OSError as error:
        raise BadData(f"{data.path}: {error.strerror or error}") from None


async def _sitting(
    work: Work,
    output: Path,
    settings: Settings,
    allow: tuple[str, ...],
    bar: Bar,
    accept_changed: bool,
    export: Export | None,
    cluster: Cluster | None,
) -> Sitting:
    watch = Watch(lambda progress: shown_in(bar, progress), lambda batch: listen(batch, bar))
    allowed = frozenset(map(bound_of, allow))
    try:
        if cluster is None:
            return await _here(work, output, settings, allowed, watch, accept_changed, export)
        with redirect_stdout(StringIO()):  # Ray prints there what dies in a cluster
            folder = folder_of(output)
            sitting = await sit_on_cluster(work, folder, settings, cluster, allowed, watch, accept_changed)
        if sitting.complete:
            ledger = open_ledger(folder)
            try:
                await ledger.end_sitting()
                listen_no_more()
                _write(work, output, ledger, export)
            finally:
                await ledger.close()
        return sitting
    finally:
        bar.close()


async def _here(
    work: Work,
    output: Path,
    settings: Settings,
    allowed: frozenset[Bound],
    watch: Watch,
    accept_changed: bool,
    export: Export | None,
) -> Sitting:
    """A sitting in this process."""
    ledger = open_ledger(folder_of(output))
    ended = True  # nothing is on its way yet
    try:
        async with Session(work.plan.providers, os.environ, allowed=allowed) as session:
            session.check(route.provider for route in routes_of(work.plan))  # before anything is paid for
            ended = False
            sitting = await sit(work, ledger, session, settings, watch, accept_changed)
        ended = True
        await ledger.end_sitting()
        listen_no_more()
        if sitting.complete:
            _write(work, output, ledger, export)
    except Changed:
        ended = True
        raise
    finally:
        await ledger.close(ended)
    return sitting


def _write(work: Work, output: Path, ledger: Ledger, export: Export | None) -> None:
    job = ledger.job(work.name)
    write_output(output, work.data, lambda: ledger.results(job))
    if export is not None:
        tell(export.write(output, work.data, ledger.results(job)))


def _told(work: Work, sitting: Sitting, output: Path) -> Exit:
    """Say what came of it, and how the command ends."""
    progress, books = sitting.progress, sitting.after
    bought = books.answers - sitting.before.answers
    parts = [f"{progress.earlier:,} answered before"] * bool(progress.earlier)
    parts += [f"{progress.answered:,} answered"] * bool(progress.answered or not progress.earlier)
    parts += [f"{progress.degraded:,} of them degraded"] * bool(progress.degraded)
    parts += [f"{progress.failed:,} without an answer"] * bool(progress.failed)
    calls = counted(progress.calls, "call") + f", {counted(bought, 'answer')} bought" * (bought != progress.calls)
    usd = f" · ${books.usd:.4f} in all" if books.usd else ""
    tell(f"{', '.join(parts)} · {calls} · {counted(progress.tokens, 'token')}{usd}")
    if progress.usd and not bought:
        tell(f"nothing was bought: ${progress.usd:.4f} is the most that calls without an answer can have cost")
    if books.broken:
        sittings = "an earlier sitting" if books.broken == 1 else f"{books.broken:,} earlier sittings"
        answers, kept = f"at most {books.in_flight:,} answers", ""
        if books.at_stake_usd:
            kept = f"; of a limit ${books.at_stake_usd:.4f} is kept for them"
        tell(f"{sittings} broke off: {answers} were on their way, and may be paid for twice{kept}")
    if sitting.in_flight:
        tell(
            f"workers died: at most {sitting.in_flight:,} answers were on their way to them, and may be paid for twice"
        )
    if progress.first_error:
        tell(f"the first without an answer is {progress.first_error}")
    if not sitting.complete:
        tell(f"error: {stopped(progress, work.rows)}")
        return Exit.INTERRUPTED if progress.why == INTERRUPTED else Exit.FAILED
    tell(f"{output} written, {counted(work.rows, 'row')}")
    if progress.failed:
        tell("the same command tries the rows without an answer once more")
        return Exit.FAILED
    return Exit.DONE


def _fail(said: str, bar: Bar) -> NoReturn:
    bar.close()
    tell(f"error: {said}")
    sys.exit(Exit.FAILED)
