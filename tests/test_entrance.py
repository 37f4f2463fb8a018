"""Test entrance, to see that a command ends well whatever becomes of its streams, and whenever Ctrl-C comes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from smoadsl.tools import entrance
from smoadsl.tools.options import Exit

ROOT = Path(__file__).parents[1]
FULL = "/dev/full"
PIPELINE = 'model m = "simulated/m"\npipeline p {\n  layer one { propose m * 2 }\n  aggregate m\n}\n'
POSIX = pytest.mark.skipif(os.name != "posix", reason="streams are closed and signals sent as in POSIX")


def ended(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What a command comes to in a folder, with nothing on its standard input."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """What a line of `sh` comes to, with `S` for the command and a pipeline beside it."""
    (folder / "p.moa").write_text(PIPELINE, encoding="utf-8")
    script = line.replace("S ", f"'{sys.executable}' -m smoadsl ")
    return ended(["sh", "-c", script], folder)


def needs_full(line: str) -> None:
    if FULL in line and not Path(FULL).exists():
        pytest.skip("there is no disk here that is always full")


@POSIX
@pytest.mark.parametrize(
    "line",
    [
        "S run p.moa hi --trace t.jsonl 2>/dev/full",
        "S run p.moa hi --trace t.jsonl 2>&-",
        "{ S run p.moa hi --trace t.jsonl 2>&1 >&3 | true; } 3>&1",
    ],
)
def test_what_is_told_costs_no_answer(tmp_path: Path, line: str) -> None:
    needs_full(line)
    well, done = shell(tmp_path, "S run p.moa hi"), shell(tmp_path, line)
    assert (done.returncode, done.stdout, done.stderr) == (0, well.stdout, "")
    assert well.stdout.strip()
    *_, last = (tmp_path / "t.jsonl").read_bytes().splitlines()
    assert orjson.loads(last)["type"] == "run_finished"


@POSIX
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("S run p.moa hi >/dev/full", Exit.FAILED, "No space left on device"),
        ("S run p.moa hi --json >/dev/full", Exit.FAILED, "No space left on device"),
        ("S run p.moa hi >&-", Exit.FAILED, "Bad file descriptor"),
        ("S plan p.moa >&-", Exit.FAILED, "Bad file descriptor"),
        ("S providers --json >/dev/full", Exit.FAILED, "No space left on device"),
        ("S --help >/dev/full", Exit.FAILED, "No space left on device"),
        ("S fmt - <p.moa >/dev/full", Exit.FAILED, "No space left on device"),
    ],
)
def test_what_can_not_be_shown_is_one_sentence(tmp_path: Path, line: str, code: int, said: str) -> None:
    needs_full(line)
    done = shell(tmp_path, line)
    assert done.returncode == code, done.stderr
    assert done.stderr.splitlines()[-1] == f"error: standard output: {said}: not all of it could be written"
    assert "Traceback" not in done.stderr
    if " run " in line:  # the answer was paid for
        assert shell(tmp_path, "S run p.moa hi").stdout in done.stderr


@POSIX
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("S check p.moa >&-", Exit.DONE, "1 file: no problems"),
        ("S run p.moa <&-", Exit.USAGE, "standard input: Bad file descriptor"),
        ("S fmt - <&-", Exit.USAGE, "-: Bad file descriptor"),
        ("""echo '{"prompt": "hi"}' >d.jsonl; S batch p.moa d.jsonl -o o.jsonl <&-""", Exit.DONE, "1 answered"),
        ("S run p.moa hi <&- >&- 2>&-", Exit.FAILED, ""),
        ("S check p.moa nowhere.moa 2>/dev/full", Exit.USAGE, ""),
        ("S explain MOA101 | true", 0, ""),
    ],
)
def test_a_stream_that_is_closed_is_no_traceback(tmp_path: Path, line: str, code: int, said: str) -> None:
    needs_full(line)
    done = shell(tmp_path, line)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@POSIX
def test_a_reader_that_has_gone_needs_no_word(tmp_path: Path) -> None:
    done = shell(tmp_path, "{ S plan p.moa; echo $? >&2; } | true")
    assert done.stderr in ("0\n", "1\n")  # who was faster
    blocked = shell(tmp_path, "{ sleep 0.5; S plan p.moa; echo $? >&2; } | true")
    assert (blocked.stdout, blocked.stderr) == ("", "1\n")


# ---- Ctrl-C, at a moment that the test chooses: when some module is imported, or when a stream is read


def interrupted(folder: Path, at: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "p.moa").write_text(PIPELINE, encoding="utf-8")
    (folder / "d.jsonl").write_text('{"prompt": "hi"}\n', encoding="utf-8")
    code = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *rest):\n"
        f"        if f'{{name}}, making a class' == {at!r}:\n"
        "            type('C', (), {'field': Field()})\n"
        f"        if name == {at!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "class Field:\n"
        "    def __set_name__(self, *_):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "class Input:\n"
        "    def __getattr__(self, name):\n"
        "        return os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        f"sys.stdin = Input() if {at!r} == '<stdin>' else sys.stdin\n"
        "from smoadsl.tools.entrance import entry\n"
        "entry()\n"
    )
    return ended([sys.executable, "-c", code, *arguments], folder)


@POSIX
@pytest.mark.parametrize(
    ("at", "arguments"),
    [
        ("smoadsl.tools.cli", ["check", "p.moa"]),
        ("click", ["check", "p.moa"]),
        ("click, making a class", ["check", "p.moa"]),
        ("smoadsl.tools.checking, making a class", ["check", "p.moa"]),
        ("smoadsl.tools.commands.check", ["check", "p.moa"]),
        ("smoadsl.tools.checking", ["check", "p.moa"]),
        ("smoadsl.tools.formats", ["check", "p.moa", "--format", "json"]),
        ("smoadsl.tools.rehearse", ["test", "p.moa"]),
        ("smoadsl.runtime.executor", ["run", "p.moa", "hi"]),
        ("smoadsl.adapters.simulated", ["run", "p.moa", "hi"]),
        ("smoadsl.tools.examining", ["doctor", "p.moa"]),
        ("smoadsl.scale.ledger", ["batch", "p.moa", "d.jsonl", "-o", "o.jsonl"]),
        ("smoadsl.score.comparison", ["compare", "p.moa", "--data", "d.jsonl", "-o", "cmp"]),
        ("<stdin>", ["run", "p.moa"]),
        ("<stdin>", ["fmt", "-"]),
    ],
)
def test_ctrl_c_ends_a_command_quietly_at_any_time(tmp_path: Path, at: str, arguments: list[str]) -> None:
    done = interrupted(tmp_path, at, *arguments)
    assert done.returncode == Exit.INTERRUPTED, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "Aborted" not in done.stderr


def test_the_codes_of_the_entrance_are_those_of_all_commands() -> None:
    codes = (entrance._READER_GONE, entrance._FAILED, entrance._INTERRUPTED)
    assert codes == (Exit.PROBLEMS, Exit.FAILED, Exit.INTERRUPTED)


@POSIX
def test_ctrl_c_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As of a command in the background of a script, which Ctrl-C is not meant for."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = interrupted(tmp_path, "smoadsl.tools.checking", "check", "p.moa")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stderr) == (0, "1 file: no problems\n")
