"""Test colours, to see them where somebody looks at a terminal that has them and wants them, and nowhere else."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

BAD = "model a = 1\npipeline p { aggregate b }\n"
UGLY = 'model a = "simulated/a"\npipeline p {aggregate a}\n'
COMMANDS = {
    "check": ("check", "bad.moa"),
    "plan": ("plan", "bad.moa"),
    "fmt": ("fmt", "--diff", "ugly.moa"),
    "explain": ("explain",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    (folder / "bad.moa").write_text(BAD)
    (folder / "ugly.moa").write_text(UGLY)
    return folder


def on_terminal(folder: Path, command: tuple[str, ...], **environ: str) -> bytes:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    said = b""
    with subprocess.Popen(
        [sys.executable, "-m", "smoadsl", *command],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(Path(__file__).parents[1]), **environ},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        try:
            while piece := os.read(ours, 65536):
                said += piece
        except OSError:  # nobody is at the other end any more
            pass
    os.close(ours)
    return said


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_terminal_is_coloured_unless_it_can_not_or_shall_not(folder: Path, command: tuple[str, ...]) -> None:
    assert b"\x1b[" in on_terminal(folder, command, TERM="xterm")
    for refused in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
        said = on_terminal(folder, command, **refused)
        assert said
        assert b"\x1b" not in said, refused
