"""Test markdown, to hold the comment on a pull request to its shape, whatever the files that it speaks of say."""

import re

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from smoadsl.plan.diff import Difference, FigureChange, Rise, Side, TextChange, Three
from smoadsl.plan.diff_notes import Change
from smoadsl.plan.plan import Decision
from smoadsl.show import markdown
from smoadsl.show.difference_markdown import MOST_CHARACTERS, difference_markdown
from smoadsl.show.safe import one_line

_HOSTILE = (
    "`", "``", "```", "~~~", "|", "\\|", "\\", "\n", "\r", "\n\n", "<b>", "</details>", "<!--", "-->", "<script>",
    "@all", "#1", "[a](https://x.example)", "![a](b)", "https://x.example", "www.x.example", "**", "__", "_", "# ", 
    "| a | b |", "---", "&amp;", "&#96;", "$", "$`", "`$", ":tada:", "\x1b[2J", "\u202e", "\u2028", "\x00", 
    "::add-mask::x", "##[group]", " ", "\t", "a", "é", "→", "",
)  # fmt: skip
hostile = st.lists(st.sampled_from(_HOSTILE) | st.text(max_size=4), max_size=8).map("".join)
READER = MarkdownIt("commonmark", {"html": True}).enable("table")


def tokens(document: str) -> list[Token]:
    """Each token of a document, those inside others too."""
    return [inner for token in READER.parse(document) for inner in (token, *(token.children or ()))]


def shape(document: str) -> list[str]:
    """What a document is made of, without its texts. Code in HTML counts as code in backticks, texts between as one."""
    kinds: list[str] = []
    for token in tokens(document):
        kind = token.type
        if kind == "html_inline":
            assert token.content in ("<code>", "</code>")
            kind = "code_inline" if token.content == "<code>" else ""
        elif kind == "html_block":
            kind = re.sub(r"<code>[^<>`|\n]*</code>", "CODE", token.content)
        if kind and kind not in ("text", "inline"):
            kinds.append(kind)
    return kinds


def outside_code(document: str) -> list[str]:
    """The texts that are read as text, in which a mention or an address would be one."""
    said: list[str] = []
    is_code = False
    for token in tokens(document):
        if token.type == "html_inline":
            is_code = token.content == "<code>"
        elif token.type == "text" and token.content and not is_code:
            said.append(token.content)
    return said


@given(hostile, hostile)
def test_code_in_a_cell_is_one_piece_of_code(first: str, second: str) -> None:
    """Unless it is empty: then it is nothing."""
    document = markdown.table(["a", "b"], [[markdown.code(first), markdown.code(second)]])
    plain = markdown.table(["a", "b"], [["`x`" if markdown.code(text) else "" for text in (first, second)]])
    assert shape(document) == shape(plain)


@given(hostile)
def test_code_shows_the_text(text: str) -> None:
    shown = re.sub(r"</?code>", "", READER.renderInline(markdown.code(text, 10_000)))
    numbers = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&"}
    plain = re.sub("|".join(numbers), lambda found: numbers[found[0]], shown)
    line = one_line(text, 10_000)
    assert plain == (re.sub(" +", " ", line).strip() if "`" not in markdown.code(text) else line)


@given(st.lists(hostile, min_size=1, max_size=5))
def test_a_block_ends_where_it_should(lines: list[str]) -> None:
    inner = [token for token in tokens(markdown.block(lines, "diff") + "\n\nafter") if token.type != "text"]
    assert [token.type for token in inner] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert len(inner[0].content.split("\n")) == len(lines) + 1


def text_change(what: str, *lines: str) -> TextChange:
    return TextChange(what=what, before=True, after=True, added=1, removed=1, lines=lines)


def difference(text: str) -> Difference:
    """A change in which every text that comes from a file is this one."""
    three = Three(least=1, full=2, worst=3)
    figures = [FigureChange(name=name, before=three, after=three, percent=Rise()) for name in ("calls", "tokens")]
    return Difference(
        before=Side(file=text, pipeline=text, unpriced=()),
        after=Side(file=text, pipeline=text, unpriced=(text,)),
        changes=(
            Change(area="shape", where=text, what=text, before=text, after=text),
            Change(area="models", where=text, what=text, before=None, after=text, places=(text,)),
        ),
        texts=(
            TextChange(what=text, before=True, after=True, added=1, removed=1, lines=("@@", f"-{text}", f"+{text}")),
        ),
        decisions_gone=(),
        decisions_new=(Decision(pass_name="fuse", message=text, origin=text),),
        figures=(*figures, FigureChange(name="usd", before=three, after=None, percent=Rise())),
    )


@given(hostile.filter(lambda text: bool(markdown.code(text))))
def test_no_text_changes_the_shape_of_a_comment(text: str) -> None:
    document = difference_markdown(difference(text), [f"there is no price for {markdown.code(text)}"])
    assert shape(document) == shape(difference_markdown(difference("x"), ["there is no price for `x`"]))
    assert outside_code(document) == outside_code(difference_markdown(difference("x"), ["there is no price for `x`"]))


def test_a_comment_is_never_longer_than_it_may_be() -> None:
    lines = tuple(f"+{number} " + "x" * 700 for number in range(1000))
    texts = tuple(
        TextChange(what=f"t{n}", before=True, after=True, added=9, removed=9, lines=lines) for n in range(300)
    )
    changes = tuple(
        Change(area="shape", where="`" * 200, what="|", before="\\" * 200, after="*" * 200) for _ in range(900)
    )
    long = difference("x").model_copy(update={"texts": texts, "changes": changes})
    document = difference_markdown(long)
    assert len(document) <= MOST_CHARACTERS + 200
    assert re.search(r"\d+ more would not fit into a comment", document)
    assert "more lines\n```" in document
    assert "| `calls`" not in document
    assert document.count("<details>") == document.count("</details>")
