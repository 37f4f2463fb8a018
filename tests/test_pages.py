"""Test pages, to hold the page of each code to its word: the wrong example gives that code, the right one nothing."""

import ast
import re
import shlex
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from smoadsl.diagnostics import explain
from smoadsl.diagnostics.explain import FILE, Example, Page, as_markdown, as_text, read_page
from smoadsl.diagnostics.source import Source
from smoadsl.language.format import format
from smoadsl.language.lock import Entry, lock_name, lock_text
from smoadsl.tools import api
from smoadsl.tools.cli import main

FOLDER = Path(str(files("smoadsl.diagnostics"))) / "pages"
PROBLEMS = sorted(Path(str(files("smoadsl.language"))).glob("*problems.py"))
CODE = re.compile(r"MOA\d{3}")
MOST_NOT_RUN = 4
MOST_CODE_COLUMNS = 76  # indented by four, or with a space at both sides


def codes() -> set[str]:
    """Every code that a function of the problems says."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PROBLEMS]
    functions = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    constants = [one.value for node in functions for one in ast.walk(node) if isinstance(one, ast.Constant)]
    return {value for value in constants if isinstance(value, str) and CODE.fullmatch(value)}


NAMES = sorted(path.stem for path in FOLDER.glob("*.md"))
EXAMPLES = [(code, which) for code in NAMES for which in ("wrong", "right")]


def text_of(code: str) -> str:
    return (FOLDER / f"{code}.md").read_text(encoding="utf-8")


@cache
def page(code: str) -> Page:
    return read_page(text_of(code))


def smoadsl(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert sorted(codes()) == NAMES


@pytest.mark.parametrize("code", NAMES)
def test_a_page_has_its_form(code: str) -> None:
    known = page(code)
    assert known.code == code
    assert known.code[3] in explain.FAMILIES
    prose = re.sub(r"`[^`]*`", "x", " ".join(known.text.split()))
    assert 2 <= len(re.findall(r"[.!?](?= [A-Z]|$)", prose)) <= 6
    assert "##" not in known.text
    lines = [line for line in text_of(code).splitlines() if not line.startswith("<!--")]
    assert max(map(cell_len, lines)) <= 80
    assert max(map(cell_len, (known.wrong.text + known.right.text).splitlines())) <= MOST_CODE_COLUMNS
    assert max(map(cell_len, as_text(known).splitlines())) <= 80


def test_titles_are_unique_and_fit_beside_their_codes() -> None:
    titles = [page(code).title for code in NAMES]
    assert len(set(titles)) == len(titles)
    assert max(map(len, titles)) <= 80 - len("  MOA000  ")


# ---- the examples


def test_nearly_every_example_is_run() -> None:
    assert len([code for code in NAMES if page(code).wrong.not_run]) <= MOST_NOT_RUN
    assert not [code for code in NAMES if page(code).right.not_run]


@pytest.mark.parametrize(("code", "which"), EXAMPLES)
def test_an_example_gives_its_code_and_nothing_else(
    code: str, which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = getattr(page(code), which)
    if example.not_run:
        pytest.skip(example.not_run)
    (tmp_path / ".git").mkdir()  # so that nothing outside is part of the project
    monkeypatch.chdir(tmp_path)
    lay_out(example)
    done = smoadsl(*shlex.split(example.command)[1:])
    said = re.findall(r"^(error|advice)\[(MOA\d{3})\]", done.stderr, re.MULTILINE)
    severity = "advice" if code.startswith("MOA9") else "error"
    assert said == ([(severity, code)] if which == "wrong" else []), done.stderr
    assert done.exit_code == (1 if said and severity == "error" else 0)


def lay_out(example: Example) -> None:
    """The example and what lies beside it, as files."""
    content = example.text.encode()
    if example.has_bytes:
        content = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), content)
    Path(FILE).write_bytes(content)
    for name, text in example.files.items():
        Path(name).write_text(text, encoding="utf-8")
    if example.is_locked:
        program = api.analyse(FILE)
        assert program.value is not None
        entries = {
            one.name: Entry(one.fingerprint, one.n, one.model.written, tuple(f"You are {i}." for i in range(one.n)))
            for one in program.value.recipes
        }
        assert entries
        Path(lock_name(Source(FILE, ""))).write_text(lock_text(entries), encoding="utf-8")


@pytest.mark.parametrize("code", NAMES)
def test_a_right_example_has_its_one_layout(code: str) -> None:
    text = page(code).right.text
    assert format(Source(FILE, text)).value == text


@pytest.mark.parametrize("code", NAMES)
def test_the_right_example_is_a_mend_of_the_wrong_one(code: str) -> None:
    wrong, right = page(code).wrong, page(code).right
    kept = set(wrong.text.splitlines()) & set(right.text.splitlines())
    assert kept
    assert wrong != right


# ---- the command


@pytest.mark.parametrize("code", ["MOA301", "moa301", "301", " MOA301 "])
def test_explain_prints_a_page(code: str) -> None:
    done = smoadsl("explain", code)
    assert done.exit_code == 0
    assert done.stdout == as_text(page("MOA301"))
    assert done.stdout.startswith("MOA301: More than there are\n===========================\n\nA judge can keep")
    assert "\n        judge   fast keep 4\n" in done.stdout
    assert "`" * 3 not in done.stdout


def test_a_code_needs_no_leading_zeros() -> None:
    assert smoadsl("explain", "9").stdout == smoadsl("explain", "MOA009").stdout == as_text(page("MOA009"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("MOA399", "no problem has the code `MOA399`: did you mean `MOA3"),
        ("3O1", "no problem has the code `3O1`: did you mean `MOA301`?"),
        ("moa3l2", "no problem has the code `moa3l2`: did you mean `MOA312`?"),
        ("MOA777", "no problem has the code `MOA777`: `smoadsl explain` lists them all"),
        ("banana", "no problem has the code `banana`: `smoadsl explain` lists them all"),
        ("9" * 10_000, "`smoadsl explain` lists them all"),
        ("\x1b[31m", "no problem has the code `\\u001b[31m`"),
        ("../MOA301", "no problem has the code"),
        ("", "no problem has the code ``"),
    ],
)
def test_a_code_that_there_is_not(code: str, words: str) -> None:
    done = smoadsl("explain", code)
    assert done.exit_code == 2
    assert not done.stdout
    assert words in done.stderr


def test_explain_alone_lists_every_code_by_family() -> None:
    done = smoadsl("explain")
    assert done.exit_code == 0
    assert CODE.findall(done.stdout) == NAMES
    assert [line[:6] for line in done.stdout.splitlines() if line.startswith("MOA")] == sorted(
        {f"{code[:4]}xx" for code in NAMES}
    )
    assert all(f"  {code}  {page(code).title}\n" in done.stdout for code in NAMES)
    assert max(map(cell_len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("code", NAMES)
def test_what_an_example_needs_is_shown(code: str) -> None:
    for shown in (as_text(page(code)), as_markdown(page(code))):
        assert "<!--" not in shown
        for example in (page(code).wrong, page(code).right):
            assert all(f"`{name}`" in shown for name in example.files)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_shows_markdown(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from smoadsl.tools.commands.explain import _painted

    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "30")
    lines = _painted(page("MOA301")).splitlines()
    assert max(cell_len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in lines) <= min(columns, 80)
    assert any("judge   fast keep 4" in line for line in lines)


@pytest.mark.parametrize("text", ["", "# MOA301: x\n\ny\n", "# MOA301: x\n\ny\n\n## Wrong\n\nz\n\n## Right\n\nz\n"])
def test_what_is_no_page_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"a page is|an example is"):
        read_page(text)
