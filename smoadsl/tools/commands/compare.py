"""Compare, to say of several pipelines on the same questions what each gains and what it costs."""

import asyncio
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console

from smoadsl.adapters.base import Fault
from smoadsl.calls.budget import Limits
from smoadsl.plan.cap import unpriced
from smoadsl.plan.plan import Plan
from smoadsl.scale.batch import Settings
from smoadsl.scale.rows import Data, Unfit
from smoadsl.scale.schema import LedgerError
from smoadsl.scale.sitting import Changed, Watch
from smoadsl.score.comparison import Comparison, Entrant, Measure, compared
from smoadsl.score.named import NEED_RIGHT, UnknownScorer, rule_named
from smoadsl.score.outcome import SHARE
from smoadsl.score.rules import Rule
from smoadsl.show.comparison import comparison_table
from smoadsl.show.comparison_page import Asked, comparison_page
from smoadsl.show.plots import NoPlots, files_of
from smoadsl.show.safe import listed, one_line
from smoadsl.tools.allowing import allow_env
from smoadsl.tools.comparing import Comparing, Stopped
from smoadsl.tools.entering import entrants
from smoadsl.tools.handles import rows_at_once
from smoadsl.tools.lacking import keys_or_exit
from smoadsl.tools.listening import listen
from smoadsl.tools.marking import graded_by, look_for_right, rows_shown
from smoadsl.tools.options import (
    SEED,
    BadData,
    Exit,
    allow_env_option,
    given,
    given_options,
    mapped,
    root_option,
    text_width,
)
from smoadsl.tools.paying import ask_before_paying
from smoadsl.tools.planning import fetch_weights
from smoadsl.tools.progress import Bar, shown_in, tell
from smoadsl.tools.sizing import Dollars

_FILES = (".html", ".htm", ".json", ".jsonl", ".csv", ".md", ".svg", ".png")


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--data", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The rows: .jsonl, .json, .csv, .tsv or .parquet.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("comparison"),
              show_default=True, metavar="FOLDER",
              help="Where the page, the JSON, the plots and the ledger go.")  # fmt: skip
@click.option("--score", "scorer", metavar="NAME",
              help="How answers are scored: exactly, unless the pipelines' answer is a number.")  # fmt: skip
@click.option("--grader", metavar="PROVIDER/ID",
              help="The model that grades, for `just_eval`, `mt_bench`, `flask`, `ceb` and `wins`.")  # fmt: skip
@click.option("--answer", "right", default="answer", show_default=True, metavar="FIELD",
              help="The field of a row that has the right answer.")  # fmt: skip
@click.option("--category", default="category", show_default=True, metavar="FIELD",
              help="The field of a row that has its category.")  # fmt: skip
@click.option("--sweep", "sweeps", multiple=True, metavar="PARAM", help="Each value of a `param … in [...]`.")
@click.option("--baseline", metavar="NAME", help="What the gain is over: the first pipeline unless it is named.")
@click.option("--dense", metavar="NAME", help="What ratios are of: the pipeline that takes the most tokens.")
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN",
              help="Read a field (as `prompt`) from a column of another name.")  # fmt: skip
@click.option("--concurrency", type=click.IntRange(1, 10_000), default=8, show_default=True,
              help="How many rows are under way at once.")  # fmt: skip
