"""Test untrusted, to let each command loose on what a stranger proposes, and see all that it does to the machine.

Each runs as a program of its own, in a checkout full of traps, with secrets in the environment, no home, and (where
the system permits it) in a network without any interface. An audit hook writes down what it does.
"""

import json
import os
import re
import shutil
import site
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from smoadsl.tools.cli import COMMANDS

ROOT = Path(__file__).parents[2]
AUDITED = Path(__file__).parent / "audited.py"
EMPTY_NETWORK = ("unshare", "--map-root-user", "--net")

CANARY = "canary-7c41f0"
SECRETS = dict.fromkeys(
    ["CANARY", "LAB_KEY", "GROQ_API_KEY", "OPENAI_API_KEY", "TOGETHER_API_KEY", "GITHUB_TOKEN", "CI_JOB_TOKEN",
     "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "NETRC"], CANARY
)  # fmt: skip
MARK = "zzmarkzz"  # in every template: code that has it was made of one
FILES = {
    "p.moa": f'''\
import "lib/models.moa"

provider lab = openai {{
  base_url = "https://llm.example/v1"
  api_key  = env("CANARY")
  headers  = {{ "x-secret" = env("CANARY") }}
}}
model big = "lab/x"

template written = """{{% for r in references %}}{{{{ r.text }}}} {MARK}{{% endfor %}} {{{{ prompt }}}}"""
template beside  = file("lib/t.jinja")

pipeline p {{
  layer one {{
    propose big, small * 2 {{
      template = beside
    }}
    judge   small keep 1
  }}

  aggregate big {{
    template = written
  }}
}}

test "plays" for p {{
  prompt "hi"
  reply  * "yes"
  expect calls == 5
}}
''',
    "broken.moa": 'model m = "lab/x" { api_key = env("CANARY") }\npipeline p { aggregate env("CANARY") }\n',
    "lib/models.moa": 'model small = "groq/y" { temperature = 0.5 }\n',
    "lib/t.jinja": f"{{{{ prompt }}}} {MARK} {{{{ role }}}}",
}
TRAP = "open('sprung', 'w').close(); raise SystemExit('a trap was sprung')\n"
TRAPS = ["conftest", "sitecustomize", "usercustomize", "smoadsl", "click", "jinja2", "lark", "json", "plugin", "setup"]
SECRET = re.compile(r"\*|CANARY|KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|PROXY|NETRC", re.IGNORECASE)  # `*` is all at once
CHECK_FORMATS = ("text", "github", "sarif", "junit")
ROWS: dict[str, Sequence[str]] = {
    **{f"check as {one}": ("check", "--format", one, "p.moa", "broken.moa") for one in CHECK_FORMATS},
    "fmt": ("fmt", "--check", "p.moa", "broken.moa"),
    "fmt --diff": ("fmt", "--diff", "p.moa"),
    "plan": ("plan", "p.moa"),
    "plan as json": ("plan", "--json", "p.moa"),
    "plan of a broken file": ("plan", "broken.moa"),
    "graph": ("graph", "p.moa"),
    "graph as svg": ("graph", "--format", "svg", "p.moa"),
    "test": ("test", "p.moa", "broken.moa"),
    "test as json": ("test", "--format", "json", "p.moa"),
    "explain": ("explain", "MOA301"),
    "lock --check": ("lock", "--check", "p.moa"),
}  # fmt: skip
RUNS = {"test", "test as json"}  # these run pipelines, in rehearsal


@dataclass(frozen=True)
class Done:
    exit_code: int
    stdout: str
    stderr: str
    events: list[list[str]]
    opened: list[tuple[str, str]]
    code: list[tuple[str, str]]
    environ: set[str]


@cache
def empty_network() -> bool:
    """Whether this system lets anybody have a network of their own."""
    if shutil.which(EMPTY_NETWORK[0]) is None:
        return False
    return subprocess.run([*EMPTY_NETWORK, "true"], capture_output=True, check=False).returncode == 0


def lay_traps(folder: Path) -> None:
    """Files of a proposal, and all that could run or be read by mistake."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in TRAPS:
        (folder / f"{name}.py").write_text(TRAP, encoding="utf-8")
    (folder / ".git").mkdir()
    (folder / ".env").write_text(f"CANARY={CANARY}\n", encoding="utf-8")
    (folder / "trap.pth").write_text(f"import os; {TRAP}", encoding="utf-8")
    (folder / "pyproject.toml").write_text('[tool.smoadsl]\nplugins = ["plugin"]\n', encoding="utf-8")
    metadata = folder / "trap-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: trap\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[smoadsl.adapters]\nopenai = plugin:Plugin\n", encoding="utf-8")


@dataclass(frozen=True)
class Trial:
    """A command let loose twice: with secrets in the environment, and without."""

    row: str
    checkout: Path
    before: Mapping[Path, bytes]
    done: Done
    without: Done


@pytest.fixture(scope="module", params=[row for row, words in ROWS.items() if words[0] in COMMANDS])
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("trial") / "checkout"
    folder.mkdir()
    lay_traps(folder)
    before = contents(folder)
    words = ROWS[request.param]
    return Trial(request.param, folder, before, run(folder, words, SECRETS), run(folder, words, {}))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(checkout: Path, words: Sequence[str], environ: Mapping[str, str]) -> Done:
    record = checkout.parent / "record.json"
    record.unlink(missing_ok=True)
    (checkout.parent / "home").mkdir(exist_ok=True)
    begin = EMPTY_NETWORK if empty_network() else ()
    done = subprocess.run(
        [*begin, sys.executable, "-B", str(AUDITED), str(record), *words],
        cwd=checkout,
        env={"HOME": str(checkout.parent / "home"), "PYTHONPATH": str(ROOT), "PATH": os.defpath, **environ},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert record.is_file(), done.stderr
    seen = json.loads(record.read_bytes())
    opened = [(name, mode) for name, mode in seen["opened"]]
    code = [(name, text) for name, text in seen["code"]]
    return Done(done.returncode, done.stdout, done.stderr, seen["events"], opened, code, set(seen["environ"]))


def test_a_command_leaves_the_machine_alone(trial: Trial) -> None:
    done, checkout = trial.done, trial.checkout
    assert done.exit_code in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert contents(checkout) == trial.before
    assert list((checkout.parent / "home").iterdir()) == []

    events = [event for event in done.events if not is_harmless(event)]
    assert [event for event in events if not (trial.row in RUNS and is_of_the_event_loop(event))] == []
    assert [one for one in done.opened if not may_be_opened(one, checkout)] == []
    assert [name for name in done.environ if SECRET.search(name)] == []
    of_templates = [name for name, text in done.code if MARK in text]
    assert bool(of_templates) == (trial.row in RUNS)
    assert [name for name, _ in done.code if os.path.isfile(name) and str(checkout) in os.path.abspath(name)] == []


def is_harmless(event: list[str]) -> bool:
    """What the interpreter does of its own: it looks through its folders for modules."""
    name, *given = event
    searched = given[0] in (str(ROOT), str(AUDITED.parent)) or is_of_the_interpreter(given[0])
    return name in ("os.listdir", "os.scandir") and searched


def is_of_the_event_loop(event: list[str]) -> bool:
    """The pair of sockets with which an event loop wakes itself: of this process, with no way out of it."""
    name, *given = event
    return name == "socket.__new__" and given[1] == str(int(socket.AF_UNIX))


def may_be_opened(one: tuple[str, str], checkout: Path) -> bool:
    name, mode = one
    if is_of_the_interpreter(name):
        return set(mode) <= set("rb")
    inside = os.path.relpath(os.path.join(checkout, name), checkout)
    return inside in FILES and set(mode) <= set("rb")


def is_of_the_interpreter(name: str) -> bool:
    folders = [sys.prefix, sys.base_prefix, *site.getsitepackages(), str(ROOT / "smoadsl"), str(ROOT / "grammars")]
    return os.path.isabs(name) and any(
        name.startswith(os.path.join(folder, "")) or name == folder for folder in folders
    )


def test_no_secret_is_shown_nor_whether_there_is_one(trial: Trial) -> None:
    done, without = trial.done, trial.without
    assert CANARY not in done.stdout + done.stderr
    assert without_times(done.stdout) == without_times(without.stdout)
    assert (done.stderr, done.exit_code) == (without.stderr, without.exit_code)


def without_times(document: str) -> list[str]:
    return [line for line in document.splitlines() if '"seconds": ' not in line]


def test_the_network_is_empty() -> None:
    if not empty_network():
        pytest.skip("this system gives nobody a network of their own: only the audit hook watches for sockets")
    code = "import socket; print([name for _, name in socket.if_nameindex()])"
    done = subprocess.run([*EMPTY_NETWORK, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['lo']\n"


def test_what_is_watched_for_is_seen(tmp_path: Path) -> None:
    """That the tests above could fail: a command that does what it must not is written down in full."""
    code = (
        "import os, runpy, socket, subprocess, sys\n"
        f"sys.argv = ['x', 'record', 'explain']\nsys.path.insert(0, {str(AUDITED.parent)!r})\nimport audited\n"
        "os.environ.__class__ = audited.Watched\nsys.addaudithook(audited.hook)\n"
        "os.environ.get('CANARY'); open('.env', 'w').close(); exec('zzmarkzz = 1'); socket.socket().close()\n"
        "subprocess.run(['true'])\naudited.done.append(True)\n"
        "print(audited.record)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    for sign in ("'CANARY'", "'.env'", "zzmarkzz", "socket.__new__", "subprocess.Popen"):
        assert sign in done.stdout
