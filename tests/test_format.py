"""Test format, to hold the one layout to its corpus, and any text to its meaning, its comments and its second layout.

    --- a list that fits is closed ---
    param k = 2 in [1,
      2,]

    --- becomes ---
    param k = 2 in [1, 2]

A case without `becomes` is its own layout.
"""

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark, Token

from smoadsl.diagnostics.source import Source
from smoadsl.language.format import format
from smoadsl.language.parse import parse
from smoadsl.language.tokens import LineEnds, grammar_folder, words
from smoadsl.tools.cli import main

TESTS = Path(__file__).parent
_HEAD = re.compile(r"^--- (.+) ---\n", re.MULTILINE)
_BECOMES = "--- becomes ---\n"


def formatted(text: str) -> str:
    """The text in its layout. Nothing else here knows the formatter."""
    outcome = format(Source("case.moa", text))
    assert outcome.value is not None, outcome.diagnostics
    return outcome.value


# ---- the corpus


@dataclass(frozen=True, slots=True)
class Case:
    file: Path
    name: str
    text: str
    wanted: str

    @property
    def id(self) -> str:
        return f"{self.file.stem}: {self.name}"


def cases() -> Iterator[Case]:
    for path in sorted((TESTS / "corpus" / "format").glob("*.moa")):
        parts = _HEAD.split(path.read_text(encoding="utf-8").replace(_BECOMES, "\0"))
        assert len(set(parts[1::2])) == len(parts[1::2]), f"{path.name} has two cases of one name"
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            text, becomes, wanted = (part.strip("\n") + "\n" for part in body.partition("\0"))
            yield Case(path, name, text, wanted if becomes.strip() else text)


def accept(case: Case, now: str) -> None:
    """Rewrite what the case becomes."""
    content = case.file.read_text(encoding="utf-8")
    begin = content.index(f"--- {case.name} ---\n") + len(f"--- {case.name} ---\n")
    end = next((head.start() for head in _HEAD.finditer(content, begin) if head.group() != _BECOMES), len(content))
    body = case.text if now == case.text else f"{case.text}\n{_BECOMES}{now}"
    case.file.write_text((content[:begin] + body + "\n" + content[end:]).rstrip("\n") + "\n", encoding="utf-8")


