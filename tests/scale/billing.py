"""Billing, to be a provider that counts what it sells, and to run the real command beside it, also to kill it there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.adapters.attempts import USAGE, completion
from tests.adapters.wall import Act, Attempt, Wait, answer
from tests.adapters.walled import walled

ROOT = Path(__file__).parent.parent.parent
CALLS = 3  # of a row
PIPELINE = """
provider lab = openai {{ base_url = "{url}/v1", concurrency = 1000 }}
model a = "lab/a" {{ max_tokens = 100, price = {{ input = $1, output = $10 }} }}
model b = "lab/b" {{ max_tokens = 100, price = {{ input = $1, output = $10 }} }}
pipeline p {{
  layer one {{ propose a, b }}
  aggregate b {{ stream = false }}
}}
"""
USD = (USAGE["prompt_tokens"] + 10 * USAGE["completion_tokens"]) / 1_000_000  # of an answer


@dataclass(slots=True)
class Shop:
    """A folder with a pipeline and a data set, and what the server has sold."""

    folder: Path
    url: str
    sold: list[str] = field(default_factory=list)  # the prompt of each answer

    def __post_init__(self) -> None:
        self.write(PIPELINE.format(url=self.url), "p.moa")

    def write(self, text: str, name: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def ask(self, count: int) -> None:
        self.write("".join(f'{{"id": {n}, "prompt": "question {n}"}}\n' for n in range(count)), "in.jsonl")

    def begin(
        self, *options: str, err: str = "err.txt", most_bytes: int | None = None, most_files: int | None = None
    ) -> subprocess.Popen[bytes]:
        """The command, beside us. No file may grow larger than `most_bytes`, as on a disk that is full, and only
        `most_files` may be open."""
        command = [sys.executable, "-m", "smoadsl", "batch", "p.moa", "in.jsonl", "-o", "out.jsonl", *options]
        if most_files is not None:
            command = ["sh", "-c", f'ulimit -n {most_files}; exec "$@"', "sh", *command]
        if most_bytes is not None:
            command = ["sh", "-c", f'ulimit -f {most_bytes // 512}; exec "$@"', "sh", *command]
        with (self.folder / err).open("ab") as file:
            return subprocess.Popen(command, cwd=self.folder, env=self.environ, stderr=file, stdin=subprocess.DEVNULL)

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder), "PYTHONPATH": str(ROOT), "COLUMNS": "80"}

    def run(self, *options: str, most_bytes: int | None = None, most_files: int | None = None) -> tuple[int, list[str]]:
        """How the command ends, and what it says."""
        (self.folder / "said.txt").unlink(missing_ok=True)
        with self.begin(*options, err="said.txt", most_bytes=most_bytes, most_files=most_files) as process:
            code = process.wait(120)
        return code, (self.folder / "said.txt").read_text().splitlines()

    def wait(self, process: subprocess.Popen[bytes], count: int) -> bool:
        """Wait until so much is sold; false where the process ends before."""
        while len(self.sold) < count:
            if process.poll() is not None:
                return False
            time.sleep(0.0005)
        return True


@contextmanager
def shop(folder: Path, latency_s: Sequence[float] = (0.002, 0.01), seed: int = 0) -> Iterator[Shop]:
    """The server answers each prompt after a while, and bills it as soon as it came."""
    random = Random(seed)

    def sell(attempt: Attempt) -> Iterable[Act]:
        prompt = attempt.json["messages"][-1]["content"]
        made.sold.append(prompt)
        return [Wait(random.uniform(*latency_s)), answer(completion(f"the answer to {prompt}"))]

    with walled(sell) as wall:
        made = Shop(folder, wall.url)
        yield made


def killed(process: subprocess.Popen[bytes]) -> int:
    """The process is gone, in whatever it was at."""
    process.send_signal(signal.SIGKILL)
    return process.wait(30)
