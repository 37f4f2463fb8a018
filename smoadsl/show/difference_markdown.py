"""Difference Markdown, to make the comment on a pull request that says at a glance what it does to a plan."""

from collections.abc import Iterable, Iterator, Sequence

from smoadsl.plan.diff import Difference, Figure, TextChange
from smoadsl.plan.diff_notes import Change
from smoadsl.show import markdown
from smoadsl.show.difference import figure_rows, lines_of, only_in, verdict

MOST_CHARACTERS = 60_000  # GitHub takes a comment of 65,536
_AT_A_GLANCE: tuple[Figure, ...] = ("calls", "usd", "tokens", "critical_path", "seconds")
_MOST_ROWS = 12  # at a glance; the rest is folded away
_MOST_ROWS_IN_ALL = 100
_MOST_BLOCK = 10_000  # characters of one text's difference
_MOST_LINE = 500


def difference_markdown(difference: Difference, over: Sequence[str] = ()) -> str:
    """The comment: the verdict, the limits that it is `over` (Markdown already), two small tables, and folded away all
    the texts that differ. It has at most `MOST_CHARACTERS`."""
    before, after = difference.before, difference.after
    said = verdict(difference, markdown.code)
    parts = [f"### {said[0].upper()}{said[1:]}"]
    parts += [f"> **Over the limit:** {sentence}" for sentence in over]
    parts.append(f"Pipeline {markdown.code(after.pipeline)} of {markdown.code(after.file)}, "
                 f"against {markdown.code(before.file)}.")  # fmt: skip
    rows = [_row(change) for change in difference.changes[:_MOST_ROWS_IN_ALL]]
    rows += [(markdown.code(text.what), "", lines_of(text)) for text in difference.texts[:_MOST_ROWS_IN_ALL]]
    if rows:
        parts.append(_changes(rows[:_MOST_ROWS]))
    if not difference.is_none:
        figures = list(figure_rows(difference, _AT_A_GLANCE))
        parts.append(markdown.table(["", "least", "full", "worst"], figures, "lrrr"))
    return _within("\n\n".join(parts), _folded(difference, rows[_MOST_ROWS:]))


def _folded(difference: Difference, more: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """What is there for who wants to know more."""
    if more:
        yield markdown.details(f"{len(more)} more", _changes(more))
    for text in difference.texts[:_MOST_ROWS_IN_ALL]:
        yield _text(text)
    decided = [("-", made) for made in difference.decisions_gone] + [("+", made) for made in difference.decisions_new]
    if decided:
        lines = [f"{sign} {made.pass_name}: {made.message}" for sign, made in decided]
        yield markdown.details("What the compiler decides otherwise", markdown.block(_cut(lines), "diff"))


def _row(change: Change) -> tuple[str, str, str]:
    where = f"{change.where} · {change.what}" + (" (renamed)" if change.renamed else "")
    places = f", {markdown.code(only_in(change))}" if change.places else ""
    return (
        markdown.code(where) + places,
        markdown.code(change.before or ""),
        markdown.code(change.after or ""),
    )


def _changes(rows: Sequence[tuple[str, str, str]]) -> str:
    return markdown.table(["what changed", "before", "after"], rows)


def _text(text: TextChange) -> str:
    return markdown.details(
        f"{markdown.html_code(text.what)} {lines_of(text)}", markdown.block(_cut(text.lines), "diff")
    )


def _cut(lines: Sequence[str]) -> list[str]:
    """As many of the lines as there is room for in one block."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += min(len(line), _MOST_LINE)
        if size > _MOST_BLOCK:
            return [*kept, f"… and {len(lines) - len(kept):,} more lines"]
        kept.append(line[:_MOST_LINE])
    return kept


def _within(head: str, folded: Iterable[str]) -> str:
    """The head, and what comes after it as far as there is room."""
    kept, size, left = [head], len(head), 0
    for part in folded:
        if size + len(part) + 2 > MOST_CHARACTERS:
            left += 1
            continue
        kept.append(part)
        size += len(part) + 2
    if left:
        kept.append(f"{left} more would not fit into a comment: `smoadsl plan --against` shows all.")
    return "\n\n".join(kept) + "\n"
