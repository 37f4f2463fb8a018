"""Sat, to work through a data set with scripted models on a virtual clock, and see what came of each row."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from smoadsl.adapters.base import Reply, Request, Usage
from smoadsl.adapters.scripted import Answer, Script, Scripted
from smoadsl.calls.session import Session
from smoadsl.scale.batch import Progress, Settings
from smoadsl.scale.ledger import open_ledger
from smoadsl.scale.records import Books, Result
from smoadsl.scale.rows import Data
from smoadsl.scale.sitting import Watch, Work, sit
from smoadsl.tools.virtual_clock import run_virtually
from tests.scripts import KEYS, planned

PRICED = "price = { input = $1, output = $10 }"
ONE = f"""
model a = "groq/a" {{ max_tokens = 100, {PRICED} }}
pipeline p {{ aggregate a {{ stream = false }} }}
"""
TEAM = f"""
model a = "groq/a" {{ max_tokens = 100, {PRICED} }}
model b = "groq/b" {{ max_tokens = 100, {PRICED} }}
pipeline p {{
  layer one {{ propose a * 2, b }}
  aggregate b {{ stream = false }}
}}
"""


def plainly(request: Request) -> Answer:
    """What was asked last, and by which model it is answered."""
    return Reply(f"{request.model}: {request.messages[-1].content}", "stop", Usage(10, 5), request.model)


_NOBODY = Watch()


@dataclass(slots=True)
class Sat:
    """What came of one sitting: `requests` are all that were sent, `results` those of the rows by their numbers."""

    progress: Progress
    books: Books
    complete: bool
    requests: list[Request]
    results: dict[int, Result]
    events: dict[int, bytes]

    @property
    def answers(self) -> dict[int, str | None]:
        return {number: result.answer for number, result in self.results.items()}


def sat(
    folder: Path,
    text: str,
    data: Data,
    script: Script = plainly,
    settings: Settings | None = None,
    accept_changed: bool = False,
    environ: Mapping[str, str] = KEYS,
    watch: Watch = _NOBODY,
) -> Sat:
    """Sit once: what there is to do is done to its end, or to where it stops."""
    plan = planned(text)
    adapter = Scripted(script)

    async def main() -> Sat:
        ledger = open_ledger(folder, here=True)
        ended = False
        try:
            async with Session(plan.providers, environ, lambda kind, connection: adapter) as session:
                work = Work(plan, data, *data.measured())
                sitting = await sit(work, ledger, session, settings or Settings(4), watch, accept_changed)
            ended = True
            job = ledger.job(work.name)
            results = {number: result for number, _, result in ledger.results(job)}
            events = dict(ledger.events(job))
            return Sat(sitting.progress, sitting.after, sitting.complete, adapter.requests, results, events)
        finally:
            await ledger.close(ended)

    return run_virtually(main())


def lines(path: Path, *rows: str) -> Data:
    """A data set of these lines."""
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return Data(path)


def questions(path: Path, count: int) -> Data:
    """A data set of so many rows, each of which asks something else."""
    return lines(path, *(f'{{"prompt": "question {number}"}}' for number in range(1, count + 1)))
