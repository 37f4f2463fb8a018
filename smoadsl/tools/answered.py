"""Answered, to end a command that has run a pipeline: the answer to standard output, what it took to standard error."""

import sys

import click
import orjson

from smoadsl.runtime.executor import Answer
from smoadsl.show.live import Live
from smoadsl.show.safe import encodable, printable_text
from smoadsl.show.totals import totals_line


def show_answer(answer: Answer, live: Live, as_json: bool) -> None:
    """Write the answer, unless `live` has streamed it."""
    if as_json:
        value = {"text": answer.text, "value": answer.value, "degraded": answer.degraded}
        sys.stdout.buffer.write(orjson.dumps(value | {"totals": answer.totals.model_dump()}) + b"\n")
    elif not live.streamed:
        _print(answer.text)
    click.echo(totals_line(answer.totals), err=True)


def _print(answer: str) -> None:
    """As it is into a pipe or a file; to a terminal, what can not steer it."""
    if sys.stdout.isatty():
        click.echo(encodable(printable_text(answer), sys.stdout.encoding))
    else:
        sys.stdout.buffer.write(answer.encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.flush()
