"""Cluster, to measure what a batch takes on a Ray cluster of this machine beside what it takes in one process.

`python -m benchmarks.cluster` puts 3,000 rows of 3 calls through both, 100 at a time, each answer after 50 ms, and
prints one table. The server and all processes share this machine. `--rows 300` works through fewer. It needs the extra
`ray`.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.compare import server

_EACH_S = 0.1
_ROOT = Path(__file__).parents[1]
_TICKS_A_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_COMMAND, _WORKER, _DESK, _FLOW, _REST = "the command", "a worker", "the ledger's actor", "the rows' task", "Ray itself"
_NAMES = {"ray::MapWorker": _WORKER, "ray::Desk": _DESK, "ray::flow": _FLOW}


@dataclass(slots=True)
class Took:
    """What a run took. `cpu_s` and `most_bytes` are those of its processes, by what they do and by their number."""

    wall_s: float
    cpu_s: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    most_bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def cpu_of(self, what: str) -> float:
        return sum(self.cpu_s[what].values())


def took(rows: int, options: tuple[str, ...]) -> Took:
    """Run the command, and look at its processes now and then."""
    with TemporaryDirectory(prefix="c-", dir="/tmp") as name, server(10_000, awake=False) as at:
        folder = Path(name)
        (folder / "p.moa").write_text(
            f"""provider lab = openai {{ base_url = "{at.base_url}", concurrency = 1000, local = true }}
            model a = "lab/mock-50" {{ max_tokens = 100 }}
            pipeline p {{ layer one {{ propose a * 2 }}
            aggregate a {{ stream = false }} }}"""
        )
        prompts = (f'{{"prompt": "Explain to class {number} why the sky is blue."}}\n' for number in range(rows))
        (folder / "in.jsonl").write_text("".join(prompts))
        command = [sys.executable, "-m", "smoadsl", "batch", "p.moa", "in.jsonl", "-o", "out.jsonl", *options]
        environ = {**os.environ, "PYTHONPATH": str(_ROOT), "RAY_TMPDIR": str(folder)}
        begun = time.monotonic()
        with subprocess.Popen(
            [*command, "--concurrency", "100"], cwd=folder, env=environ, stderr=subprocess.PIPE
        ) as ran:
            found = Took(0.0)
            while ran.poll() is None:
                _look(found, ran.pid)
                time.sleep(_EACH_S)
            found.wall_s = time.monotonic() - begun
            assert ran.stderr is not None
            said = ran.stderr.read().decode()
        assert ran.returncode == 0, said
        return found


def _look(found: Took, command: int) -> None:
    for process, name in _below(command):
        what = _COMMAND if process == command else next((_NAMES[one] for one in _NAMES if one in name), _REST)
        try:
            stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except OSError:
            continue  # it has ended
        if what == _REST:  # a worker without work has another name
            what = next((one for one in _NAMES.values() if process in found.cpu_s[one]), _REST)
        else:
            found.cpu_s[_REST].pop(process, None)
        found.cpu_s[what][process] = (int(stat[11]) + int(stat[12])) / _TICKS_A_S
        found.most_bytes[what] = max(found.most_bytes[what], pages * _PAGE_BYTES)


def _below(command: int) -> Iterator[tuple[int, str]]:
    """A process and all that descend from it, with their names."""
    parents: dict[int, int] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    family = [command]
    for one in family:
        family += [process for process, parent in parents.items() if parent == one]
        try:
            yield one, Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=3_000)
    rows = parser.parse_args().rows
    here, there = took(rows, ()), took(rows, ("--engine", "ray", "--workers", "2"))
    table = Table("", "local", "Ray, 2 workers")
    table.add_row("until the command ended", f"{here.wall_s:.1f} s", f"{there.wall_s:.1f} s")
    for what in (_COMMAND, _WORKER, _DESK, _FLOW, _REST):
        count = max(1, len(there.cpu_s[what])) if what == _WORKER else 1
        table.add_row(
            f"CPU and memory of {what}" + " (each)" * (what == _WORKER),
            f"{here.cpu_of(what):.1f} s, {here.most_bytes[what] >> 20} MiB" if here.most_bytes[what] else "",
            f"{there.cpu_of(what) / count:.1f} s, {there.most_bytes[what] >> 20} MiB",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
