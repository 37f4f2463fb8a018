"""Report, to tell from a trace what happened in a run: who said what, what was dropped and why, what it took."""

import sys
from pathlib import Path

import click

from smoadsl.runtime.journal import JournalError, read_run
from smoadsl.show.page import report_page
from smoadsl.show.report import report_text
from smoadsl.show.safe import encodable, one_line
from smoadsl.tools.options import Exit, output_path, paints, text_width


@click.command()
@click.argument("trace")
@click.option("--format", "format_", type=click.Choice(["text", "html"]), default="text", show_default=True)
@click.option("--brief", is_flag=True, help="A line of each text instead of the whole (of text, not of a page).")
@click.option("-o", "--output", "out", metavar="OUT", help="Write to OUT, not to standard output.")
def command(trace: str, format_: str, brief: bool, out: str | None) -> None:
    """Tell what happened in the run that wrote TRACE (`smoadsl run --trace TRACE`), be it finished or not."""
    try:
        told = read_run(Path(trace))
        text = report_page(told) if format_ == "html" else report_text(told, brief=brief, width=text_width())
    except OSError as error:
        raise click.UsageError(f"{trace}: {error.strerror or error}") from None
    except JournalError as error:
        _refuse(str(error))
    except (LookupError, ValueError):
        _refuse(f"{trace} is no trace of one whole run: its events do not belong together")
    if out is not None:
        try:
            output_path("-o", out, trace).write_text(text, encoding="utf-8")
        except OSError as error:
            raise click.UsageError(f"-o {out}: {error.strerror or error}") from None
    elif format_ == "html":
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    else:
        click.echo(encodable(_with_bold_heads(text), sys.stdout.encoding), nl=False)


def _refuse(why: str) -> None:
    click.echo(f"error: {one_line(why)}", err=True)
    sys.exit(Exit.PROBLEMS)


def _with_bold_heads(text: str) -> str:
    """On a terminal the lines that are not indented stand out."""
    if not paints(sys.stdout):
        return text
    lines = text.split("\n")
    return "\n".join(click.style(line, bold=True) if line[:1].strip() else line for line in lines)
