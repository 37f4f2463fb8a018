"""Replay, to make a run again from its trace alone: the same plan, prompt and answers, without network or key."""

import sys
from pathlib import Path
from typing import NoReturn

import click

from smoadsl.runtime.journal import JournalError, read_whole_run
from smoadsl.show.live import Live
from smoadsl.show.safe import one_line
from smoadsl.tools.answered import show_answer
from smoadsl.tools.options import Exit
from smoadsl.tools.replaying import replay


@click.command()
@click.argument("trace")
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object.")
def command(trace: str, as_json: bool) -> None:
    """Make the run again that wrote TRACE (`smoadsl run --trace TRACE`), and hold every event against it.

    Exits with 1 when the trace can not be used or the run goes otherwise, and with 3 when the run had no answer.
    """
    live = Live(streams=False, terminal=sys.stderr.isatty())
    try:
        told = read_whole_run(Path(trace))
        again = replay(told, live.show)
    except OSError as error:
        raise click.UsageError(f"{trace}: {error.strerror or error}") from None
    except JournalError as error:
        _refuse(str(error))
    except ValueError as error:
        _refuse(f"{trace} can not be run again: {error}")
    finally:
        live.close()
    if again.astray:
        _refuse(
            f"the run does not go as {trace} does: {again.astray}. The trace was changed after it was written, "
            "or by a smoadsl that works otherwise"
        )
    if again.answer is not None:
        show_answer(again.answer, live, as_json)
    click.echo(f"the same run: all {len(told):,} events are those of the trace", err=True)
    sys.exit(Exit.FAILED if again.answer is None else Exit.DONE)


def _refuse(why: str) -> NoReturn:
    click.echo(f"error: {one_line(why)}", err=True)
    sys.exit(Exit.PROBLEMS)
