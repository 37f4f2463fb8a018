"""Compare, to run clients in turn, each time in a new process, and to keep the median of what each took."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.contender import NOT_INSTALLED, Took
from benchmarks.work import Work

_ROOT = Path(__file__).parents[1]
_LONGEST_S = 900.0


class NotInstalled(Exception):
    """A client whose package is not here; the message names it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One client with its work."""

    client: str
    work: Work


@dataclass(slots=True)
class Server:
    """A server in another process. `served` is how many requests it has answered, known once it has ended."""

    base_url: str
    served: int = 0


@contextmanager
def server(slots: int, awake: bool = True) -> Iterator[Server]:
    """A server that works on so many requests at once, as long as it is needed."""
    command = [sys.executable, "-m", "benchmarks.server", str(slots), *([] if awake else ["sleeps"])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        running = Server(f"http://127.0.0.1:{int(process.stdout.readline())}/v1")
        try:
            yield running
        finally:
            process.stdin.close()
            running.served = int(process.stdout.readline())


def run(job: Job, base_url: str) -> Took:
    """One job in a process of its own. Raises `NotInstalled`."""
    work = json.dumps(asdict(job.work))
    command = [sys.executable, "-m", "benchmarks.contender", job.client, base_url, work]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False, cwd=_ROOT)
    if ended.returncode == NOT_INSTALLED:
        raise NotInstalled(ended.stderr.strip())
    if ended.returncode:
        raise RuntimeError(f"{job.client} failed: {ended.stderr.strip()[-2000:]}")
    return Took(**json.loads(ended.stdout))


def in_turn(jobs: Mapping[str, Job], runs: int, slots: int = 100_000) -> dict[str, Took]:
    """The median of each job, by its name. They are run one after the other, and that so often, so that what else
    the machine does falls on all. Those that are not installed are left out."""
    taken: dict[str, list[Took]] = {name: [] for name in jobs}
    with server(slots) as running:
        for _ in range(runs):
            for name, job in jobs.items():
                if name not in taken:
                    continue
                try:
                    taken[name].append(run(job, running.base_url))
                except NotInstalled as missing:
                    print(f"{name} is left out: {missing}", file=sys.stderr)
                    del taken[name]
    return {name: _median(all_) for name, all_ in taken.items()}


def _median(all_: Sequence[Took]) -> Took:
    return Took(
        all_[0].calls,
        median(one.cpu_s for one in all_),
        median(one.wall_s for one in all_),
        int(median(one.memory_bytes for one in all_)),
    )
