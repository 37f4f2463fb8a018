"""Test third parties, to install the documentation's adapter as a package of its own, and use it as its users would."""

import asyncio
import importlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smoadsl.adapters import installed_adapters, open_adapter
from smoadsl.adapters.base import Connection, Fault, FaultKind
from smoadsl.diagnostics.source import Source
from smoadsl.language.check import Given
from smoadsl.tools.api import compile
from tests.adapters.wall import STREAM_HEAD, Act, Attempt, Ending, Wall, answer, events
from tests.canary import CANARY
from tests.test_docs import ROOT, Block, blocks

DOCUMENT = ROOT / "docs" / "adapters.md"
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
TEXT = "Because oracles know."


def oracle(sent: Attempt) -> list[Act]:
    """Acme, as the document describes it."""
    assert (sent.path, set(sent.json)) == ("/ask", {"oracle", "prompt", "most", "stream"})
    end = {"end": "done", "in": 12, "out": 5}
    if not sent.json["stream"]:
        return [answer({"say": TEXT, **end})]
    return [STREAM_HEAD, events(*({"say": piece} for piece in re.findall(r"\S+ ?", TEXT)), end), Ending.CLOSE]


@pytest.fixture(scope="module")
def acme() -> Iterator[str]:
    """Acme's server, in a thread of its own."""
    ready = threading.Event()
    place: dict[str, Any] = {}

    async def serve() -> None:
        place["loop"], place["ended"] = asyncio.get_running_loop(), asyncio.Event()
        async with Wall(oracle) as wall:
            place["url"] = wall.url
            ready.set()
            await place["ended"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    yield place["url"]
    place["loop"].call_soon_threadsafe(place["ended"].set)
    thread.join()


def install(folder: Path, name: str, entry_points: str, **modules: str) -> None:
    """What pip leaves behind when it has installed a package."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(METADATA.format(name=name), encoding="utf-8")
    (about / "entry_points.txt").write_text(f"[smoadsl.adapters]\n{entry_points}\n", encoding="utf-8")
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text, encoding="utf-8")


@pytest.fixture
def installed(tmp_path: Path, acme: str) -> Path:
    """A folder in which all of the document's files stand, its adapter installed, the server where it really is."""
    entry = re.search(
        r"^\[project.entry-points.\"smoadsl.adapters\"\]\n(.*)$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    assert entry
    install(tmp_path, "acme_adapter", entry[1].replace('"', ""))
    for block in blocks(DOCUMENT):
        if name := block.marks.get("file"):
            (tmp_path / name).write_text(block.text.replace("http://127.0.0.1:8137", acme), encoding="utf-8")
    return tmp_path


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_a_file_names_it_and_a_run_uses_it(installed: Path) -> None:
    done = python(installed, "-m", "smoadsl", "run", "helpdesk.moa", "Why?")
    assert (done.stdout, done.returncode) == (f"{TEXT}\n", 0), done.stderr
    assert "1 call · 17 tokens" in done.stderr


def test_check_knows_its_name_and_loads_nothing_of_it(installed: Path) -> None:
    (installed / "acme_adapter.py").write_text("raise SystemExit('loaded')", encoding="utf-8")
    done = python(installed, "-m", "smoadsl", "check", "helpdesk.moa")
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_contract_tests_pass_as_they_stand(installed: Path) -> None:
    done = python(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py")
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_the_recorded_example_runs(installed: Path, acme: str) -> None:
    (block,) = (one for one in blocks(DOCUMENT) if "cassette" in one.text and not one.marks)
    (installed / "example.py").write_text(block.text.replace("http://127.0.0.1:8137", acme), encoding="utf-8")
    done = python(installed, "example.py")
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


def test_the_contract_in_the_document_is_the_contract() -> None:
    (block,) = (one for one in blocks(DOCUMENT) if one.language == "py")
    source = (ROOT / "smoadsl" / "adapters" / "base.py").read_text(encoding="utf-8")
    for line in block.text.splitlines():
        assert line.removesuffix(" ...") in source


def test_every_example_is_tested() -> None:
    tested = {"helpdesk.moa", "acme_adapter.py", "test_acme.py"}
    shown: list[Block] = [block for block in blocks(DOCUMENT) if block.language in ("moa", "python", "toml", "py")]
    assert {block.marks["file"] for block in shown if block.marks} == tested
    assert [block.language for block in shown if not block.marks] == ["py", "toml", "python"]


PROGRAM = 'provider lab = {} {{ api_key = env("KEY") }}\nmodel m = "lab/x"\npipeline p {{ aggregate m }}\n'


def test_without_the_package_the_name_is_unknown() -> None:
    assert installed_adapters() == ()
    outcome = compile(Source("p.moa", PROGRAM.format("acme")))
    (told,) = outcome.diagnostics
    assert (told.code, told.message) == ("MOA503", "no adapter is called `acme`")
    known = compile(Source("p.moa", PROGRAM.format("acme")), given=Given(adapters=lambda: ("acme",)))
    assert known.diagnostics == ()
    (misspelt,) = compile(Source("p.moa", PROGRAM.format("acmee")), given=Given(adapters=lambda: ("acme",))).diagnostics
    assert "acme" in str(misspelt.help)


@pytest.mark.parametrize(
    ("packages", "words"),
    [
        ({"one": "import", "two": "x = 1"}, "several packages bring an adapter called 'acme': one, two"),
        ({"one": "import nothing_of_that_name"}, "of another package can not be opened: ModuleNotFoundError"),
        ({"one": "x = 1"}, "can not be opened: AttributeError"),
        ({"one": "def Acme(connection): raise RuntimeError(connection.api_key)"}, "can not be opened: RuntimeError"),
    ],
)
def test_one_that_can_not_be_opened_is_told(
    packages: dict[str, str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in packages.items():
        install(tmp_path, name, f"acme = acme_{name}:Acme", **{f"acme_{name}": text})
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "acme_one", raising=False)
    assert installed_adapters() == ("acme",)
    with pytest.raises(Fault, match=re.escape(words)) as caught:
        open_adapter("acme", Connection("lab", api_key=CANARY))
    assert caught.value.kind is FaultKind.LOCAL
    assert CANARY not in caught.value.message
    assert json.dumps(caught.value.message)
