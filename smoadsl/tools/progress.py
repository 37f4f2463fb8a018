"""Progress, to show how far a batch is: a bar on a terminal, a line now and then anywhere else."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from decimal import Decimal
from typing import Any

import click

from smoadsl.classes import dataclass
from smoadsl.scale.batch import Progress
from smoadsl.show.safe import counted, one_line

_BETWEEN_LINES_S = 30.0
_BETWEEN_LOOKS_S = 0.1  # a bar is not read faster than this


def tell(words: str) -> None:
    """A line for whoever looks on. That nobody does any more is no reason to end what was paid for."""
    with suppress(OSError):
        click.echo(one_line(words), err=True)


@dataclass(slots=True)
class Bar:
    """`total` rows are to be done; `now` is a clock in seconds. What it is told is what was done by this sitting, with
    `earlier` rows done before it. `title` stands before it."""

    total: int
    now: Callable[[], float]
    terminal: bool
    title: str = ""
    _shown: Any = None
    _task: Any = None
    _begun_s: float = field(init=False)
    _said_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun_s = self._said_s = self.now()
        if self.terminal:
            self._open()

    def show(self, done: int, earlier: int, failed: int, usd: Decimal, tokens: int) -> None:
        now = self.now()
        if now - self._said_s < (_BETWEEN_LINES_S if self._shown is None else _BETWEEN_LOOKS_S):
            return
        self._said_s = now
        words = self._words(done, earlier, failed, usd, tokens)
        if self._shown is not None:
            self._shown.update(self._task, completed=done, words=words)
        else:
            tell(f"{self.title}: {words}" if self.title else words)

    def say(self, words: str) -> None:
        """A line above the bar."""
        if self._shown is not None:
            self._shown.console.print(one_line(words), markup=False, highlight=False)
        else:
            tell(words)

    def close(self) -> None:
        """Give the terminal back. May be called twice."""
        shown, self._shown = self._shown, None
        if shown is not None:
            shown.stop()

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Shown

        title, words = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[words]}"))
        columns = [*([title] if self.title else []), BarColumn(bar_width=12), words]
        self._shown = Shown(*columns, console=Console(stderr=True), transient=True)
        self._task = self._shown.add_task(one_line(self.title), total=self.total, words=counted(self.total, "row"))
        self._shown.start()

    def _words(self, done: int, earlier: int, failed: int, usd: Decimal, tokens: int) -> str:
        """What matters most comes first: a narrow terminal cuts off the end."""
        per_s = (done - earlier) / max(self.now() - self._begun_s, 1e-9)
        words = [f"{done:,} of {counted(self.total, 'row')}"]
        if per_s:
            words.append(f"{_span((self.total - done) / per_s)} left")
        words += [f"{per_s:,.0f}/s" if per_s >= 100 else f"{per_s:.1f}/s"]
        words += [f"{failed:,} failed"] * bool(failed)
        words += [f"${usd:,.2f}" if usd >= 100 else f"${usd:.4f}"] * bool(usd)
        return " · ".join([*words, f"{_short(tokens)} token{'s' * (tokens != 1)}"])


def shown_in(bar: Bar, progress: Progress) -> None:
    bar.show(progress.rows, progress.earlier, progress.failed, progress.usd, progress.tokens)


def _span(seconds: float) -> str:
    """`40 s`, `3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _short(count: int) -> str:
    """`950`, `61k`, `1.2M`, `34M`."""
    if count < 10_000:
        return f"{count:,}"
    if count < 1_000_000:
        return f"{count / 1e3:.0f}k"
    return f"{count / 1e6:.1f}M" if count < 10_000_000 else f"{count / 1e6:,.0f}M"
