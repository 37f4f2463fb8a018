"""Explain, to say at length what the code of a problem means, with a wrong and a right example."""

import sys
from collections.abc import Iterator, Sequence
from shutil import get_terminal_size

import click

from smoadsl.diagnostics.explain import Page, as_list, as_markdown, as_text
from smoadsl.diagnostics.suggest import closest
from smoadsl.show.safe import encodable, one_line
from smoadsl.tools.options import Exit, paints
from smoadsl.tools.pages import codes, page_of

_MOST_WIDTH = 80
_LOOK_ALIKE = str.maketrans("OIL", "011")
_MOST_SHOWN = 40  # characters of what was asked for


@click.command()
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """Say what CODE means: `MOA` and three digits, or the digits alone. Without CODE, list all there are."""
    known = codes()
    if code is None:
        _show(_listed(map(page_of, known)))
        sys.exit(Exit.DONE)
    wanted = _as_code(code)
    if wanted not in known:
        guess = _guess(wanted, known)
        help = f"did you mean `{guess}`?" if guess else "`smoadsl explain` lists them all"
        raise click.UsageError(f"no problem has the code `{one_line(code, _MOST_SHOWN)}`: {help}")
    page = page_of(wanted)
    _show(_painted(page) if paints(sys.stdout) else as_text(page))
    sys.exit(Exit.DONE)


def _as_code(written: str) -> str:
    word = written.strip().upper()
    return word if word.startswith("MOA") else f"MOA{word:0>3}" if word.isdecimal() else f"MOA{word}"


def _guess(wanted: str, known: Sequence[str]) -> str | None:
    """The code that was meant: letters that look like digits are, and digits can be wrong within a family."""
    digits = "MOA" + wanted[3:].translate(_LOOK_ALIKE)
    if digits in known:
        return digits
    family = [code for code in known if code[:4] == digits[:4]]
    return closest(digits, family)


def _listed(pages: Iterator[Page]) -> str:
    parts = []
    for family, lines in as_list(pages):
        head = click.style(family, bold=True) if paints(sys.stdout) else family
        parts.append("\n".join([head, *(f"  {line}" for line in lines)]) + "\n")
    return "\n".join([*parts, "`smoadsl explain CODE` says more about each.\n"])


def _painted(page: Page) -> str:
    """The page as a terminal shows Markdown."""
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.text import Text
    from rich.theme import Theme

    width = min(get_terminal_size().columns, _MOST_WIDTH)
    console = Console(width=width, theme=Theme({"markdown.code": "cyan", "markdown.h2": "bold"}))
    with console.capture() as capture:
        console.print(Text(f"{page.code}: {page.title}\n", "bold"))
        console.print(Markdown(as_markdown(page), code_theme="ansi_dark"))
    return capture.get()


def _show(text: str) -> None:
    click.echo(encodable(text, sys.stdout.encoding), nl=False)
