"""Cli, to be the `smoadsl` command: a row for each command, its file imported only when it is called."""

import gc
import sys
from importlib import import_module

import click

from smoadsl import __version__

COMMANDS = {
    "init": "write a first pipeline, for a provider that has a key here",
    "run": "one prompt through a pipeline",
    "check": "say everything that is wrong with files",
    "explain": "what a code means, with a wrong and a right example",
    "fmt": "give files their one layout",
    "plan": "what a pipeline will do, and what it can cost",
    "test": "run the tests in files, without network or key",
    "lock": "make and pin the roles that a file generates",
    "report": "what happened in a run, from its trace",
    "templates": "the built-in templates, to start one's own from",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"smoadsl.tools.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="smoadsl")
def main() -> None:
    """Mixtures of agents, written down: check them, know their cost, run them."""


def entry() -> None:
    """The command, with a quiet end when the reader of its output has gone."""
    gc.set_threshold(50_000, 20, 20)  # a start makes much and drops little: looking for garbage was a tenth of its time
    try:
        main()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
