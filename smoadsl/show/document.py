"""Document, to be the one HTML page that needs nothing else and lets nothing in it act.

There is no script in it. Its own style sheets are named by their hashes in the page's policy, and nothing else is
allowed.
"""

import base64
import hashlib
import re
from html import escape

from smoadsl.show.safe import printable_text

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
figcaption, small { color: var(--dim); font-size: .85rem; } .plot { width: 100%; background: #fff; border-radius: 6px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: .6rem 0; font-size: .85rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: normal; color: var(--dim); } tbody th, tr > th:first-child { text-align: left; color: var(--ink); }
.rows th, .rows td { text-align: left; vertical-align: top; } .rows td { white-space: normal; min-width: 5rem; }
.rows td:nth-child(2) { min-width: 16rem; }
"""


def document(title: str, body: str, images: bool = False) -> str:
    """A whole page. `title` and `body` are HTML of ours, in which every text is `plain`; `images`: some stand in it."""
    head = [f"<title>{title}</title>", f"<style>{_STYLE}</style>"]
    sheets = re.findall(r"<style>(.*?)</style>", "".join([*head, body]), re.DOTALL)  # ours alone: text has no `<`
    pictures = " img-src data:;" if images else ""
    policy = (
        f"default-src 'none'; style-src {' '.join(map(_hash, sheets))};{pictures} base-uri 'none'; form-action 'none'"
    )
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


def plain(text: str) -> str:
    """A text as it may stand in a page, whatever it says."""
    return escape(printable_text(text.strip("\n")))