@click.option("--max-usd", type=Dollars(), metavar="USD", help="Spend no more than this in all, over all sittings.")
@click.option("--yes", is_flag=True, help="Begin without a question about the price.")
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON on standard output.")
@click.option("--accept-changed", is_flag=True, help="Go on though a pipeline or the data changed.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="What all chance is drawn from.")
@allow_env_option
@root_option
@given_options
def command(
    files: tuple[str, ...],
    data: Path,
    output: Path,
    scorer: str | None,
    grader: str | None,
    right: str,
    category: str,
    sweeps: tuple[str, ...],
    baseline: str | None,
    dense: str | None,
    columns: tuple[str, ...],
    concurrency: int,
    max_usd: Decimal | None,
    yes: bool,
    as_json: bool,
    accept_changed: bool,
    seed: int,
    allowed: tuple[str, ...],
    root: str | None,
    params: tuple[str, ...],
    models: tuple[str, ...],
    base_urls: tuple[str, ...],
) -> None:
    """Put the same rows through the pipelines in FILES (FILE:NAME where one has several), and say what each gains and
    costs: a table here, and a page, JSON and plots in FOLDER. Calls that two of them share are made once, and the same
    command goes on where it was stopped."""
    if output.suffix in _FILES and not output.is_dir():
        raise click.UsageError(f"-o {output}: this is a folder's place; the page in it is comparison.html")
    taking_part = entrants(files, given(params, models, base_urls), root, sweeps)
    for option, name in (("--baseline", baseline), ("--dense", dense)):
        _check_name(option, name, taking_part)
    read = Data(data, mapped(columns))
    names = [entrant.name for entrant in taking_part]
    graded = graded_by(scorer, grader, right, names.index(baseline) if baseline else 0)
    measure, rule = (graded[0], None) if graded else _scoring(scorer, right, taking_part)
    grading = graded[1] if graded else None
    plans = [entrant.plan for entrant in taking_part]
    measured = _measured(read, right if measure.name in NEED_RIGHT else None)
    if not yes:
        ask_before_paying(plans, measured[1], max_usd, again=(output / "run").is_dir())
    allow = _ready(plans + ([grading.plan] if grading else []), max_usd, allowed)
    at_once = rows_at_once(min(concurrency, max(1, measured[1])), plans)
    settings = Settings(at_once, seed, max_usd, keeps_events=True, paces=True)
    bars = _Bars()
    comparing = Comparing(
        taking_part, read, measured, output / "run", settings, allow, accept_changed, grading, bars.watch
    )
    with bars:
        asked = rows_shown(read, comparing.run(), rule, grading, right, category)
        entered = [(one, [row.marked[place] for row in asked]) for place, one in enumerate(taking_part)]
        found = compared(data.name, measure, entered, baseline or names[0], dense)
        _write(output, found, asked)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        Console(width=text_width(), highlight=False).print(comparison_table(found))
    click.echo(f"{output / 'comparison.html'} written", err=True)


def _measured(data: Data, right: str | None) -> tuple[str, int]:
    """What the data comes to, once it is sure that it can be read, and scored. Ends the command where it can not."""
    try:
        measured = data.measured()
        if right is not None:
            look_for_right(data, right)
        return measured
    except Unfit as error:
        raise BadData(str(error)) from None
    except OSError as error:
        raise BadData(f"{data.path}: {error.strerror or error}") from None


def _ready(plans: Sequence[Plan], max_usd: Decimal | None, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that may be used, once all that the plans need is there. Ends the command where it is not."""
    for plan in plans:
        if why := unpriced(plan, Limits(usd=max_usd)):
            raise click.UsageError(one_line(why))
    providers = [provider for plan in plans for provider in plan.providers.values()]
    allow = allow_env({str(place): provider for place, provider in enumerate(providers)}, allowed)
    keys_or_exit(plans, every_route=True)
    for plan in plans:
        fetch_weights(plan)
    return allow


def _check_name(option: str, name: str | None, taking_part: Sequence[Entrant]) -> None:
    names = [entrant.name for entrant in taking_part]
    if name is not None and name not in names:
        raise click.UsageError(f"{option} {name}: there are {', '.join(names)}")


def _scoring(name: str | None, right: str, taking_part: Sequence[Entrant]) -> tuple[Measure, Rule]:
    """The scorer that was asked for: `NAME`, or `NAME=OPTION` where it takes one."""
    numbers = [entrant.name for entrant in taking_part if entrant.plan.pipeline.answer.kind == "number"]
    by_default = "numeric" if len(numbers) == len(taking_part) else "exact"
    if name is None and by_default == "exact" and numbers:
        others = listed([entrant.name for entrant in taking_part if entrant.name not in numbers])
        click.echo(
            f"note: the answer of {listed(numbers)} is read as a number, that of {others} is not: it must be the right "
            "one from end to end. `--score numeric` compares the last number of each",
            err=True,
        )
    wanted, _, option = (name or by_default).partition("=")
    options: dict[str, object] = {} if wanted == "matches" else {"field": right}
    match wanted:
        case "matches":
            options["pattern"] = option
        case "json_field":
            options["name"] = option
        case "choice":
            options["labels"] = option.split(",")
        case "numeric" if option:
            options["tolerance"] = _number(option)
        case "exact" | "contains" | "numeric":
            pass
        case _:
            options = {}
    try:
        return Measure(wanted, SHARE), rule_named(wanted, **options)
    except UnknownScorer as error:
        raise click.UsageError(f"--score {name}: {error}") from None


def _number(option: str) -> float:
    try:
        return float(option)
    except ValueError:
        raise click.UsageError(f"--score numeric={option}: {option!r} is no number") from None


def _write(output: Path, found: Comparison, asked: Sequence[Asked]) -> None:
    """The page, the JSON, and each plot as a file of its own."""
    (output / "comparison.json").write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    plots: dict[str, bytes] = {}
    try:
        for name, content in files_of(found):
            (output / name).write_bytes(content)
            plots[name] = content
    except NoPlots as error:
        click.echo(f"warning: {error}", err=True)
    pictures = [(Path(name).stem, content) for name, content in plots.items() if name.endswith(".svg")]
    (output / "comparison.html").write_text(comparison_page(found, pictures, asked), encoding="utf-8")


class _Bars:
    """A bar for each entrant in turn; leaving it says what went wrong, and ends the command."""

    def __init__(self) -> None:
        self._bar: Bar | None = None

    def watch(self, entrant: Entrant, rows: int) -> Watch:
        self._close()
        bar = self._bar = Bar(rows, time.monotonic, terminal=sys.stderr.isatty(), title=entrant.name)
        return Watch(lambda progress: shown_in(bar, progress), lambda batch: listen(batch, bar))

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._close()
        match error:
            case Changed() | Stopped() | Unfit() | LedgerError() | Fault():
                tell(f"error: {error}")
                sys.exit(Exit.FAILED)
            case OSError():
                raise click.UsageError(f"{error.filename}: {error.strerror or error}") from None
            case asyncio.CancelledError():
                tell("stopped at once: the same command goes on, and buys again only what was on its way")
                sys.exit(Exit.INTERRUPTED)
            case _:
                pass

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
