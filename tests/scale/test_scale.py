"""Test scale, to need no more memory for many rows than for few, and to take up a run that is over in no time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MOST_MIB = 64

CODE = """
import asyncio, resource, sys, time
from pathlib import Path

from smoadsl.adapters.base import Reply, Usage
from smoadsl.calls.session import Session
from smoadsl.scale.batch import Settings
from smoadsl.scale.ledger import open_ledger
from smoadsl.scale.output import write_output
from smoadsl.scale.rows import Data
from smoadsl.scale.sitting import Watch, Work, sit
from smoadsl.tools import api

folder, rows = Path(sys.argv[1]), int(sys.argv[2])


class Quick:
    async def complete(self, request, on_text=None):
        await asyncio.sleep(0)
        return Reply(f"the answer to {request.messages[-1].content}", "stop", Usage(10, 5), request.model)

    async def aclose(self):
        return None


def mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


async def main():
    plan = api.compile(folder / "p.moa").value
    data = Data(folder / "in.jsonl")
    work = Work(plan, data, *data.measured())
    begun_s, seen = time.monotonic(), []

    def look(progress):
        if progress.rows % (rows // 20) == 0:
            seen.append(mib())

    ledger = open_ledger(folder / "run")
    async with Session(plan.providers, {}, lambda kind, connection: Quick()) as session:
        sitting = await sit(work, ledger, session, Settings(64), Watch(look))
    sat_s = time.monotonic() - begun_s
    job = ledger.job("")
    write_output(folder / "out.jsonl", data, lambda: ledger.results(job))
    print(sitting.progress.earlier, sitting.progress.answered, sat_s, mib(), *seen)
    await ledger.close()


asyncio.run(main())
"""
PIPELINE = """
provider quick = openai { base_url = "http://127.0.0.1:9/v1", concurrency = 1000 }
model a = "quick/a" { max_tokens = 100 }
pipeline p { aggregate a { stream = false } }
"""


def sat(folder: Path, rows: int) -> tuple[int, int, float, list[float]]:
    """A process of its own sits: rows that were answered before, and now; seconds; memory after each twentieth."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CODE, str(folder), str(rows)]
    said = subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.split()
    return int(said[0]), int(said[1]), float(said[2]), [float(word) for word in said[3:]]


def test_memory_is_flat_and_a_run_that_is_over_is_soon_seen_to_be(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rows = 1_000_000 if request.config.getoption("--profile") == "long" else 100_000
    (tmp_path / "p.moa").write_text(PIPELINE)
    with (tmp_path / "in.jsonl").open("w") as file:
        file.writelines(f'{{"id": {n}, "prompt": "question {n} of a data set that is large"}}\n' for n in range(rows))
    earlier, answered, sat_s, (at_the_end, first, *seen) = sat(tmp_path, rows)
    assert (earlier, answered) == (0, rows)
    assert max(*seen, at_the_end) - first < MOST_MIB, seen
    earlier, answered, again_s, _ = sat(tmp_path, rows)
    assert (earlier, answered) == (rows, 0)
    assert again_s < 60, "ten seconds of a million rows, where nobody else is at work"
    with (tmp_path / "out.jsonl").open("rb") as file:
        assert sum(b'"error":""' in line for line in file) == rows
    print(f"{rows} rows in {sat_s:.0f} s, {first:.0f} to {max(seen):.0f} MiB, seen to be over in {again_s:.1f} s")
