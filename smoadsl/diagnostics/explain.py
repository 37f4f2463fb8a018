"""Explain, to read the page of a code, and lay it out for a person: what the rule is, a wrong example, a right one.

A page is Markdown, and its examples are tests. Comment lines above an example say what it needs beside its text:

    <!-- file: models.moa: model m = "groq/x" -->   a file beside it; `\\n` is a line end
    <!-- locked -->                                 a lock that fits
    <!-- run: smoadsl plan example.moa -->          the command that says the code, where `check` does not
    <!-- bytes -->                                  `\\xe9` in the example is that byte
    <!-- not run: why -->                           what only describes an example
"""

import re
from collections.abc import Iterable, Mapping

from smoadsl.classes import dataclass

FILE = "example.moa"
FAMILIES = {
    "0": "reading and syntax",
    "1": "names and imports",
    "2": "values and types",
    "3": "pipelines and their tests",
    "4": "templates",
    "5": "providers, models and prices",
    "9": "advice",
}
_PAGE = re.compile(
    r"# (?P<code>MOA\d{3}): (?P<title>.+)\n\n(?P<text>.+?)\n\n"
    r"## Wrong\n\n(?P<wrong>.+?)\n\n## Right\n\n(?P<right>.+?)\n",
    re.DOTALL,
)
_EXAMPLE = re.compile(r"(?P<comments>(?:<!-- .+ -->\n)*)```moa\n(?P<text>.*?)```", re.DOTALL)
_COMMENT = re.compile(r"<!-- (locked|bytes|run|file|not run)(?:: (.+))? -->\n")


@dataclass(frozen=True, slots=True)
class Example:
    """A small file, and what it needs beside it. `not_run` says why no test can have it checked."""

    text: str
    files: Mapping[str, str]
    command: str
    has_bytes: bool
    is_locked: bool
    not_run: str


@dataclass(frozen=True, slots=True)
class Page:
    code: str
    title: str
    text: str
    wrong: Example
    right: Example


def read_page(markdown: str) -> Page:
    """The page in a text. Raises `ValueError` when it has not the form of one."""
    page = _PAGE.fullmatch(markdown)
    if page is None:
        raise ValueError("a page is a title, a text, ## Wrong with an example, and ## Right with one")
    return Page(page["code"], page["title"], page["text"], _example(page["wrong"]), _example(page["right"]))


def _example(markdown: str) -> Example:
    example = _EXAMPLE.fullmatch(markdown)
    if example is None or _COMMENT.sub("", example["comments"]):
        raise ValueError(f"an example is comments that are known and one block of moa, not {markdown!r}")
    said = _COMMENT.findall(example["comments"])
    one = dict(said)
    files = [value.partition(": ") for key, value in said if key == "file"]
    return Example(
        example["text"],
        {name: content.replace("\\n", "\n") + "\n" for name, _, content in files},
        one.get("run", f"smoadsl check {FILE}"),
        "bytes" in one,
        "locked" in one,
        one.get("not run", ""),
    )


def as_markdown(page: Page) -> str:
    """What stands below the page's title, its comments in words."""
    parts = [page.text]
    for head, example in (("## Wrong", page.wrong), ("## Right", page.right)):
        parts += [head, f"```moa\n{example.text}```"]
        for words, content in _beside(example):
            parts += [words, f"```moa\n{content}```"] if content else [words]
    return "\n\n".join(parts) + "\n"


def as_text(page: Page) -> str:
    """The page for a pipe or a file: lines of at most 80 columns, and no signs but its own."""
    head = f"{page.code}: {page.title}"
    parts = [f"{head}\n{'=' * len(head)}", page.text]
    for name, example in (("Wrong", page.wrong), ("Right", page.right)):
        parts += [f"{name}\n{'-' * len(name)}", _indented(example.text)]
        for words, content in _beside(example):
            parts += [words, _indented(content)] if content else [words]
    return "\n\n".join(parts) + "\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def _beside(example: Example) -> Iterable[tuple[str, str]]:
    """What an example needs beside its text: in words, and the content of a file that is worth showing."""
    for name, content in example.files.items():
        is_lock = name.endswith(".lock")
        yield f"Beside it lies `{name}`{'.' if is_lock else ':'}", "" if is_lock else content
    if example.is_locked:
        yield f"Beside it lies `{FILE}.lock`, which fits.", ""
    if example.command.split()[1] != "check":
        yield f"The command is `{example.command}`.", ""


def as_list(pages: Iterable[Page]) -> Iterable[tuple[str, list[str]]]:
    """Codes and titles, a line each, by family."""
    known = list(pages)
    for digit, family in FAMILIES.items():
        lines = [f"{page.code}  {page.title}" for page in known if page.code[3] == digit]
        if lines:
            yield f"MOA{digit}xx {family}", lines
