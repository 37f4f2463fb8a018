"""Graph, to draw a pipeline: as SVG to look at, as Mermaid for Markdown, or in Graphviz's language."""

import sys
from pathlib import Path
from typing import Literal

import click

from smoadsl.show.graph.depict import depict
from smoadsl.show.graph.dot import dot
from smoadsl.show.graph.mermaid import mermaid
from smoadsl.show.graph.svg import svg
from smoadsl.tools import api
from smoadsl.tools.options import (
    Exit,
    file_and_pipeline,
    given,
    given_options,
    output_path,
    problems_exit,
    root_option,
    show_diagnostics,
)

Format = Literal["mermaid", "dot", "svg"]

_DRAWN = {"mermaid": mermaid, "dot": dot, "svg": svg}
_SUFFIXES: dict[str, Format] = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid"}


@click.command()
@click.argument("file")
@click.option("--format", "format_", type=click.Choice(list(_DRAWN)),
              help="What to draw in; else what OUT ends in, else mermaid.")  # fmt: skip
@click.option("-o", "--output", "out", metavar="OUT", help="Write to OUT, not to standard output.")
@root_option
@given_options
def command(
    file: str,
    format_: Format | None,
    out: str | None,
    root: str | None,
    params: tuple[str, ...],
    models: tuple[str, ...],
    base_urls: tuple[str, ...],
) -> None:
    """Draw the pipeline in FILE (FILE:NAME where it has several): its layers, agents and gates, and what goes on."""
    path, pipeline = file_and_pipeline(file)
    try:
        outcome = api.compile(path, pipeline, given(params, models, base_urls), root=root)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from None
    show_diagnostics(outcome.diagnostics)
    if outcome.value is None:
        sys.exit(problems_exit(outcome.diagnostics))
    drawing = _DRAWN[format_ or _format_of(out)](depict(outcome.value)).encode()
    if out is None:
        sys.stdout.buffer.write(drawing)  # UTF-8 whatever the terminal speaks: it is a file's content
        sys.stdout.flush()
    else:
        try:
            output_path("-o", out).write_bytes(drawing)
        except OSError as error:
            raise click.UsageError(f"-o {out}: {error.strerror or error}") from None
    sys.exit(Exit.DONE)


def _format_of(out: str | None) -> Format:
    """The format that a file's name says."""
    if out is None:
        return "mermaid"
    suffix = Path(out).suffix.lower()
    if suffix not in _SUFFIXES:
        raise click.UsageError(f"-o {out}: say the --format, or end the name in {', '.join(_SUFFIXES)}")
    return _SUFFIXES[suffix]
