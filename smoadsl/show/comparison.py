"""Comparison, to show on a terminal what several pipelines gain and cost: a table, and what is to be read off it."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from smoadsl.diagnostics.render.text import printable
from smoadsl.score.comparison import Comparison, Entry
from smoadsl.show.safe import counted

_MOST_TOLD = 8  # entries; of more, only those on the front


def comparison_table(found: Comparison) -> RenderableType:
    """The table with its remarks, for 80 columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", overflow="fold")
    for head in ("score", "95 %", "gain", "calls", "tokens", "usd" if found.by_usd else "", "time", "stopped"):
        if head:
            table.add_column(head, justify="right", no_wrap=True)
    for entry in found.entries:
        table.add_row(*_row(entry, found))
    lines = [Text(printable(line)) for line in remarks(found)]
    return Group(table, Text(), *lines)


def _row(entry: Entry, found: Comparison) -> Iterator[Text | str]:
    yield Text(printable(entry.name), style="bold" if entry.on_front else "")
    yield f"{entry.score.mean:.3f}" if entry.score else "–"
    yield f"{entry.score.low:.2f}–{entry.score.high:.2f}" if entry.score else ""
    yield gain(entry, found)
    yield f"{entry.calls:.1f}"
    yield f"{entry.each.tokens:,.0f}"
    if found.by_usd:
        yield f"{entry.each.usd:.5f}"
    yield f"{entry.each.seconds:.1f} s"
    yield f"{stopped_share(entry):.0%}" if entry.stopped else "–"


def gain(entry: Entry, found: Comparison) -> str:
    """The improvement over the baseline, with its sign."""
    if entry.name == found.baseline:
        return "base"
    return "–" if entry.improvement_percent is None else f"{entry.improvement_percent:+.1f} %"


def stopped_share(entry: Entry) -> float:
    """The share of the rows that a stop rule ended early."""
    return sum(entry.stopped.values()) / entry.rows


def remarks(found: Comparison) -> list[str]:
    """What is to be read off the figures, a sentence each."""
    rows = counted(found.rows, "row")
    said = [f"{rows} of {found.data}; score: {found.scorer}, best {found.best:g}. All else is for one prompt."]
    front = [entry.name for entry in found.entries if entry.on_front]
    cost = "less money" if found.by_usd else "fewer tokens"
    if len(found.entries) > 1:
        said.append(f"Nothing scores as well for {cost} than: {', '.join(front)}.")
    for entry in found.entries:
        said += _counts(entry)
    for entry in found.entries:
        if entry.on_front or len(found.entries) <= _MOST_TOLD:
            said += _shares(entry, found)
    saved = [f"{entry.name} {counted(entry.saved.calls, 'call')}" for entry in found.entries if entry.saved.calls]
    if saved and len(saved) <= _MOST_TOLD:
        said.append(f"Without what the compiler saves, a prompt in full would take more: {', '.join(saved)}.")
    return said


def _shares(entry: Entry, found: Comparison) -> list[str]:
    """What it takes of what the densest takes, and how that depends on how many prompts are stopped."""
    if entry.name == found.densest or entry.ratio is None:
        return []
    share, curve = entry.ratio, entry.curve
    money = f", {share.usd:.2f} of its money" if found.by_usd else ""
    of = f"{share.tokens:.2f} of {found.densest}'s tokens{money}, {share.seconds:.2f} of its time"
    if curve is None:
        return [f"{entry.name} takes {of}."]
    ends = f"{curve.never.tokens:.2f} where no prompt is stopped early, {curve.always.tokens:.2f} where all are"
    return [f"{entry.name} takes {of}; of the tokens {ends}; {curve.share:.0%} were."]


def _counts(entry: Entry) -> list[str]:
    """What went into no score, or into one that is not as written."""
    counts = {
        "without an answer": entry.missing,
        "refused": entry.refused,
        "not readable": entry.unreadable,
        "without a right answer": entry.unknown,
        "ties": entry.ties,
        "degraded": entry.degraded,
    }
    told = [f"{count:,} {what}" for what, count in counts.items() if count]
    return [f"{entry.name}: of {counted(entry.rows, 'row')} {', '.join(told)}."] if told else []
