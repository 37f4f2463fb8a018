"""Test terminal, to see a batch as a person does: the question before money is spent, the bar, and the last lines."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from tests.scale.billing import Shop, shop

WIDTH = 80


def seen(lab: Shop, *options: str, reply: str = "y") -> tuple[int, str]:
    """How the command ends on a terminal where somebody answers its question, and all that it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    command = [sys.executable, "-m", "smoadsl", "batch", "p.moa", "in.jsonl", "-o", "out.jsonl", *options]
    environ = {name: value for name, value in lab.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    said = b""
    with subprocess.Popen(
        command, cwd=lab.folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        asked = False
        while piece := _read(ours):
            said += piece
            if not asked and b"Begin?" in said:
                asked = True
                os.write(ours, f"{reply}\n".encode())
        code = process.wait(30)
    os.close(ours)
    return code, said.decode()


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:  # nobody is at the other end any more
        return b""


def test_a_person_is_asked_and_sees_how_far_it_is(tmp_path: Path) -> None:
    with shop(tmp_path, (0.05, 0.1)) as lab:
        lab.ask(100)
        code, said = seen(lab)
        assert code == 0
        question, _, rest = said.partition("[Y/n]: y\r\n")
        assert re.fullmatch(
            r"100 rows, for prompts of 1,000 tokens \$0\.\d\d in full, \$\d\.\d\d at worst\. Begin\? ", question
        )
        assert re.search(r"\d+ of 100 rows · \d+ s left · \d+\.\d/s · \$0\.\d{4} · [\d,]+ tokens", rest)
        lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", rest)]
        assert all(len(line) <= WIDTH for line in lines)
        assert lines[-3:] == [
            "100 answered · 300 calls · 5,400 tokens · $0.0243 in all",
            "out.jsonl written, 100 rows",
            "",
        ]
        assert "is not bought again. Begin?" in seen(lab)[1]


def test_who_says_no_buys_nothing(tmp_path: Path) -> None:
    with shop(tmp_path) as lab:
        lab.ask(3)
        code, said = seen(lab, reply="n")
        assert (code, said.endswith("Aborted!\r\n")) == (1, True)
        assert lab.sold == []
        assert sorted(os.listdir(tmp_path)) == ["in.jsonl", "p.moa"]
        code, said = seen(lab, "--yes")
        assert (code, len(lab.sold), "Begin?" in said) == (0, 9, False)
