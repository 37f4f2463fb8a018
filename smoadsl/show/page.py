"""Page, to tell what happened in a run as one HTML page that needs nothing else and lets nothing in it act.

What models and files wrote is text, whatever it looks like.
"""

from collections.abc import Iterable, Iterator, Sequence

from smoadsl.runtime import events
from smoadsl.show.document import document, plain
from smoadsl.show.graph.depict import depict
from smoadsl.show.graph.svg import svg
from smoadsl.show.report import Line, report
from smoadsl.show.safe import one_line

_FOLDED = 1_200  # characters of a text from which on it is folded
_FEW_WORDS = 120  # of it that are seen then
_MOST_TEXT = 20_000  # characters of one text that are in the page
_MOST_TEXTS = 5_000_000  # and of all of them; beyond, the first words of each


def report_page(trace: Iterable[events.Event]) -> str:
    """The report of a run, be it finished, failed or cut off, with a picture of its plan.
    Raises `ValueError` or `LookupError` for events that are not those of one run."""
    told = tuple(trace)
    lines = [line for paragraph in report(told) for line in paragraph]
    plan = next(event.plan for event in told if isinstance(event, events.RunStarted))
    first, *rest = lines
    body = [f"<h1>{plain(first.text)}</h1>", f"<figure>{svg(depict(plan))}</figure>", *_sections(rest)]
    return document(plain(first.text), "\n".join(body))


def _sections(lines: Sequence[Line]) -> Iterator[str]:
    """A section from each line that is not indented to the next one."""
    room, is_open = _MOST_TEXTS, False
    for line in lines:
        if line.indent == 0:
            yield "</section>\n<section>" if is_open else "<section>"
            is_open = True
            yield f"<h2{_class(line)}>{plain(line.text)}</h2>"
        elif line.tone == "quoted":
            room -= len(line.text)
            yield _quoted(line.text, _MOST_TEXT if room > 0 else _FEW_WORDS)
        elif line.indent == 2 and line.tone == "plain":
            yield f"<h3>{plain(line.text)}</h3>"
        else:
            yield f"<p{_class(line)}>{plain(line.text)}</p>"
    if is_open:
        yield "</section>"


def _class(line: Line) -> str:
    return f' class="{line.tone}"' if line.tone != "plain" else ""


def _quoted(text: str, most: int) -> str:
    cut = len(text) - most
    shown = text if cut <= 0 else f"{text[:most]}…\n[{cut:,} more characters are in the trace]"
    whole = f"<pre>{plain(shown)}</pre>"
    if len(shown) <= _FOLDED:
        return whole
    return f"<details><summary>{plain(one_line(shown[:_FOLDED], _FEW_WORDS))}</summary>{whole}</details>"
