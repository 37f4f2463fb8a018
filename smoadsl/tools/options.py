"""Options, to read what several commands share: FILE:NAME, values set, models swapped; and the exit codes."""

import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, TypeVar

import click

from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.diagnostics.render.text import render
from smoadsl.language.check import Given

F = TypeVar("F", bound=Callable[..., Any])


class Exit(IntEnum):
    DONE = 0
    PROBLEMS = 1  # the files or the tests have problems, or a gate was passed
    USAGE = 2
    FAILED = 3  # the run has no answer
    DEGRADED = 4  # answered, but not as written; only with --strict
    INTERRUPTED = 130


def given_options(command: F) -> F:
    """`--set`, `--model` and `--base-url`."""
    command = click.option("--base-url", "base_urls", multiple=True, metavar="PROVIDER=URL",
                           help="Reach a provider elsewhere; its key stays behind.")(command)  # fmt: skip
    command = click.option("--model", "models", multiple=True, metavar="NAME=PROVIDER/ID",
                           help="Swap a model (`*` for all).")(command)  # fmt: skip
    return click.option("--set", "params", multiple=True, metavar="NAME=VALUE", help="Set a param.")(command)


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
        name, equals, rest = value.partition("=")
        if not (name.strip() and equals):
            raise click.UsageError(f"{option} takes NAME=VALUE, not {value!r}")
        read[name.strip()] = rest
    return read


def file_and_pipeline(argument: str) -> tuple[str, str | None]:
    """`FILE.moa` or `FILE.moa:NAME`."""
    file, colon, name = argument.rpartition(":")
    return (file, name) if colon and file.endswith(".moa") and name.isidentifier() else (argument, None)


def show_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    if diagnostics:
        sys.stderr.write(render(diagnostics, colour=sys.stderr.isatty()))


def problems_exit(diagnostics: Sequence[Diagnostic]) -> Exit:
    """1 when a file is at fault, 2 when what was typed on the command line is."""
    typed = any(d.span.source.name.startswith("--") for d in diagnostics)
    return Exit.USAGE if typed else Exit.PROBLEMS
