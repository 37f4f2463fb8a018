"""Difference Markdown, to make the comment on a pull request that says at a glance what it does to a plan."""

from collections.abc import Sequence

from smoadsl.plan.diff import Difference, Figure, TextChange
from smoadsl.plan.diff_notes import Change
from smoadsl.show import markdown
from smoadsl.show.difference import figure_rows, lines_of, only_in, verdict

MOST_CHARACTERS = 60_000  # GitHub takes a comment of 65,536
_AT_A_GLANCE: tuple[Figure, ...] = ("calls", "usd", "tokens", "critical_path", "seconds")
_MOST_ROWS = 12  # at a glance; the rest is folded away
_MOST_ROWS_IN_ALL = 200
_MOST_LINES = 400  # of one text's difference
_MOST_LINE = 500  # characters


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
    folded = [markdown.details(f"{len(rows) - _MOST_ROWS} more", _changes(rows[_MOST_ROWS:]))] * (
        len(rows) > _MOST_ROWS
    )
    folded += [_text(text) for text in difference.texts]
    folded += _decisions(difference)
    return _within("\n\n".join(parts), folded)


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
    lines = [line[:_MOST_LINE] for line in text.lines[:_MOST_LINES]]
    more = len(text.lines) - len(lines)
    lines += [f"… and {more:,} more lines"] * bool(more)
    return markdown.details(f"{markdown.html_code(text.what)} {lines_of(text)}", markdown.block(lines, "diff"))


def _decisions(difference: Difference) -> list[str]:
    decided = [("-", made) for made in difference.decisions_gone] + [("+", made) for made in difference.decisions_new]
    lines = [f"{sign} {made.pass_name}: {made.message}" for sign, made in decided[:_MOST_LINES]]
    return [markdown.details("What the compiler decides otherwise", markdown.block(lines, "diff"))] if lines else []


def _within(head: str, folded: Sequence[str]) -> str:
    """The head, and what of the rest there is room for."""
    kept, size = [head], len(head)
    for part in folded:
        size += len(part) + 2
        if size <= MOST_CHARACTERS:
            kept.append(part)
    left = len(folded) + 1 - len(kept)
    kept += [f"{left} more not shown here: the whole comment would be too long."] * bool(left)
    return "\n\n".join(kept) + "\n"
