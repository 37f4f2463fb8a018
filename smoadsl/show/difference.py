"""Difference, to show what a change does to a plan: the verdict first, then the figures, then what differs."""

import io
from collections.abc import Callable, Collection, Iterator, Sequence

from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from smoadsl.diagnostics.render.text import printable
from smoadsl.plan.diff import FIGURES, Difference, Figure, FigureChange, TextChange
from smoadsl.plan.diff_notes import Change
from smoadsl.show.safe import counted, one_line

WIDTH = 100
_NAMES: dict[Figure, str] = {
    "usd": "dollars",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "critical_path": "critical path",
}
_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_MOST_NAMES = 5
_MOST_VALUE = 200  # characters of a value that stands in a line


# ---- in one line


def verdict(difference: Difference, quoted: Callable[[str], str] = one_line) -> str:
    """`cost up 38 %: $0.21 → $0.29 at worst; calls 13 → 17`. `quoted` writes what a file says."""
    calls = difference.figure("calls")
    said = [*_cost(difference, quoted), f"calls {_at_worst(calls)}" + ("" if calls.is_change else " as before")]
    if difference.is_none:
        return f"nothing changed; {'; '.join(said)}"
    return "; ".join(said)


def _cost(difference: Difference, quoted: Callable[[str], str]) -> Iterator[str]:
    usd, tokens = difference.figure("usd"), difference.figure("tokens")
    if usd.before and usd.after and (usd.before.worst or usd.after.worst):
        yield _rise("cost", usd)
        return
    if not usd.before or not usd.after:
        yield f"cost not known{_unpriced(difference, quoted)}"
    yield _rise("tokens", tokens)


def _unpriced(difference: Difference, quoted: Callable[[str], str]) -> str:
    """Of whose prices the cost can not be told, or could not be before."""
    names = some(difference.after.unpriced or difference.before.unpriced, quoted)
    when = " before" if difference.before.unpriced and not difference.after.unpriced else ""
    return f"{when} (no price for {names})" if names else when


