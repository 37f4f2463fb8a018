"""Test page, to hold the page of a run to telling all that the report tells, and to letting no text in it act."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from smoadsl.runtime.journal import journal_to
from smoadsl.show.page import report_page
from smoadsl.show.report import report
from smoadsl.show.safe import printable_text
from smoadsl.tools.cli import main
from tests.show.runs import CASES, HOSTILE, RAW, SMOA, Replies, best, case, planned, trace_of, with_hostile_names

TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "pre", "section", "figure", "details",
    "summary", "svg", "desc", "rect", "g", "path", "text", "tspan",
}  # fmt: skip
VOID = {"meta"}
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "role", "width", "height", "viewbox", "xmlns", "id",
    "aria-labelledby", "rx", "transform", "d", "x", "y", "dx", "text-anchor", "font-size", "textlength", "lengthadjust",
}  # fmt: skip
MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</pre></section></body><svg onload=alert(1)>",
    "</style><style>body{display:none}</style>",
    "</title><base href=https://evil.example/>",
    "<!-- --><![CDATA[ ]]>&lt;b&gt;&#60;i&#62;",
    '" onmouseover="alert(1)" x="',
    "<a href=javascript:alert(1)>x</a><iframe srcdoc=x></iframe><meta http-equiv=refresh content=0>",
]


class Page(HTMLParser):
    """What a page consists of: every element is closed, and of kinds that are written on purpose."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        self.policy = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert {name for name, _ in attrs} <= ATTRIBUTES
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"] or ""
        else:
            assert "http-equiv" not in dict(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_data(self, data: str) -> None:
        (self.styles if self.open[-1:] == ["style"] else self.texts).append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


@pytest.mark.parametrize("name", CASES)
def test_a_page_tells_what_the_report_tells(name: str) -> None:
    trace = case(name)
    page = Page(report_page(trace))
    for line in (line for paragraph in report(trace) for line in paragraph):
        assert line.text.strip("\n") in page.text


@pytest.mark.parametrize("name", ["two rounds", "aggregate broken"])
def test_every_beginning_of_a_trace_has_a_page(name: str) -> None:
    trace = case(name)
    for length in range(1, len(trace)):
        assert "cut off: the trace ends before the run does" in Page(report_page(trace[:length])).text


def test_the_policy_allows_the_two_style_sheets_and_nothing_else() -> None:
    page = Page(report_page(case("two rounds")))
    hashes = [base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode() for sheet in page.styles]
    assert len(hashes) == 2
    allowed = " ".join(f"'sha256-{hash_}'" for hash_ in hashes)
    assert page.policy == f"default-src 'none'; style-src {allowed}; base-uri 'none'; form-action 'none'"
    assert not re.search(r"url\(|@import|https?:", "".join(page.styles))


@pytest.mark.parametrize("markup", MARKUP)
def test_no_text_is_markup(markup: str) -> None:
    plan = planned(SMOA)
    replies = Replies({"ann": markup, "bob": f"2 {markup}"}, [best("cid", "dan", reason=markup, stop=True)])
    replies.aggregate = markup
    page = Page(report_page(trace_of(plan, replies, markup)))
    assert page.text.count(markup) >= 5
    assert len(page.styles) == 2


def test_nothing_can_reverse_what_is_read_or_steer_a_terminal() -> None:
    replies = Replies({"ann": HOSTILE}, [best("ann", "bob", reason=HOSTILE, stop=True)], aggregate=HOSTILE)
    page = report_page(trace_of(with_hostile_names(planned(SMOA)), replies, HOSTILE))
    assert not RAW & set(page)
    assert printable_text(HOSTILE).strip() in Page(page).text


def test_long_texts_are_folded_and_endless_ones_cut() -> None:
    replies = Replies(
        {"ann": "ann" + " word" * 1_000, "bob": "bob" + " endless" * 100_000}, [best("ann", "bob", stop=True)]
    )
    page = report_page(trace_of(planned(SMOA), replies))
    assert page.count("<details>") == 2
    assert len(page) < 100_000
    assert "[780,003 more characters are in the trace]" in Page(page).text


def test_the_command_writes_a_page(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    with trace.open("wb") as file:
        write = journal_to(file)
        for event in case("early stop"):
            write(event)
    done = CliRunner().invoke(main, ["report", str(trace), "--format", "html"])
    assert done.exit_code == 0
    assert "the layer stops here" in Page(done.stdout).text
    written = CliRunner().invoke(main, ["report", str(trace), "--format", "html", "-o", str(tmp_path / "p.html")])
    assert (written.exit_code, written.output) == (0, "")
    assert (tmp_path / "p.html").read_text(encoding="utf-8") == done.stdout
    nowhere = CliRunner().invoke(main, ["report", str(trace), "-o", str(tmp_path / "none" / "p.html")])
    assert (nowhere.exit_code, nowhere.stdout) == (2, "")
