"""Test docs, to hold the documentation to what it says: its examples are checked and run, its lists are complete.

What stands in an HTML comment right above a block says what is to come of it: `error: MOA301 MOA302` (exactly these),
`advice: MOA901`, `test` (it has tests, and they pass), `with: NAME` (one of the preludes below), `file: NAME` (other
blocks may name it), `adapter: NAME` (another package brings it), `lists: NAME` (the words in code of what follows are
all of that list), `limits`.
"""

import json
import re
import runpy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from smoadsl.adapters.scripted import Scripted
from smoadsl.builtins import answers, guard, prompts
from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.diagnostics.diagnostic import Severity
from smoadsl.language import conditions, declare, expecting, load, nodes, parse, settings, testing
from smoadsl.language.agents import MOST_AGENTS_IN_ALL
from smoadsl.language.brackets import MOST_NESTING
from smoadsl.language.check import Given
from smoadsl.language.format import format
from smoadsl.language.lock import entries_in
from smoadsl.language.syntax_problems import KEYWORDS
from smoadsl.plan.compile import analyse, compile
from smoadsl.runtime import sandbox
from smoadsl.tools import api, cli
from smoadsl.tools.reader import DiskReader, read_source
from smoadsl.tools.rehearse import rehearse

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPTIONS: Mapping[str, Any] = api.run.__kwdefaults__ or {}
PIPELINES = sorted((ROOT / "pipelines").glob("*.moa"))

MODELS = """\
model qwen    = "together/Qwen/Qwen2-72B-Instruct"
model mixtral = "together/mistralai/Mixtral-8x22B-Instruct-v0.1"
model llama   = "together/meta-llama/Llama-3-70b-chat-hf"
model dbrx    = "together/databricks/dbrx-instruct"
"""
PRELUDES = {  # what stands above a block, and below it
    "": ("", ""),
    "models": ('import "models.moa"\n\n', ""),
    "pipeline": ('import "models.moa"\n\npipeline example {\n', "\n  aggregate qwen\n}\n"),
}
LISTS: Mapping[str, Collection[str]] = {
    "well-known providers": WELL_KNOWN,
    "provider": settings.PROVIDER,
    "sampling": settings.SAMPLING,
    "model": settings.MODEL.keys() - settings.SAMPLING.keys(),
    "simulated": settings.SIMULATED,
    "propose": settings.PROPOSE.keys() - settings.MODEL.keys(),
    "judge": settings.JUDGE.keys() - settings.MODEL.keys(),
    "aggregate": settings.AGGREGATE.keys() - settings.MODEL.keys(),
    "roles": settings.ROLES,
    "budget": settings.BUDGET,
    "measures": conditions.MEASURES,
    "places": prompts.PLACES,
    "filters": prompts.FILTERS,
    "tests of templates": guard.TESTS,
    "methods": [*guard.METHODS, "range(…)", "loop.cycle(…)"],
    "faults": [*testing.FAULTS, "error 429", "error"],
    "expectations": expecting.FACTS,
    "keywords": KEYWORDS,
}
LIMITS: list[int | str] = [
    parse.MOST_CHARACTERS, MOST_NESTING, load.MOST_FILES, load.MOST_CHARACTERS_IN_ALL, settings.MOST_ROUNDS,
    settings.MOST_AGENTS, MOST_AGENTS_IN_ALL, declare.MOST_GENERATED, settings.MOST_OUTPUT_TOKENS, "a week",
    sandbox.MOST_CHARACTERS, sandbox.MOST_STEPS, answers._MOST_SCANNED,
]  # fmt: skip


@dataclass(frozen=True)
class Block:
    """What stands between fences, or a paragraph or table under a comment; `marks` are from the comments above."""

    document: Path
    line: int
    language: str
    text: str = field(repr=False)
    marks: Mapping[str, str]

    @property
    def id(self) -> str:
        return f"{self.document.name}:{self.line}"

    def words(self, mark: str) -> list[str]:
        return self.marks.get(mark, "").split()

    @property
    def whole(self) -> str:
        above, below = PRELUDES[self.marks.get("with", "")]
        indent = "  " if above.endswith("{\n") else ""
        return above + re.sub(r"^(?=.)", indent, self.text, flags=re.MULTILINE) + below


@cache
def blocks(document: Path) -> list[Block]:
    found, marks = [], {}
    lines = iter(enumerate(document.read_text(encoding="utf-8").split("\n"), 1))
    for number, line in lines:
        if comment := re.fullmatch(r"<!-- ([\w -]+?)(?:: (.*))? -->", line):
            marks[comment[1]] = comment[2] or ""
        elif line.startswith("```"):
            inside = [text + "\n" for _, text in takewhile(lambda one: one[1] != "```", lines)]
            found.append(Block(document, number, line[3:], "".join(inside), marks))
            marks = {}
        elif marks:
            inside = [line, *(text for _, text in takewhile(lambda one: one[1], lines))]
            found.append(Block(document, number, "", "\n".join(inside), marks))
            marks = {}
    return found


