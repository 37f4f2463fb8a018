"""Answered, to end a command that has run a pipeline: the answer to standard output, what it took to standard error."""

import sys
from errno import EPIPE

import click
import orjson

from smoadsl.runtime.executor import Answer
from smoadsl.show.live import Live
from smoadsl.show.safe import encodable, printable_text
from smoadsl.show.totals import totals_line
from smoadsl.tools.entrance import fault_of


def show_answer(answer: Answer, live: Live, as_json: bool) -> None:
    """Write the answer, unless `live` has streamed it; to standard error too where it would be lost."""
    if as_json:
        value = {"text": answer.text, "value": answer.value, "degraded": answer.degraded}
        sys.stdout.buffer.write(orjson.dumps(value | {"totals": answer.totals.model_dump()}) + b"\n")
        sys.stdout.flush()
    elif not live.streamed:
        _print(answer.text)
    fault = fault_of(sys.stdout)
    if fault is not None and fault.errno != EPIPE:
        click.echo(printable_text(answer.text), err=True)
    click.echo(totals_line(answer.totals), err=True)


def _print(answer: str) -> None:
    """As it is into a pipe or a file; to a terminal, what can not steer it."""
    if sys.stdout.isatty():
        click.echo(encodable(printable_text(answer), sys.stdout.encoding))
    else:
        sys.stdout.buffer.write(answer.encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.flush()