def some(names: Sequence[str], quoted: Callable[[str], str] = one_line) -> str:
    """The first of the names, and how many there are more."""
    more = len(names) - _MOST_NAMES
    return ", ".join(quoted(name) for name in names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _rise(name: str, figure: FigureChange) -> str:
    if not figure.before or not figure.after or figure.before == figure.after:
        return f"{name} as before: {_at_worst(figure)} at worst"
    if (
        figure.before.worst == figure.after.worst and figure.before.full != figure.after.full
    ):  # a budget holds the worst
        rise = _up_or_down(name, figure.before.full, figure.after.full, figure.percent.full)
        return f"{rise}: {_from_to(figure, 'full')} in full; {_at_worst(figure)} at worst as before"
    rise = _up_or_down(name, figure.before.worst, figure.after.worst, figure.percent.worst)
    return f"{rise}: {_at_worst(figure)} at worst"


def _up_or_down(name: str, before: float, after: float, percent: float | None) -> str:
    """`cost up 38 %`."""
    if before == after:
        return f"{name} as before"
    much = "" if percent is None else f" {_percent(abs(percent))}"
    return f"{name} {'up' if after > before else 'down'}{much}"


def _at_worst(figure: FigureChange) -> str:
    return _from_to(figure, "worst")


def _percent(percent: float) -> str:
    return f"{percent:,.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _from_to(figure: FigureChange, which: str) -> str:
    """`13 → 17`, or `13` where it is the same."""
    before, after = (None if three is None else getattr(three, which) for three in (figure.before, figure.after))
    if before == after:
        return "not known" if after is None else amount(figure.name, after)
    digits = 2
    while before is not None and after is not None and digits < 8:
        if amount(figure.name, before, digits) != amount(figure.name, after, digits):
            break
        digits += 1
    return " → ".join("not known" if one is None else amount(figure.name, one, digits) for one in (before, after))


def amount(name: Figure, value: float, digits: int = 2) -> str:
    """A figure with its unit: `$0.21`, `17`, `12.5 s`. Of dollars under one, so many digits that count."""
    if name == "seconds":
        return f"{value:,.1f} s"
    if name != "usd":
        return f"{value:,.0f}"
    if value == 0 or value >= 1:
        return f"${value:,.{digits}f}" if value else "$0"
    places = next(place for place in range(1, 20) if value >= 10**-place) + digits - 1
    return f"${value:.{places}f}"


def figure_rows(difference: Difference, names: Collection[Figure] = FIGURES) -> Iterator[tuple[str, str, str, str]]:
    """Of each figure that is known its name and its three: how they were and are, and by how much the worst rises."""
    for figure in difference.figures:
        if figure.name in names and (figure.before or figure.after):
            least, full, worst = (_from_to(figure, which) for which in ("least", "full", "worst"))
            percent = figure.percent.worst
            sign = "+" if percent and percent > 0 else "−"
            rise = f" ({sign}{_percent(abs(percent))})" if percent else ""
            yield _NAMES.get(figure.name, figure.name), least, full, worst + rise


def value_of(text: str | None) -> str:
    return "" if text is None else one_line(text, _MOST_VALUE)


def lines_of(text: TextChange) -> str:
    """`new, 4 lines`, or `+2 −1 lines`."""
    if text.before and text.after:
        return f"+{text.added} −{text.removed} lines"
    count = text.added if text.after else text.removed
    return f"{'new' if text.after else 'gone'}, {counted(count, 'line')}"


def only_in(change: Change) -> str:
    """Where a model is asked so, if it is elsewhere asked as before."""
    return f"only in {'; '.join(change.places)}" if change.places else ""


# ---- for people


def difference_text(difference: Difference, colour: bool = False, width: int = WIDTH) -> str:
    """All of it, in lines of at most `width` columns."""
    before, after = difference.before, difference.after
    parts: list[RenderableType] = [
        _cell(f"{after.file} (pipeline {after.pipeline}), against {before.file}"),
        _cell(verdict(difference), "bold"),
        *_figures(difference),
        *_changes(difference.changes),
    ]
    for text in difference.texts:
        parts += [Text(), _cell(f"{text.what}: {lines_of(text)}")]
        parts += [_cell(f"  {line}", _STYLES.get(line[:1], "")) for line in text.lines]
    decided = [("-", made) for made in difference.decisions_gone] + [("+", made) for made in difference.decisions_new]
    parts += [Text("\nthe compiler decides otherwise")] * bool(decided)
    parts += [_cell(f"  {sign} {made.pass_name}: {made.message}", _STYLES[sign]) for sign, made in decided]
    console = Console(file=io.StringIO(), width=max(width, 1), color_system=None, legacy_windows=False)
    lines = [line for part in parts for line in console.render_lines(part, pad=False)]
    return "".join("".join(_painted(segment, colour) for segment in line).rstrip() + "\n" for line in lines)


def _painted(segment: Segment, colour: bool) -> str:
    style = segment.style
    return style.render(segment.text, color_system=ColorSystem.STANDARD) if colour and style else segment.text


def _figures(difference: Difference) -> Iterator[RenderableType]:
    rows = list(figure_rows(difference))
    if difference.is_none or not rows:
        return
    grid = _grid("", "least", "full", "worst")
    for row in rows:
        grid.add_row(*map(Text, row))
    yield from (Text(), grid)


def _changes(changes: Sequence[Change]) -> Iterator[RenderableType]:
    if not changes:
        return
    grid = _grid()
    for change in changes:
        before, after = value_of(change.before), value_of(change.after)
        said = f"{'renamed: ' * change.renamed}{before or '(none)'} → {after or '(none)'}"
        where = only_in(change)
        grid.add_row(_cell(f"  {change.where}"), _cell(change.what), _cell(f"{said} ({where})" if where else said))
    yield from (Text("\nwhat changed"), grid)


def _grid(*heads: str) -> Table:
    grid = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(heads))
    for column in grid.columns:
        column.overflow = "fold"
    return grid


def _cell(text: str, style: str = "") -> Text:
    """Never markup, and nothing that steers a terminal: names and texts come from files."""
    return Text(printable(text), style=style)
