"""Figures, to show a plan's bounds to a person: a small table, and below it what the figures mean and rest on."""

from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from smoadsl.diagnostics.render.text import printable
from smoadsl.plan import plan as plans

_MOST_NAMES = 5
_THE_THREE = (
    "least: all that can end early does. full: nothing fails and nothing ends early. "
    "worst: besides, every verdict must be asked for twice, and every call tried as often as it may be."
)


def figures(bounds: plans.Bounds) -> RenderableType:
    """The table of bounds with its remarks."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("bounds", "least", "full", "worst", ""):
        table.add_column(head, justify="right" if head in ("least", "full", "worst") else "left", overflow="fold")
    counts = (
        ("calls", bounds.calls, ""),
        ("input tokens", bounds.input_tokens, f"for a prompt of {bounds.prompt_tokens:,} tokens"),
        ("output tokens", bounds.output_tokens, ""),
    )
    for name, row, note in counts:
        table.add_row(name, *(f"{figure:,}" for figure in (row.least, row.full, row.worst)), note)
    if bounds.usd:
        table.add_row("money", *map(dollars, (bounds.usd.least, bounds.usd.full, bounds.usd.worst)))
    else:
        table.add_row("money", "?", "?", "?", "not every model has a known price")
    path = bounds.critical_path
    table.add_row("critical path", f"{path.least:,}", f"{path.full:,}", f"{path.worst:,}", "calls, one after another")
    if bounds.seconds:
        times = (bounds.seconds.least, bounds.seconds.full, bounds.seconds.worst)
        table.add_row("time", *(f"{seconds:,.1f} s" for seconds in times), "on that path, retries and queues aside")
    remarks = [f"{binds[0].upper()}{binds[1:]}." for binds in bounds.binds]
    if bounds.unpriced:
        remarks.append(f"Without a price: {_some(bounds.unpriced)}. `price` in a model's block says it.")
    return Group(table, Text(), Text(_THE_THREE), *(Text(printable(remark)) for remark in remarks))


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def dollars(usd: Decimal) -> str:
    """An amount with four digits behind the point, as the line at the end of a run has it."""
    return f"${usd:,.4f}"
