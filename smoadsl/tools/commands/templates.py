"""Templates, to list the built-in templates, or print one to start one's own from."""

import sys

import click

from smoadsl.builtins.prompts import BUILT_IN, built_in
from smoadsl.diagnostics.suggest import did_you_mean
from smoadsl.show.safe import one_line
from smoadsl.tools.options import Exit

_MOST_SHOWN = 40  # characters of what was asked for
WHAT = {  # what each does, and where one of an author's stands in its place
    "propose": ("puts earlier responses to an agent", "propose … { template = NAME }"),
    "rank": ("asks a judge for the best K", "judge MODEL … { template = NAME }"),
    "score": ("asks a judge for scores from 1 to 5", "judge score(MODEL) … { template = NAME }"),
    "pairwise": ("asks a judge for the better of two", "judge pairwise(MODEL) … { template = NAME }"),
    "moderator": ("asks whether to end", "stop when moderator(MODEL, NAME)"),
    "router": ("asks who should work", "activate K by router(MODEL, NAME)"),
    "roles": ("asks for role descriptions", "roles … = generate(MODEL, N) { template = NAME }"),
    "repair": ("asks for a verdict once more, with the fault named", "can not be replaced"),
    "aggregate": ("puts the responses to the aggregate", "aggregate MODEL { template = NAME }"),
    "grade": ("asks for grades of an answer, aspect by aspect", "of the scorers; can not be replaced"),
    "grade_pair": ("asks which of two answers is better", "of the scorers; can not be replaced"),
}
_NEXT = """
`smoadsl templates rank > rank.j2` prints one into a file to start from, and
`template mine = file("rank.j2")` declares it.
"""


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the built-in templates, or print the one called NAME: put it into a file, and say `file("…")`."""
    if name is None:
        width = max(map(len, BUILT_IN))
        for known in BUILT_IN:
            what, use = WHAT[known]
            click.echo(f"{known:{width}}  {what}\n{'':{width}}    {use}")
        click.echo(_NEXT, nl=False)
    elif name in BUILT_IN:
        sys.stdout.buffer.write(f"{built_in(name)}\n".encode())  # as it is, on every system
        sys.stdout.buffer.flush()
    else:
        raise click.UsageError(
            f"no built-in template is called `{one_line(name, _MOST_SHOWN)}`: {did_you_mean(name, BUILT_IN)}"
        )
    sys.exit(Exit.DONE)
