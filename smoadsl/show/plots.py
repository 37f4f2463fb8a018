"""Plots, to draw a comparison: quality against cost, the efficiency ratio over the stop rate, a line for each sweep."""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from smoadsl.diagnostics.render.text import printable
from smoadsl.score.comparison import UNITS, Comparison, Entry

_COLOURS = ("#1b6299", "#b35900", "#1a6b37", "#7b3fa0", "#a52a21", "#4d6a00", "#006b6b", "#8a4b6b")
_MARKS = "osD^vPX*"
_LABELS = {"tokens": "tokens", "usd": "money", "seconds": "time"}


class NoPlots(Exception):
    """What is needed to draw is not installed; the message says how to."""


Draw = Callable[[Any], None]


def plots_of(found: Comparison) -> Iterator[tuple[str, Draw]]:
    """The plots that the figures are enough for, by name; each draws into a matplotlib figure."""
    if sum(entry.score is not None for entry in found.entries) > 1:
        yield "quality-and-cost", lambda figure: _quality(figure, found)
    if any(entry.curve is not None for entry in found.entries):
        yield "efficiency", lambda figure: _efficiency(figure, found)
    for name in swept(found):
        yield f"sweep-{name}", lambda figure, name=name: _sweep(figure, found, name)  # type: ignore[misc]


def drawn(draw: Draw, form: Literal["svg", "png"]) -> bytes:
    """One plot as a file's content, the same each time. Raises `NoPlots`."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise NoPlots('plots need matplotlib: pip install "smoadsl[compare]"') from None
    with rc_context({"svg.hashsalt": "smoadsl", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        draw(figure)
        file = io.BytesIO()
        figure.savefig(file, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
    return file.getvalue()


def swept(found: Comparison) -> list[str]:
    """The params that have several values among the entries, all of them numbers."""
    names = dict.fromkeys(name for entry in found.entries for name in entry.settings)
    return [name for name in names if len({entry.settings.get(name) for entry in found.entries} - {None}) > 1]


def _quality(figure: Any, found: Comparison) -> None:
    axes = figure.add_subplot()
    scored = [entry for entry in found.entries if entry.score is not None]
    for place, entry in enumerate(scored):
        assert entry.score is not None
        mean, cost = entry.score.mean, _cost(entry, found)
        away = [[mean - entry.score.low], [entry.score.high - mean]]
        look = {"color": _COLOURS[place % len(_COLOURS)], "marker": _MARKS[place % len(_MARKS)]}
        axes.errorbar([cost], [mean], yerr=away, capsize=3, linestyle="none", label=_plain(entry.name), **look)
    front = sorted((_cost(entry, found), entry.score.mean) for entry in scored if entry.on_front and entry.score)
    axes.step(*zip(*front, strict=True), where="post", color="#8b949e", linewidth=1, zorder=0, label="Pareto front")
    axes.set_xlabel("dollars a prompt" if found.by_usd else "tokens a prompt")
    axes.set_ylabel(f"score ({_plain(found.scorer)})")
    axes.set_xlim(left=0)
    _legend(figure, axes)


def _efficiency(figure: Any, found: Comparison) -> None:
    curves = [entry for entry in found.entries if entry.curve is not None]
    units = [unit for unit in UNITS if unit != "usd" or found.by_usd]
    panels = figure.subplots(1, len(units), sharey=True)
    for axes, unit in zip(panels, units, strict=True):
        for place, entry in enumerate(curves):
            curve = entry.curve
            assert curve is not None
            look = {"color": _COLOURS[place % len(_COLOURS)]}
            ends = [getattr(curve.never, unit), getattr(curve.always, unit)]
            axes.plot([0, 100], ends, label=_plain(entry.name), **look)
            axes.plot([100 * curve.share], [getattr(curve.measured, unit)], marker="o", **look)
        axes.set_title(_LABELS[unit], fontsize=10)
        axes.set_xlabel("stopped early, %")
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel(f"share of {_plain(found.densest)}'s")
    _legend(figure, panels[0])


def _sweep(figure: Any, found: Comparison, name: str) -> None:
    """Score and cost against one param; a line for each setting of the others."""
    groups: dict[str, list[Entry]] = {}
    for entry in found.entries:
        if name in entry.settings and entry.score is not None:
            others = " ".join(f"{key}={value}" for key, value in entry.settings.items() if key != name)
            base = entry.name.split(" ")[0]
            groups.setdefault(f"{base} {others}".strip(), []).append(entry)
    left, right = figure.subplots(1, 2)
    for place, (label, entries) in enumerate(groups.items()):
        look = {"color": _COLOURS[place % len(_COLOURS)], "marker": _MARKS[place % len(_MARKS)], "label": _plain(label)}
        values = [_plain(entry.settings[name]) for entry in entries]
        means = [entry.score.mean for entry in entries if entry.score]
        left.plot(values, means, **look)
        right.plot(values, [_cost(entry, found) for entry in entries], **look)
    for axes in (left, right):
        axes.set_xlabel(_plain(name))
    left.set_ylabel(f"score ({_plain(found.scorer)})")
    right.set_ylabel("dollars a prompt" if found.by_usd else "tokens a prompt")
    right.set_ylim(bottom=0)
    _legend(figure, left)


def _cost(entry: Entry, found: Comparison) -> float:
    return entry.each.usd if found.by_usd else entry.each.tokens


def _legend(figure: Any, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(3, max(1, len(labels))), frameon=False, fontsize=9
    )


def _plain(text: str) -> str:
    """A text as it stands: matplotlib takes what is between dollar signs for a formula."""
    return printable(text).replace("$", r"\$")


def files_of(found: Comparison) -> Iterator[tuple[str, bytes]]:
    """Each plot as an SVG and a PNG, by file name. Raises `NoPlots`."""
    for name, draw in plots_of(found):
        for form in _FORMS:
            yield f"{name}.{form}", drawn(draw, form)


_FORMS: Sequence[Literal["svg", "png"]] = ("svg", "png")