CASES = list(cases())
TEXTS = [case.text for case in CASES]
TEXTS += [path.read_text(encoding="utf-8") for path in sorted((TESTS.parent / "pipelines").rglob("*.moa"))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_corpus(case: Case, accepting: bool) -> None:
    now = formatted(case.text)
    if accepting and now != case.wanted:
        accept(case, now)
    else:
        assert now == case.wanted
    keeps_its_promises(case.text)


@pytest.mark.parametrize("path", sorted((TESTS.parent / "pipelines").rglob("*.moa")), ids=lambda path: path.stem)
def test_the_pipelines_are_in_their_layout(path: Path) -> None:
    text = path.read_bytes().decode()
    assert formatted(text) == text


# ---- what holds for any text


def comments(text: str) -> list[str]:
    """The comments between the words."""
    ends = [0, *(token.end_pos or 0 for token in words(text))]
    starts = [*(token.start_pos or 0 for token in words(text)), len(text)]
    gaps = (text[end:start] for end, start in zip(ends, starts, strict=True))
    return [found.rstrip() for gap in gaps for found in re.findall(r"#[^\r\n]*", gap)]


def keeps_its_promises(text: str) -> None:
    now = formatted(text)
    assert formatted(now) == now
    assert parse(Source("now", now)).value == parse(Source("then", text)).value
    assert comments(now) == comments(text)
    assert now == "" or (now.endswith("\n") and not now.endswith("\n\n") and now[0] not in " \n")
    assert "\n\n\n" not in re.sub(r'"""[\s\S]*?"""', "", now)
    assert "\r" not in now


_ANYWHERE = st.sampled_from((" ", "  ", "\t", "     "))
_WHERE_LINES_GO_ON = st.sampled_from(
    (" ", "\n", "  \n\n\t", " # {}\n", "\n# {}\n   # {}\n\n", "  # {}\n      # {}\n", "\r\n")
)
_WHERE_LINES_END = st.sampled_from(
    ("\n", "\n\n\n", "\r\n", " # {}\n", "\n # {}\n", "\n\n# {}\n\n# {}\n", "          # {}\n           # {}\n", "\r")
)
_TIGHT = frozenset("LPAR RPAR LSQB RSQB LBRACE RBRACE COMMA".split())


def laid_out(tokens: list[Token], draw: Callable[[st.SearchStrategy[str]], str], lines: bool) -> str:
    """The words with anything between them that means nothing."""
    parts: list[str] = []
    brackets: list[str] = []
    for token, following in zip(tokens, [*tokens, None][1:], strict=True):
        if token.type == "_NL":
            parts.append(draw(_WHERE_LINES_END) if lines else "\n")
            continue
        parts.append(token)
        if token.type in ("LPAR", "LSQB", "LBRACE"):
            brackets.append(token.type)
        elif token.type in ("RPAR", "RSQB", "RBRACE"):
            brackets.pop()
        if following is None or following.type == "_NL":
            continue
        free = brackets[-1:] in (["LPAR"], ["LSQB"]) or following.type == "RBRACE"
        if lines and (free or token.type in ("LBRACE", "COMMA", "AND", "OR", "NOT")):
            parts.append(draw(_WHERE_LINES_GO_ON))
        elif token.type in _TIGHT or following.type in _TIGHT:
            parts.append(draw(st.just("") | _ANYWHERE))
        else:
            parts.append(draw(_ANYWHERE))
    number = iter(range(1_000_000))
    return re.sub(r"\{\}", lambda _: f"comment {next(number)}", "".join(parts)) if lines else "".join(parts)


@given(st.data(), st.sampled_from([text for text in TEXTS if "{}" not in text]))
def test_any_layout_of_a_text(data: st.DataObject, text: str) -> None:
    mutated = laid_out(list(LineEnds().process(words(text))), data.draw, lines=True)
    assert parse(Source("mutated", mutated)).value == parse(Source("text", text)).value
    keeps_its_promises(mutated)


@given(st.data(), st.sampled_from(TEXTS))
def test_spaces_inside_lines_make_no_difference(data: st.DataObject, text: str) -> None:
    tokens = list(LineEnds().process(words(text)))
    mutated = laid_out(tokens, data.draw, lines=False)
    assert formatted(mutated) == formatted(laid_out(tokens, lambda _: " ", lines=False))


def _grammatical() -> st.SearchStrategy[str]:
    """Texts that the grammar makes, which knows nothing of word boundaries and of line ends."""
    grammar = (grammar_folder() / "moa.lark").read_text(encoding="utf-8")
    keywords = re.findall(r"^([A-Z]+)\.2: +/([a-z]+)\\b/", grammar, re.MULTILINE)
    terminals = {kind: st.just(f" {word} ") for kind, word in keywords}
    terminals |= {
        "NAME": st.sampled_from(
            (" a ", " b_2 ", " a_longer_name ", " the_longest_name_that_there_is_in_any_of_these ")
        ),
        "OPERATOR": st.sampled_from((" >= ", " == ", " contains ")),
        "STAR": st.just(" * "),
        "TEXT": st.sampled_from((' """a""" ', ' """\n  a \\d\n  """ ', ' """# a" """ ')),
        "STRING": st.sampled_from((' "a" ', ' "a text of some length, # with \\"quotes\\"" ', ' "" ')),
        "MONEY": st.just(" $0.05 "),
        "RATE": st.just(" 600/min "),
        "DURATION": st.just(" 20s "),
        "FLOAT": st.sampled_from((" 0.75 ", " -1.0 ")),
        "INT": st.sampled_from((" 1 ", " 60_000 ", " -2 ")),
        "_NL": st.sampled_from(("\n", "\n\n", " # of the line\n", "\n# on its own\n", "\n\n# apart\n\n")),
        "SPACE": st.just(" "),
        "COMMENT": st.just(" "),  # a comment would swallow what follows
    }
    parser = Lark(grammar, parser="lalr", lexer="basic", start="start", maybe_placeholders=False)
    return from_lark(parser, start="start", explicit=terminals)


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large])
@given(_grammatical().filter(lambda text: parse(Source("made", text)).ok))
def test_what_the_grammar_makes(text: str) -> None:
    keeps_its_promises(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ""),
        ("\n \n\t\n", ""),
        ("\n\n# a\n\n", "# a\n"),
        ('model m = "x"', 'model m = "x"\n'),
        ('\t\nmodel\tm\t=\t"x"\t \r\n\r\n\r\nmodel n="a\tb"\r', 'model m = "x"\n\nmodel n = "a\tb"\n'),
        ('model m = "x" # a \t \nmodel n = "y" #\u00a0\n', 'model m = "x"  # a\nmodel n = "y"  #\n'),
        ('role r = """\r\n\ta \r\n"""', 'role r = """\n\ta \n"""\n'),
    ],
)
def test_white_space(text: str, wanted: str) -> None:
    assert formatted(text) == wanted
    keeps_its_promises(text)