def all_blocks(*languages: str) -> list[Any]:
    found = [block for document in DOCUMENTS for block in blocks(document) if block.language in languages]
    return [pytest.param(block, id=block.id) for block in found]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a folder with the files of a document the current one."""

    def make(document: Path) -> None:
        monkeypatch.chdir(tmp_path)
        Path("models.moa").write_text(MODELS, encoding="utf-8")
        for block in blocks(document):
            if name := block.marks.get("file"):
                Path(name).parent.mkdir(exist_ok=True)
                Path(name).write_text(block.text, encoding="utf-8")

    return make


# ---- examples in the language


@pytest.mark.parametrize("block", all_blocks("moa"))
def test_an_example_is_what_it_says(block: Block, folder: Callable[[Path], None]) -> None:
    folder(block.document)
    Path("example.moa").write_text(block.whole, encoding="utf-8")
    source = read_source("example.moa").value
    assert source is not None
    given = Given(adapters=lambda: block.words("adapter"))
    program = analyse(source, given, DiskReader(Path()))
    shown = "\n".join(f"{d.code} {d.span.origin} {d.message}" for d in program.diagnostics)
    errors = [d.code for d in program.diagnostics if d.severity is Severity.ERROR]
    advice = [d.code for d in program.diagnostics if d.severity is Severity.ADVICE]
    part = block.marks.get("file") and errors == ["MOA312"]  # a file without a pipeline, for others to import
    assert part or sorted(errors) == sorted(block.words("error")), shown
    assert sorted(advice) == sorted(block.words("advice")), shown
    if block.document.parent != ROOT:  # the README saves lines
        assert format(source).value in (source.text, None if errors else source.text)
    if errors or program.value is None:
        return
    assert all(compile(source, name, given, DiskReader(Path())).value for name in program.value.main)
    assert bool(program.value.tests) == ("test" in block.marks), "blocks with tests, and no others, are marked `test`"
    for test in program.value.tests:
        assert rehearse(test).failures == (), test.title


@pytest.mark.parametrize("name", ["moa", "smoa", "self_moa", "debate", "cascade", "mixture_of_mixtures"])
def test_a_paper_is_under_fifteen_lines(name: str) -> None:
    source = read_source(ROOT / "pipelines" / f"{name}.moa").value
    assert source is not None
    file = parse.parse(source).value
    assert file is not None
    items = [item.span.text for item in file.items if isinstance(item, nodes.Model | nodes.Pipeline)]
    lines = [line for text in items for line in text.split("\n") if line.partition("#")[0].strip()]
    assert len(lines) < 15


# ---- lists, figures, commands, other blocks


@pytest.mark.parametrize("block", all_blocks(""))
def test_a_list_is_complete(block: Block) -> None:
    if "limits" in block.marks:
        figures = [row.split("|")[2].strip() for row in block.text.split("\n")[2:]]
        assert [figure.partition(" ")[0] for figure in figures] == [
            f"{limit:,}" if isinstance(limit, int) else limit.partition(" ")[0] for limit in LIMITS
        ]
        return
    rows = block.text.split("\n")
    first = " ".join(row.split("|")[1] for row in rows[2:]) if rows[0].startswith("|") else block.text
    assert sorted(re.findall(r"`([^`]+)`", first)) == sorted(LISTS[block.marks["lists"]])


def test_every_list_is_there() -> None:
    reference = blocks(ROOT / "docs" / "language.md")
    assert {block.marks["lists"] for block in reference if "lists" in block.marks} == set(LISTS)


def test_the_variables_of_templates_are_those_of_their_places() -> None:
    (table,) = (b for b in blocks(ROOT / "docs" / "language.md") if b.marks.get("lists") == "places")
    rows = [row.split("|") for row in table.text.split("\n")[2:]]
    said = {place: set(re.findall(r"\w+", row[2])) for row in rows for place in re.findall(r"\w+", row[1])}
    assert said == {place: set(names) for place, names in prompts.PLACES.items()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for line in re.findall(r"(?:^|[`/ ])smoadsl ([^`\n]+)", text, re.MULTILINE):
        words = line.split()
        if not words[0].isalpha() or words[0] not in cli.COMMANDS:
            assert not re.search(rf"`smoadsl {re.escape(words[0])}\b", text), f"there is no command {words[0]}"
            continue
        command = cli.main.get_command(None, words[0])  # type: ignore[arg-type]
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word.rstrip(",.;)") for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("block", all_blocks("json"))
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)
    if block.marks.get("file", "").endswith(".lock"):
        assert entries_in(block.text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    heads = {
        re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        name, _, place = target.partition("#")
        assert target.startswith("https://") or not name or (document.parent / name).exists(), target
        assert name or place in heads, target


@pytest.mark.parametrize("document", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_lines_are_short(document: Path) -> None:
    lines = document.read_text(encoding="utf-8").split("\n")
    assert [number for number, line in enumerate(lines, 1) if len(line) > 130] == []


# ---- examples in Python


def run_python(block: Block, folder: Path) -> dict[str, Any]:
    """The names that a Python example defines."""
    path = folder / "example.py"
    path.write_text(block.text, encoding="utf-8")
    return runpy.run_path(str(path))


def python_of(name: str) -> Block:
    (block,) = (
        b for document in DOCUMENTS if document.name == name for b in blocks(document) if b.language == "python"
    )
    return block


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands, but for the embedded model, which would have to be fetched: a script answers in its place."""
    speaker = Scripted(lambda request: "Air scatters blue light the most.")
    monkeypatch.setattr(api.run, "__kwdefaults__", {**OPTIONS, "opener": lambda kind, connection: speaker})
    monkeypatch.chdir(ROOT)
    block = python_of("README.md")
    run_python(block, tmp_path)
    shown = capsys.readouterr().out
    assert re.findall(r"print\(.*\) +# (.*)", block.text) == [shown.split("\n")[0]]
    assert shown.split("\n")[1:] == ["Air scatters blue light the most. 4", ""]
