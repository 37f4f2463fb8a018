"""Rows, to measure what a row of a data set costs the command beside its calls: CPU, and room in the ledger.

`python -m benchmarks.rows` prints one table, with what ten million rows would come to. A provider in the process
answers at once, and 32 rows are under way. `--share 0.01` works through a hundredth of the rows.
"""

import argparse
import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.contender import cpu_taken_s, look_less_for_garbage
from benchmarks.server import TEXT
from smoadsl.adapters.base import OnText, Reply, Request, Usage
from smoadsl.calls.session import Session
from smoadsl.scale.batch import Settings
from smoadsl.scale.ledger import open_ledger
from smoadsl.scale.output import write_output
from smoadsl.scale.rows import Data
from smoadsl.scale.sitting import Watch, Work, sit
from smoadsl.tools import api

_LAYERS = {3: "layer one { propose a * 2 }", 13: "layer one repeat 2 { propose a * 6 }"}
_MANY = 10_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What rows of so many calls cost, whose answers have so many characters."""

    calls: int
    characters: int
    rows: int
    cpu_s: float
    writing_s: float
    ledger_bytes: int


class _Quick:
    """Answers at once. Each answer begins at another word, as no two are the same."""

    def __init__(self, characters: int) -> None:
        words = TEXT.split()
        texts = (" ".join(islice(cycle(words), at, at + characters // 4))[:characters] for at in range(len(words)))
        self._texts: Iterator[str] = cycle(list(texts))

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        await asyncio.sleep(0)
        return Reply(next(self._texts), "stop", Usage(10, 5), request.model)

    async def aclose(self) -> None:
        pass


def measured(calls: int, characters: int, rows: int) -> Cost:
    """Work through the rows in a folder that is then deleted."""
    with TemporaryDirectory() as folder:
        return asyncio.run(_sat(Path(folder), calls, characters, rows))


async def _sat(folder: Path, calls: int, characters: int, rows: int) -> Cost:
    (folder / "p.moa").write_text(
        f"""provider quick = openai {{ base_url = "http://127.0.0.1:9/v1", concurrency = 1000 }}
        model a = "quick/a" {{ max_tokens = 1000 }}
        pipeline p {{ {_LAYERS[calls]}
        aggregate a {{ stream = false }} }}"""
    )
    prompts = (f'{{"instruction": "Explain to class {number} why the sky is blue."}}\n' for number in range(rows))
    (folder / "in.jsonl").write_text("".join(prompts))
    plan = api.compile(folder / "p.moa").value
    assert plan is not None
    data = Data(folder / "in.jsonl")
    work = Work(plan, data, *data.measured())
    ledger = open_ledger(folder / "run")
    begun_s = cpu_taken_s()
    async with Session(plan.providers, {}, lambda kind, connection: _Quick(characters)) as session:
        sitting = await sit(work, ledger, session, Settings(32), Watch())
    sat_s = cpu_taken_s()
    assert sitting.progress.answered == rows
    job = ledger.job("")
    write_output(folder / "out.jsonl", data, lambda: ledger.results(job))
    written_s = cpu_taken_s()
    await ledger.close()
    size = sum(path.stat().st_size for path in (folder / "run").rglob("*") if path.is_file())
    return Cost(calls, characters, rows, sat_s - begun_s, written_s - sat_s, size)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rows", description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the whole work")
    share = parser.parse_args().share
    look_less_for_garbage()
    table = Table(
        "calls of a row", "characters", "rows", "CPU of a row", "to write it", "ledger of a row", "10 million"
    )
    for calls, characters, rows in ((3, 400, 20_000), (3, 2_000, 5_000), (13, 400, 3_000)):
        cost = measured(calls, characters, max(1, round(rows * share)))
        each = cost.cpu_s / cost.rows
        table.add_row(
            f"{calls}", f"{characters:,}", f"{cost.rows:,}", f"{1000 * each:.2f} ms",
            f"{1_000_000 * cost.writing_s / cost.rows:.0f} µs", f"{cost.ledger_bytes / cost.rows / 1000:.1f} kB",
            f"{each * _MANY / 3600:.1f} h, {cost.ledger_bytes / cost.rows * _MANY / 1e9:.0f} GB",
        )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