# ---- limits


def seconds(text: str) -> float:
    begin = time.process_time()
    formatted(text)
    return time.process_time() - begin


def test_time_is_linear() -> None:
    block = "\n".join(case.text for case in CASES)
    lines = block.count("\n")
    few, many = block * (1 + 2_500 // lines), block * (1 + 20_000 // lines)
    assert seconds(many) / len(many) < 3 * min(seconds(few), seconds(few)) / len(few)


@pytest.mark.parametrize(
    "text",
    [
        "model " + "a" * 100_000 + ' = "x"\n' + 'model b = "y"  # c\n' * 5_000,
        'model a = "' + "x" * 100_000 + '"  # a\n' + 'model b = "y"  # c\n' * 5_000,
        'model a = "x"' + " " * 100_000 + "# a\n" + 'model b = "y"  # c\n' * 5_000,
        'test "t" for p {\n' + "reply a" + ".b" * 20_000 + " [a]\n" + "reply a [b]\n" * 5_000 + "}\n",
        "pipeline p {\n  layer l {\n    propose " + "a, " * 20_000 + "b\n  }\n}\n",
        "pipeline p {\n  layer l {\n    stop when " + "not (a or b) and " * 5_000 + "b\n  }\n}\n",
        "pipeline p {\n  layer l {\n    stop when a" + ".b" * 20_000 + " >= f(x)\n  }\n}\n",
        "param a = [" + "1, " * 20_000 + "]\n",
        "param a = [" + "[1], " * 10_000 + "]\n",
        "param a = " + "[" * 64 + "1" + "]" * 64 + "\n",
        "# a\n\n\n" * 20_000,
        "\n" * 200_000 + "# a\n" + "\n" * 200_000,
    ],
    ids=lambda text: f"{text[-20:].strip()} {len(text)}",
)
def test_no_text_takes_long_or_grows_much(text: str) -> None:
    begin = time.process_time()
    now = formatted(text)
    assert time.process_time() - begin < 30
    assert len(now) < 20 * len(text) + 10_000


def test_a_text_that_would_grow_too_large_is_left_alone() -> None:
    outcome = format(Source("large", "param a = " + "[" * 60 + "1," * 9_000 + "]" * 60))
    assert outcome.value is None
    assert [d.code for d in outcome.diagnostics] == ["MOA003"]


# ---- the command

UGLY, FINE = b'model m="x"\n', b'model m = "x"\n'
BROKEN = b'model m = = "x"\n'


def fmt(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["fmt", *arguments], input=stdin)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, content in (("ugly", UGLY), ("fine", FINE), ("broken", BROKEN), ("marked", b"\xef\xbb\xbf" + FINE)):
        (tmp_path / f"{name}.moa").write_bytes(content)
    return tmp_path


def test_files_are_replaced_only_when_they_change(folder: Path) -> None:
    (folder / "ugly.moa").chmod(0o640)
    before = (folder / "fine.moa").stat().st_mtime_ns, (folder / "fine.moa").stat().st_ino
    done = fmt("ugly.moa", "fine.moa", "marked.moa")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "formatted ugly.moa\nformatted marked.moa\n3 files, 2 changed\n"
    assert {(folder / name).read_bytes() for name in ("ugly.moa", "fine.moa", "marked.moa")} == {FINE}
    assert stat.S_IMODE((folder / "ugly.moa").stat().st_mode) == 0o640
    assert ((folder / "fine.moa").stat().st_mtime_ns, (folder / "fine.moa").stat().st_ino) == before
    assert len(list(folder.iterdir())) == 4
    assert fmt("ugly.moa", "fine.moa").stderr == "2 files: nothing to change\n"


def test_a_file_with_errors_is_left_as_it_is(folder: Path) -> None:
    (folder / "bytes.moa").write_bytes(b"\xff")
    done = fmt("broken.moa", "ugly.moa", "bytes.moa")
    assert done.exit_code == 1
    assert "broken.moa:1:11" in done.stderr
    assert done.stderr.endswith("3 files, 1 changed, 2 with errors\n")
    assert (folder / "broken.moa").read_bytes() == BROKEN
    assert (folder / "ugly.moa").read_bytes() == FINE


def test_a_link_stays_a_link(folder: Path) -> None:
    (folder / "link.moa").symlink_to("ugly.moa")
    assert fmt("link.moa").exit_code == 0
    assert (folder / "link.moa").is_symlink()
    assert (folder / "ugly.moa").read_bytes() == FINE


def test_a_failed_replacement_leaves_the_file_and_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    done = fmt("ugly.moa")
    assert done.exit_code == 2
    assert "No space left" in done.stderr
    assert (folder / "ugly.moa").read_bytes() == UGLY
    assert len(list(folder.iterdir())) == 4


def test_check_names_what_would_change(folder: Path) -> None:
    done = fmt("--check", "ugly.moa", "fine.moa", "marked.moa")
    assert (done.exit_code, done.stdout) == (1, "ugly.moa\nmarked.moa\n")
    assert done.stderr == "3 files, 2 would change\nto change them: smoadsl fmt ugly.moa marked.moa\n"
    assert (folder / "ugly.moa").read_bytes() == UGLY
    assert fmt("--check", "fine.moa").exit_code == 0
    assert fmt("--check", "broken.moa").exit_code == 1


def test_diff_shows_what_would_change(folder: Path) -> None:
    done = fmt("--diff", "ugly.moa", "fine.moa")
    assert done.stdout == '--- ugly.moa\n+++ ugly.moa\n@@ -1 +1 @@\n-model m="x"\n+model m = "x"\n'
    assert done.exit_code == 0
    assert (folder / "ugly.moa").read_bytes() == UGLY
    assert fmt("--diff", "--check", "ugly.moa").exit_code == 1
    assert fmt("--diff", "-", stdin=UGLY[:-1]).stdout.endswith(
        '-model m="x"\n\\ No newline at end of file\n+model m = "x"\n'
    )


def test_standard_input(folder: Path) -> None:
    done = fmt("-", stdin=b"\xef\xbb\xbf" + UGLY)
    assert (done.exit_code, done.stdout_bytes, done.stderr) == (0, FINE, "")
    for content, where in ((BROKEN, "<stdin>:1:11"), (b"\xff", "MOA001"), (b"#" * 4_000_002, "MOA003")):
        done = fmt("-", stdin=content)
        assert (done.exit_code, done.stdout) == (1, "")
        assert where in done.stderr
    done = fmt("--check", "-", stdin=UGLY)
    assert (done.exit_code, done.stdout) == (1, "<stdin>\n")


def test_files_that_are_not_there() -> None:
    assert fmt("nowhere.moa").exit_code == 2
    assert fmt().exit_code == 2
