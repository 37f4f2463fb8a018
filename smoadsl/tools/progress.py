"""Progress, to show how far a batch is: a bar on a terminal, a line now and then anywhere else."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import click

from smoadsl.show.safe import one_line

_BETWEEN_LINES_S = 30.0


@dataclass(slots=True)
class Bar:
    """`total` rows are to be done; `now` is a clock in seconds. What it is told is what was done by this sitting, with
    `earlier` rows done before it."""

    total: int
    now: Callable[[], float]
    terminal: bool
    _shown: Any = None
    _task: Any = None
    _begun_s: float = field(init=False)
    _said_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun_s = self._said_s = self.now()
        if self.terminal:
            self._open()

    def show(self, done: int, earlier: int, failed: int, usd: Decimal, tokens: int) -> None:
        words = self._words(done, earlier, failed, usd, tokens)
        if self._shown is not None:
            self._shown.update(self._task, completed=done, words=words)
        elif self.now() - self._said_s >= _BETWEEN_LINES_S:
            self._said_s = self.now()
            click.echo(f"{done:,} of {self.total:,} rows · {words}", err=True)

    def say(self, words: str) -> None:
        """A line above the bar."""
        if self._shown is not None:
            self._shown.console.print(one_line(words), markup=False, highlight=False)
        else:
            click.echo(one_line(words), err=True)

    def close(self) -> None:
        """Give the terminal back. May be called twice."""
        shown, self._shown = self._shown, None
        if shown is not None:
            shown.stop()

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.fields[words]}", markup=False))
        self._shown = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._shown.add_task("", total=self.total, words="")
        self._shown.start()

    def _words(self, done: int, earlier: int, failed: int, usd: Decimal, tokens: int) -> str:
        per_s = (done - earlier) / max(self.now() - self._begun_s, 1e-9)
        words = [f"{per_s:,.1f}/s", f"{tokens:,} tokens"]
        words += [f"${usd:.4f}"] * bool(usd) + [f"{failed:,} failed"] * bool(failed)
        if per_s:
            words.append(f"{_span((self.total - done) / per_s)} left")
        return " · ".join(words)


def _span(seconds: float) -> str:
    """`40 s`, `3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
