"""Page, to tell what happened in a run as one HTML page that needs nothing else and lets nothing in it act.

There is no script in it. Its own style sheets are named by their hashes in the page's policy, and nothing else is
allowed: what models and files wrote is text, whatever it looks like.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from smoadsl.runtime import events
from smoadsl.show.graph.depict import depict
from smoadsl.show.graph.svg import svg
from smoadsl.show.report import Line, report
from smoadsl.show.safe import one_line, printable_text

_FOLDED = 1_200  # characters of a text from which on it is folded
_FEW_WORDS = 120  # of it that are seen then
_MOST_TEXT = 20_000  # characters of one text that are in the page
_MOST_TEXTS = 5_000_000  # and of all of them; beyond, the first words of each

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --dim: #57606a; --paper: #fff; --soft: #f6f8fa; --line: #d0d7de;
  --good: #1a6b37; --bad: #a52a21; --warning: #865b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9aa4af; --paper: #0d1117; --soft: #151b23;
  --line: #30363d; --good: #6fd08c; --bad: #ff9b93; --warning: #e3b341; } }
body { margin: 2rem auto; padding: 0 1.5rem; max-width: 56rem; color: var(--ink); background: var(--paper);
  font: 15px/1.55 Helvetica, Arial, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; padding-top: 1rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.3rem 0 .4rem; } p { margin: .25rem 0; color: var(--dim); }
section { content-visibility: auto; contain-intrinsic-size: auto 20rem; }
pre { margin: .4rem 0; padding: .7rem 1rem; background: var(--soft); border-left: 3px solid var(--line);
  border-radius: 4px; white-space: pre-wrap; font: inherit; }
summary { margin: .4rem 0; padding: .4rem 1rem; background: var(--soft); border-radius: 4px; cursor: pointer; }
.good { color: var(--good); } .bad { color: var(--bad); } .warning { color: var(--warning); }
figure { margin: 1.5rem 0; overflow-x: auto; } figure svg { max-width: 100%; height: auto; }
"""


def report_page(trace: Iterable[events.Event]) -> str:
    """The report of a run, be it finished, failed or cut off, with a picture of its plan.
    Raises `ValueError` or `LookupError` for events that are not those of one run."""
    told = tuple(trace)
    lines = [line for paragraph in report(told) for line in paragraph]
    plan = next(event.plan for event in told if isinstance(event, events.RunStarted))
    first, *rest = lines
    body = [f"<h1>{_text(first.text)}</h1>", f"<figure>{svg(depict(plan))}</figure>", *_sections(rest)]
    return _page(_text(first.text), "\n".join(body))


def _page(title: str, body: str) -> str:
    head = [f"<title>{title}</title>", f"<style>{_STYLE}</style>"]
    sheets = re.findall(r"<style>(.*?)</style>", "".join([*head, body]), re.DOTALL)  # ours alone: text has no `<`
    policy = f"default-src 'none'; style-src {' '.join(map(_hash, sheets))}; base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            *head,
            "</head>",
            f"<body>\n{body}\n</body>",
            "</html>\n",
        ]
    )


def _hash(sheet: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()}'"


def _sections(lines: Sequence[Line]) -> Iterator[str]:
    """A section from each line that is not indented to the next one."""
    room, is_open = _MOST_TEXTS, False
    for line in lines:
        if line.indent == 0:
            yield "</section>\n<section>" if is_open else "<section>"
            is_open = True
            yield f"<h2{_class(line)}>{_text(line.text)}</h2>"
        elif line.tone == "quoted":
            room -= len(line.text)
            yield _quoted(line.text, _MOST_TEXT if room > 0 else _FEW_WORDS)
        elif line.indent == 2 and line.tone == "plain":
            yield f"<h3>{_text(line.text)}</h3>"
        else:
            yield f"<p{_class(line)}>{_text(line.text)}</p>"
    if is_open:
        yield "</section>"


def _class(line: Line) -> str:
    return f' class="{line.tone}"' if line.tone != "plain" else ""


def _quoted(text: str, most: int) -> str:
    cut = len(text) - most
    shown = text if cut <= 0 else f"{text[:most]}…\n[{cut:,} more characters are in the trace]"
    whole = f"<pre>{_text(shown)}</pre>"
    if len(shown) <= _FOLDED:
        return whole
    return f"<details><summary>{_text(one_line(shown[:_FOLDED], _FEW_WORDS))}</summary>{whole}</details>"


def _text(text: str) -> str:
    return escape(printable_text(text.strip("\n")))
