"""Cli, to be the `smoadsl` command: a row for each command, its file imported only when it is called."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from smoadsl import __version__
from smoadsl.diagnostics.render.text import printable
from smoadsl.tools.options import Exit

COMMANDS = {
    "init": "write a first pipeline, for a provider that has a key here",
    "run": "one prompt through a pipeline",
    "batch": "a data set through a pipeline, resumable",
    "compare": "what each of several pipelines gains and costs on the same rows",
    "check": "say everything that is wrong with files",
    "explain": "what a code means, with a wrong and a right example",
    "fmt": "give files their one layout",
    "plan": "what a pipeline will do, and what it can cost",
    "graph": "a pipeline as a picture: Mermaid, DOT or SVG",
    "test": "run the tests in files, without network or key",
    "lock": "make and pin the roles that a file generates",
    "report": "what happened in a run, from its trace",
    "replay": "a run again from its trace, without network or key",
    "providers": "who can be asked by name, where, with which key",
    "doctor": "whether providers answer, how fast, with which models",
    "templates": "the built-in templates, to start one's own from",
}


@contextmanager
def _ending_well() -> Iterator[None]:
    """Refuse in printable words: a file's name, which is quoted, may have been chosen by a stranger. And end on Ctrl-C
    without a word."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except click.Abort as abort:  # of a question that was asked
        if isinstance(abort.__context__, KeyboardInterrupt):
            sys.exit(Exit.INTERRUPTED)
        raise
    except click.exceptions.NoArgsIsHelpError:
        raise  # that is our own text, of many lines
    except click.UsageError as refusal:
        raise click.UsageError(printable(refusal.format_message()), refusal.ctx) from None


class _Commands(click.Group):
    def make_context(self, *given: Any, **options: Any) -> click.Context:
        with _ending_well():
            return super().make_context(*given, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _ending_well():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"smoadsl.tools.commands.{cmd_name}").command
        if not gc.isenabled():  # by `entrance`
            gc.freeze()
            gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="smoadsl")
def main() -> None:
    """Mixtures of agents, written down: check them, know their cost, run them."""
