"""Options, to hold what several commands share: their options, what they say of files, and the exit codes."""

import os
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from shutil import get_terminal_size
from typing import IO, Any, Literal, TextIO, TypeVar, get_args

import click

from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.diagnostics.render.report import Report
from smoadsl.diagnostics.render.text import printable, render
from smoadsl.diagnostics.source import ARGUMENT
from smoadsl.language.check import Given

_WIDTH, _MOST_WIDTH = 80, 100  # columns: where there is no terminal, and on a wide one

F = TypeVar("F", bound=Callable[..., Any])
Format = Literal["text", "json", "github", "sarif", "junit"]
FORMATS: tuple[Format, ...] = get_args(Format)


SEED = click.IntRange(-(1 << 63), (1 << 63) - 1)  # what a ledger can hold


class Exit(IntEnum):
    DONE = 0
    PROBLEMS = 1  # the files or the tests have problems, or a gate was passed
    USAGE = 2
    FAILED = 3  # the run has no answer
    DEGRADED = 4  # answered, but not as written; only with --strict
    INTERRUPTED = 130


class BadData(click.ClickException):
    """Data that can not be worked with. Nothing was begun, as with wrong usage; but how the command is used is not what
    the reader wants to know."""

    exit_code = Exit.USAGE

    def show(self, file: IO[Any] | None = None) -> None:
        from smoadsl.show.safe import one_line  # takes what `check` does not need

        click.echo(f"error: {one_line(self.message)}", err=True)


def given_options(command: F) -> F:
    """`--set`, `--model` and `--base-url`."""
    command = click.option("--base-url", "base_urls", multiple=True, metavar="PROVIDER=URL",
                           help="Reach a provider elsewhere; its key stays behind.")(command)  # fmt: skip
    command = click.option("--model", "models", multiple=True, metavar="NAME=PROVIDER/ID",
                           help="Swap a model (`*` for all).")(command)  # fmt: skip
    return click.option("--set", "params", multiple=True, metavar="NAME=VALUE", help="Set a param.")(command)


def allow_env_option(command: F) -> F:
    """`--allow-env`, of the commands that use keys."""
    return click.option("--allow-env", "allowed", multiple=True, metavar="NAME=ORIGIN",
                        help="Let the key in variable NAME go to ORIGIN, now and later.")(command)  # fmt: skip


def format_option(command: F) -> F:
    """`--format`: for people, or one of the documents that `tools/formats.py` writes."""
    return click.option("--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True,
                        help="Text for people, the others for machines, on standard output.")(command)  # fmt: skip


def root_option(command: F) -> F:
    """`--root`."""
    folder = click.Path(exists=True, file_okay=False)
    return click.option("--root", type=folder, metavar="FOLDER",
                        help="Read no file outside FOLDER; else the nearest folder with a .git.")(command)  # fmt: skip


def given(params: Sequence[str], models: Sequence[str], base_urls: Sequence[str]) -> Given:
    return Given(_pairs("--set", params), _pairs("--model", models), _pairs("--base-url", base_urls))


def _pairs(option: str, values: Sequence[str]) -> dict[str, str]:
    read: dict[str, str] = {}
    for value in values:
        name, equals, rest = in_utf8(option, value).partition("=")
        if not (name.strip() and equals):
            raise click.UsageError(f"{option} takes NAME=VALUE, not {value!r}")
        read[name.strip()] = rest
    return read


def in_utf8(what: str, text: str) -> str:
    """The text that was given. Raises `click.UsageError` where it is none in UTF-8: no request or trace can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        before = printable(text[max(0, error.start - 20) : error.start])
        place = f"after {before!r}" if before else "at its beginning"
        raise click.UsageError(f"{what} is not in UTF-8: there are other bytes {place}") from None
    return text


def mapped(values: Sequence[str]) -> dict[str, str]:
    """What `--map` says. Raises `click.UsageError`."""
    pairs = [value.partition("=") for value in values]
    for name, _, column in pairs:
        if not (name and column):
            raise click.UsageError("--map takes FIELD=COLUMN, as in --map prompt=query")
    return {name: column for name, _, column in pairs}


def file_and_pipeline(argument: str) -> tuple[str, str | None]:
    """`FILE.moa` or `FILE.moa:NAME`."""
    file, colon, name = argument.rpartition(":")
    return (file, name) if colon and file.endswith(".moa") and name.isidentifier() else (argument, None)


def output_path(option: str, out: str, *inputs: str | None) -> Path:
    """Where an option says to write. Raises `click.UsageError` where a pipeline, or what is read, would be lost."""
    path = Path(out)
    read = [Path(one) for one in inputs if one is not None]
    if path.exists() and (path.suffix == ".moa" or any(one.exists() and one.samefile(path) for one in read)):
        what = "a pipeline" if path.suffix == ".moa" else "what is read here"
        raise click.UsageError(f"{option} {printable(out)}: this is {what}, and would be lost: name another file")
    return path


def as_line(path: str) -> str:
    """A path where a line begins: still a path, and nothing that a CI system takes for a command."""
    shown = printable(path)
    return f"./{shown}" if shown.lstrip().startswith("::") else shown


def text_width() -> int:
    """How wide text on standard output may be: as the terminal, but no wider than reads well."""
    return min(get_terminal_size().columns, _MOST_WIDTH) if sys.stdout.isatty() else _WIDTH


def paints(stream: TextIO) -> bool:
    """Whether a stream is a terminal that shows colours, and whose owner wants them (https://no-color.org)."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")


def show_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    if diagnostics:
        sys.stderr.write(render(diagnostics, colour=paints(sys.stderr)))


def show_report(report: Report) -> None:
    """What was said of a file, or why it could not be read."""
    if report.unread:
        click.echo(f"error: {printable(f'{report.file}: {report.unread}')}", err=True)
    show_diagnostics(report.diagnostics)


def counted(reports: Sequence[Report]) -> str:
    """`3 files, 1 with errors, 1 not read`."""
    bad = sum(bool(report.errors) for report in reports)
    unread = sum(bool(report.unread) for report in reports)
    parts = [f"{len(reports)} file{'s' * (len(reports) != 1)}"]
    parts += [f"{bad} with errors"] * bool(bad) + [f"{unread} not read"] * bool(unread)
    return ", ".join(parts)


def files_exit(reports: Sequence[Report]) -> Exit:
    """2 when a file that was named could not be read, else 1 when one has errors."""
    if any(report.unread for report in reports):
        return Exit.USAGE
    return Exit.PROBLEMS if any(report.errors for report in reports) else Exit.DONE


def problems_exit(diagnostics: Sequence[Diagnostic]) -> Exit:
    """1 when a file is at fault, 2 when what was typed on the command line is."""
    typed = any(d.span.source.name.startswith("--") or d.span.source.name == ARGUMENT for d in diagnostics)
    return Exit.USAGE if typed else Exit.PROBLEMS
