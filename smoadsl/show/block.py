"""Block, to draw on a terminal what goes on now: a row for each call of a round, drawn again as it goes on."""

from collections.abc import Mapping
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING, assert_never

from smoadsl.classes import dataclass
from smoadsl.runtime import events
from smoadsl.show.safe import MOST_REASON, failed, judged, laid_out, one_line, stop_checked, taken, told

if TYPE_CHECKING:  # imported only where there is a terminal
    from rich.console import Console, Group
    from rich.live import Live as Drawing

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_STYLES = {"·": "dim", "–": "dim", "↻": "yellow", "!": "yellow", "✓": "green", "▸": "green", "✗": "red", "→": ""}
_LOUD = {"error": "bold red", "warning": "yellow"}  # what a line begins with


def block_on_terminal() -> "Block | None":
    """A block on standard error, or none on a terminal that can not draw again."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    return None if console.is_dumb_terminal else Block(console)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the block. One without a mark is under way: since when, and when its next attempt begins."""

    mark: str
    name: str
    words: str = ""
    since_s: float = 0.0
    again_s: float = 0.0

    def at(self, now_s: float) -> tuple[str, str, str]:
        """The mark, its style and the words at a moment."""
        if self.mark:
            return self.mark, _STYLES[self.mark], self.words
        if now_s < self.again_s:
            return "↻", _STYLES["↻"], f"retrying in {ceil(self.again_s - now_s)} s: {self.words}"
        return _SPINNER[int(now_s * 10) % len(_SPINNER)], "cyan", f"{max(now_s - self.since_s, 0.0):.1f} s"


def _changed(event: events.Event, asked: Mapping[int, events.CallStarted]) -> tuple[str, _Row] | None:
    """The row that an event changes or adds, and the key that it has in the block."""
    match event:
        case events.CallStarted():
            return _row(event)
        case events.CallAttempted(wait_s=float(wait_s)):
            reason = one_line(event.message or event.outcome, MOST_REASON)
            return _row(asked[event.call], "", reason, event.at_s + wait_s)
        case events.CallSucceeded():
            return _row(asked[event.call], "✓", taken(event, asked[event.call].at_s))
        case events.CallFailed():
            return _row(asked[event.call], "–" if event.kind == "cancelled" else "✗", failed(event))
        case events.VerdictUnreadable():
            return _row(asked[event.call], "✗", f"unreadable: {one_line(event.fault, MOST_REASON)}")
        case events.Judged():
            return f"{event.layer} judge", _Row("✓", f"{_inside(event.layer)}judge", judged(event, asked))
        case events.StopChecked():
            key = f"{event.layer} stop {event.at_s}"
            return key, _Row("→", f"{_inside(event.layer)}stop", stop_checked(event))
        case events.PipelineAnswered():
            key = f"{event.layer} {event.agent} answered"
            return key, _Row("✓", one_line(event.agent), f"the pipeline {one_line(event.pipeline)} answered")
        case events.Degraded():
            return f"warning {event.at_s}", _Row("!", "warning:", one_line(event.why))
        case events.LayerSkipped() | events.Activated():
            name, _, words = told(event, asked, {}).partition(" ")
            return f"{event.layer} gate", _Row("→", name.rstrip(":"), words)
        case events.RunStarted() | events.RoundStarted() | events.CallAttempted():
            return None
        case events.AnswerPiece() | events.RunFinished() | events.RunFailed():
            return None
        case _:
            assert_never(event)


def _row(call: events.CallStarted, mark: str = "", words: str = "", again_s: float = 0.0) -> tuple[str, _Row]:
    """Agents are known by their names, all else by what it is for; what is inside an agent, behind the agent's name."""
    if call.purpose == "propose":
        key, name = f"propose {call.agent}", call.agent
    else:
        key = f"{call.layer} {call.purpose}"
        name = call.model if call.agent == "aggregate" else f"{_inside(call.layer)}{call.purpose}"
    return key, _Row(mark, one_line(name), words, call.at_s, again_s)


def _begins(call: events.CallStarted) -> bool:
    """Whether a call opens a block of its own: the gate before a layer, or the last call of all."""
    is_outermost = not _inside(call.layer) and not _inside(call.agent)
    return is_outermost and call.purpose in ("router", "aggregate") and not call.repair


def _inside(layer: str) -> str:
    """The agents that a layer is inside of: `alice/` of `alice/drafts`, where the agent `alice` is a pipeline."""
    return one_line(layer[: layer.rfind("/") + 1])


class Block:
    """What goes on now: a round, or the aggregate. A thread of rich's draws it, so rows are replaced, never changed."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._drawing: Drawing | None = None
        self._title = ""
        self._rows: Mapping[str, _Row] = {}
        self._begun_s = monotonic()

    def draw(self, event: events.Event, asked: Mapping[int, events.CallStarted], words: str) -> None:
        """`words` are what a log says of the event, for what has no place in a block."""
        self._begun_s = monotonic() - event.at_s
        if isinstance(event, events.RoundStarted) and not _inside(event.layer):
            waiting = {f"propose {agent}": _Row("·", one_line(agent), "waiting") for agent in event.agents}
            self._begin(words.partition(":")[0], waiting)
        elif isinstance(event, events.CallStarted) and (self._drawing is None or _begins(event)):
            self._begin("aggregate" if event.purpose == "aggregate" else one_line(event.layer), {})
        changed = _changed(event, asked)
        if changed is not None and self._drawing is not None:
            key, row = changed
            if isinstance(event, events.Judged) and key in self._rows and self._rows[key].mark == "✗":
                key += " instead"  # who decided in the place of a judge that failed stands below it
            begun = f"propose {row.name.partition('/')[0]}" if "/" in row.name else ""  # its own rows stand for it
            shared = event.samples if isinstance(event, events.CallStarted) and not _inside(event.layer) else ()
            shares = {f"propose {agent}" for agent in shared}
            kept = {key if k in shares else k: r for k, r in self._rows.items() if k != begun}
            self._rows = {**kept, key: row}
        elif isinstance(event, events.RunFinished | events.RunFailed):
            self.finish()
            self.say(words)
        elif words and self._drawing is None and not isinstance(event, events.CallSucceeded | events.CallFailed):
            self.say(words)

    def say(self, words: str) -> None:
        text = laid_out([(0, words)], self._console.width)
        self._console.out(text, style=_LOUD.get(words.partition(":")[0]), highlight=False, end="")

    def finish(self, mark: str = "–", words: str = "not waited for") -> None:
        """Leave the block as it stands; `mark` and `words` are for what is still under way."""
        if self._drawing is not None:
            ended = {k: r if r.mark not in ("", "·") else _Row(mark, r.name, words) for k, r in self._rows.items()}
            self._rows = ended
            self._drawing.stop()
            self._drawing = None

    def _begin(self, title: str, rows: Mapping[str, _Row]) -> None:
        from rich.live import Live as Drawing

        self.finish()
        self._title, self._rows = title, rows
        self._drawing = Drawing(
            console=self._console, get_renderable=self._drawn, refresh_per_second=10, redirect_stdout=False
        )
        self._drawing.start()

    def _drawn(self) -> "Group":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        grid.add_column(overflow="fold")
        for row in self._rows.values():
            mark, style, words = row.at(monotonic() - self._begun_s)
            grid.add_row(Text(f"  {mark}", style), Text(f"{row.name} "), Text(words, style if mark == "!" else ""))
        return Group(Text(self._title, "bold"), grid)
