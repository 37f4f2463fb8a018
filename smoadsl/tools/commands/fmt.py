"""Fmt, to give files their one layout: in place, or as a check or a diff that changes nothing."""

import os
import re
import shlex
import shutil
import sys
import tempfile
from codecs import BOM_UTF8
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path

import click

from smoadsl.diagnostics.diagnostic import Outcome
from smoadsl.diagnostics.render.report import Report
from smoadsl.diagnostics.render.text import harmless, printable
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import problems
from smoadsl.language.format import format
from smoadsl.language.parse import MOST_CHARACTERS
from smoadsl.tools.options import Exit, as_line, paints, show_diagnostics, show_report
from smoadsl.tools.reader import decoded, read_source

_STDIN = "-"
_MOST_BYTES = 4 * MOST_CHARACTERS
_MOST_NAMED = 10  # files in the command that would change them
_COLOURS = {"-": "red", "+": "green", "@": "cyan"}


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Change nothing; name the files that would change, and exit with 1.")
@click.option("--diff", is_flag=True, help="Change nothing; show what would change.")
def command(files: tuple[str, ...], check: bool, diff: bool) -> None:
    """Give FILES their one layout; `-` is standard input, written to standard output.

    A file that can not be read whole is left as it is, and its errors are shown.
    """
    bad = unread = 0
    changed: list[str] = []
    for file in files:
        try:
            source, formatted, marked = _formatted(file)
            if formatted.value is None or source is None:
                show_diagnostics(formatted.diagnostics)
                bad += 1
                continue
            changes = marked or formatted.value != source.text
            if diff:
                _show_diff(source, formatted.value)
            elif check:
                if changes:
                    click.echo(as_line(source.name))
            elif file == _STDIN:
                _write(formatted.value)
            elif changes:
                _replace(file, formatted.value)
                click.echo(f"formatted {printable(file)}", err=True)
            changed += [file] * changes
        except OSError as error:
            show_report(Report(file, unread=error.strerror or str(error)))
            unread += 1
    if files != (_STDIN,):
        click.echo(_summary(len(files), len(changed), bad, unread, written=not (check or diff)), err=True)
    if changed and (check or diff):
        click.echo(_how_to_mend([file for file in changed if file != _STDIN]), err=True, nl=False)
    sys.exit(Exit.USAGE if unread else Exit.PROBLEMS if bad or (check and changed) else Exit.DONE)


def _formatted(file: str) -> tuple[Source | None, Outcome[str], bool]:
    """The source, its text in its layout, and whether the file has a byte order mark, which the text has not."""
    read, marked = _standard_input() if file == _STDIN else (read_source(file), _is_marked(file))
    return read.value, format(read.value) if read.value else Outcome(None, read.diagnostics), marked


def _is_marked(file: str) -> bool:
    with open(file, "rb") as content:
        return content.read(len(BOM_UTF8)) == BOM_UTF8


def _standard_input() -> tuple[Outcome[Source], bool]:
    raw = sys.stdin.buffer.read(_MOST_BYTES + 1)
    marked = raw.startswith(BOM_UTF8)
    empty = Source("<stdin>", "")
    if len(raw) > _MOST_BYTES:
        return Outcome(None, (problems.too_large(Span(empty, 0, 0), len(raw), MOST_CHARACTERS, "bytes"),)), marked
    return decoded("<stdin>", raw), marked


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode())  # as it is: a text stream would change the line ends on some systems
    sys.stdout.buffer.flush()


def _replace(file: str, text: str) -> None:
    """Put the text in the file's place in one step, so that nobody ever sees half of it."""
    path = Path(os.path.realpath(file))
    with path.open("r+b"):
        pass  # one that may not be written to is not to be replaced either
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".smoadsl-")
    try:
        with os.fdopen(descriptor, "wb") as content:
            content.write(text.encode())
            content.flush()
            os.fsync(content.fileno())
        status = path.stat()
        with suppress(OSError, AttributeError):  # only root may give files away, and not everywhere
            os.chown(temporary, status.st_uid, status.st_gid)
        shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _show_diff(source: Source, text: str) -> None:
    name = printable(source.name)
    for line in unified_diff(_lines(source.text), _lines(text), name, name):
        shown = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        shown = harmless(shown)
        if sys.stdout.isatty():
            shown = "\n".join(printable(one) for one in shown.split("\n"))  # what is shown must not steer a terminal
        if paints(sys.stdout):
            shown = click.style(shown, fg=_COLOURS.get(line[0]))
        _write(shown)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _summary(files: int, changed: int, bad: int, unread: int, *, written: bool) -> str:
    parts = [f"{files} file{'s' * (files != 1)}"]
    parts += [f"{changed} {'changed' if written else 'would change'}"] * bool(changed)
    parts += [f"{bad} with errors"] * bool(bad)
    parts += [f"{unread} not read"] * bool(unread)
    return ", ".join(parts) if len(parts) > 1 else f"{parts[0]}: nothing to change"


def _how_to_mend(files: list[str]) -> str:
    """A line with the command that makes the changes; nothing for standard input."""
    named = [shlex.quote(as_line(file)) for file in files]
    what = " ".join(named) if len(named) <= _MOST_NAMED else "FILES"
    return f"to change {'it' if len(files) == 1 else 'them'}: smoadsl fmt {what}\n" if files else ""
