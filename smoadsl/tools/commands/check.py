"""Check, to say everything that is wrong with files, without network, keys or code of theirs."""

import sys

import click

from smoadsl.diagnostics.render.report import Report
from smoadsl.tools.checking import everything_about
from smoadsl.tools.options import Format, counted, files_exit, format_option, show_report
from smoadsl.tools.reader import DiskReader, read_source, root_of


@click.command()
@click.argument("files", nargs=-1, required=True)
@format_option
def command(files: tuple[str, ...], format_: Format) -> None:
    """Say everything that is wrong with FILES."""
    reports = []
    for file in dict.fromkeys(files):
        reports.append(_checked(file))
        if format_ == "text":
            show_report(reports[-1])
    if format_ != "text":
        from smoadsl.tools import formats

        formats.write(formats.DOCUMENTS[format_](reports))
    end = files_exit(reports)
    click.echo(counted(reports) + ("" if end else ": no problems"), err=True)
    sys.exit(end)


def _checked(file: str) -> Report:
    try:
        read = read_source(file)
    except OSError as error:
        return Report(file, unread=error.strerror or str(error))
    if read.value is None:
        return Report(file, read.diagnostics)
    return Report(file, everything_about(read.value, DiskReader(root_of(file))).diagnostics)
