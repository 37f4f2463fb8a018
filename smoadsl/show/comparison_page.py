"""Comparison page, to show a comparison as one HTML page: plots, tables, and every row with what became of it."""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence

from smoadsl.classes import dataclass
from smoadsl.score.comparison import Comparison, Entry, Marked
from smoadsl.score.outcome import Missing, Refused, Scored, Unknown, Unreadable
from smoadsl.show.comparison import gain, remarks, stopped_share
from smoadsl.show.document import document, plain
from smoadsl.show.safe import counted, one_line

_MOST_ROWS = 10_000
_ROWS_OF_SECTION = 100  # drawn once they are scrolled to
_MOST_WORDS = 240
_CAPTIONS = {
    "quality-and-cost": "Score against cost, with 95 % intervals. Nothing on the Pareto front is beaten for its price.",
    "efficiency": "What a prompt takes of what the densest pipeline takes, against the share of prompts stopped early. "
    "The dots are what was measured.",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One row: what was asked, what is right, and what came of it in each entry, in the order of the entries."""

    number: int
    question: str
    right: str
    marked: Sequence[Marked]


def comparison_page(found: Comparison, plots: Iterable[tuple[str, bytes]], rows: Iterable[Asked]) -> str:
    """The page. `plots` are SVGs by name; of the rows, the first ten thousand are shown."""
    title = plain(f"{counted(len(found.entries), 'pipeline')} on {found.data}")
    parts = [f"<h1>{title}</h1>", *(f"<p>{plain(line)}</p>" for line in remarks(found))]
    parts += [_figure(name, content) for name, content in plots]
    parts += ["<h2>Figures</h2>", *_table(found), "<h2>Rows</h2>", *_rows(found, rows)]
    return document(title, "\n".join(parts), images=True)


def _figure(name: str, content: bytes) -> str:
    caption = _CAPTIONS.get(name, f"Score and cost against {plain(name.removeprefix('sweep-'))}.")
    source = base64.b64encode(content).decode()
    return (
        f'<figure><img class="plot" alt="{caption}" src="data:image/svg+xml;base64,{source}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(found: Comparison) -> Iterator[str]:
    """Three tables: gain and cost, what is to be known of the counts, and the scores by category."""
    groups = (
        f'<tr><th colspan="4"></th><th colspan="5">one prompt</th><th colspan="3">of {plain(found.densest)}</th></tr>'
    )
    heads = ["score", "95 %", "gain", "calls", "input", "output", "$", "time", "tokens", "$", "time"]
    yield from _figures(found, "", heads, lambda entry: _gained(entry, found), groups)
    heads = [
        "stopped early",
        "without an answer",
        "refused",
        "unreadable",
        "without a right answer",
        "ties",
        "degraded",
    ]
    heads.append("saved by the compiler")
    yield from _figures(found, f"of {counted(found.rows, 'row')}", heads, _counted)
    names = sorted({name for entry in found.entries for name in entry.categories})
    if names:
        yield from _figures(found, "score by part", [*names, "mean of these"], lambda entry: _by_part(entry, names))


def _figures(
    found: Comparison, title: str, heads: Sequence[str], cells: Callable[[Entry], Iterable[str]], groups: str = ""
) -> Iterator[str]:
    head = "".join(f"<th>{plain(name)}</th>" for name in (title, *heads))
    yield f'<div class="wide"><table><thead>{groups}<tr>{head}</tr></thead>'
    for entry in found.entries:
        name = f"<b>{plain(entry.name)}</b>" if entry.on_front else plain(entry.name)
        yield f"<tr><th>{name}</th>{''.join(f'<td>{plain(cell)}</td>' for cell in cells(entry))}</tr>"
    yield "</table></div>"


def _gained(entry: Entry, found: Comparison) -> Iterator[str]:
    yield f"{entry.score.mean:.3f}" if entry.score else "–"
    yield f"{entry.score.low:.3f}–{entry.score.high:.3f}" if entry.score else "–"
    yield gain(entry, found)
    yield f"{entry.calls:.2f}"
    yield f"{entry.input_tokens:,.0f}"
    yield f"{entry.output_tokens:,.0f}"
    yield f"{entry.each.usd:.6f}" if entry.priced else "?"
    yield f"{entry.each.seconds:.2f} s"
    for share in (entry.ratio.tokens, entry.ratio.usd, entry.ratio.seconds) if entry.ratio else (1.0, 1.0, 1.0):
        yield f"{share:.3f}"


def _counted(entry: Entry) -> Iterator[str]:
    yield f"{stopped_share(entry):.0%}" + "".join(f" ({where}: {count})" for where, count in entry.stopped.items())
    for count in (entry.missing, entry.refused, entry.unreadable, entry.unknown, entry.ties, entry.degraded):
        yield f"{count:,}"
    yield f"{counted(entry.saved.calls, 'call')}, {counted(entry.saved.tokens, 'token')}"


def _by_part(entry: Entry, names: Sequence[str]) -> Iterator[str]:
    for mean in [entry.categories.get(name) for name in names] + [entry.category_mean]:
        yield "–" if mean is None else f"{mean:.3f}"


def _rows(found: Comparison, rows: Iterable[Asked]) -> Iterator[str]:
    heads = "".join(f"<th>{plain(entry.name)}</th>" for entry in found.entries)
    head = f"<thead><tr><th></th><th>asked</th><th>right</th>{heads}</tr></thead>"
    shown, section = 0, 0
    for row in rows:
        if shown == _MOST_ROWS:
            break
        if section == 0:
            yield f'<section><div class="wide"><table class="rows">{head}'
        cells = "".join(_outcome(marked) for marked in row.marked)
        asked = plain(one_line(row.question, _MOST_WORDS))
        yield f"<tr><th>{row.number}</th><td>{asked}</td><td>{plain(one_line(row.right, 80))}</td>{cells}</tr>"
        shown, section = shown + 1, (section + 1) % _ROWS_OF_SECTION
        if section == 0:
            yield "</table></div></section>"
    if section:
        yield "</table></div></section>"
    if shown < found.rows:
        yield f"<p>The run's folder has {counted(found.rows - shown, 'row')} more.</p>"


def _outcome(marked: Marked) -> str:
    outcome, result = marked.outcome, marked.result
    said = plain(one_line(result.value or result.answer or "", 60))
    match outcome:
        case Scored():
            best = outcome.scale.low if outcome.scale.less_is_better else outcome.scale.high
            tone = "good" if outcome.value == best else "bad" if outcome.value == outcome.scale.worst else "warning"
            return f'<td class="{tone}">{said} <small>{outcome.value:g}</small></td>'
        case Missing() | Unreadable() | Unknown():
            return f'<td class="warning">{said} <small>{plain(one_line(outcome.why or result.error, 80))}</small></td>'
        case Refused():
            return '<td class="warning"><small>refused</small></td>'
