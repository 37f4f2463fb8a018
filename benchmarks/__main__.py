"""The command: `python -m benchmarks [NAMES]`, to measure and to print one table."""

import sys

import click
from rich.console import Console
from rich.table import Table

from benchmarks.suites import SUITES, Row, Size


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(SUITES)))
@click.option("--runs", default=5, show_default=True, type=click.IntRange(min=1), help="How often each is measured.")
@click.option("--share", default=1.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
              help="What share of the whole work is done: 0.01 to see that it runs.")  # fmt: skip
def main(names: tuple[str, ...], runs: int, share: float) -> None:
    """Measure what NAMES say, or everything: medians of runs in turn, each client in a process of its own."""
    rows: list[Row] = []
    for name in names or tuple(SUITES):
        click.echo(f"{name} …", err=True)
        rows += SUITES[name](Size(runs, share))
    show(rows)


def show(rows: list[Row]) -> None:
    """Print the table."""
    table = Table("benchmark", "what", "measured", "ratio", "goal", "")
    for column in (2, 3):
        table.columns[column].justify = "right"
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:,.2f}"
        met = {None: "", True: "met", False: "not met"}[row.is_met]
        table.add_row(row.suite, row.what, row.measured, ratio, row.goal, met)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main()
