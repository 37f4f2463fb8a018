"""Comparing, to put several pipelines to the same rows through one ledger, and to have each answer marked."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from smoadsl.adapters.base import Fault
from smoadsl.calls.budget import Budget, Limits
from smoadsl.calls.keys import bound_of
from smoadsl.calls.route import Rate
from smoadsl.calls.session import Session
from smoadsl.classes import dataclass
from smoadsl.plan.plan import Plan, routes_of
from smoadsl.scale.batch import Settings
from smoadsl.scale.ledger import Ledger, open_ledger
from smoadsl.scale.records import Result
from smoadsl.scale.rows import Data
from smoadsl.scale.sitting import Changed, Watch, Work, sit, stopped
from smoadsl.score.comparison import Entrant
from smoadsl.tools.grading import Grading, Parts
from smoadsl.tools.paying import is_timeless
from smoadsl.tools.virtual_clock import run_virtually

T = TypeVar("T")
_UNHURRIED = Rate(1_000_000, 1.0)


class Stopped(Exception):
    """A comparison that is not complete; the message says why, and how it goes on."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of each row, by entrant; `graded` has what a grader said of it, None where no model grades."""

    results: Sequence[Sequence[Result]]
    graded: Sequence[Sequence[Parts]] | None


@dataclass(frozen=True, slots=True)
class Comparing:
    """What is to be compared, and where its ledger is. `measured` is what the data came to. `settings` hold for each
    entrant; a limit of money for all."""

    entrants: Sequence[Entrant]
    data: Data
    measured: tuple[str, int]
    folder: Path
    settings: Settings
    allowed: Sequence[str] = ()
    accept_changed: bool = False
    grading: Grading | None = None
    told: Callable[[Entrant, int], Watch] = lambda entrant, rows: Watch()

    def run(self) -> Ran:
        """What came of each row, for each entrant, and what it is graded.

        Raises `Stopped`, `Changed`, `LedgerError`, `Unfit`, `OSError`, `Fault` for a key that is not set."""
        virtual = all(map(is_timeless, self._plans()))
        run: Callable[[Coroutine[Any, Any, T]], T] = run_virtually if virtual else asyncio.run
        return run(self._run(virtual))

    async def _run(self, virtual: bool) -> Ran:
        digest, rows = self.measured
        ledger = open_ledger(self.folder, here=virtual)
        ended = False
        try:
            for plan in self._plans():  # before any of them buys anything
                async with self._session(plan) as session:
                    session.check(route.provider for route in routes_of(plan))
            found = [await self._of(entrant, ledger, digest, rows, virtual) for entrant in self.entrants]
            graded = None
            if self.grading is not None:
                budget = Budget(Limits(usd=self._left(ledger)))
                async with self._session(self.grading.plan) as session:
                    graded = await self.grading.parts(self.data, found, ledger, session, budget)
                if budget.spent:
                    raise Stopped(f"grading by {self.grading.name}: {budget.spent}; a higher --max-usd goes on")
            ended = True
            return Ran(found, graded)
        except (Changed, Stopped, Fault):
            ended = True  # nothing is on its way
            raise
        finally:
            await ledger.close(ended)

    def _plans(self) -> list[Plan]:
        """Those of all who are asked, the grader's too."""
        return [entrant.plan for entrant in self.entrants] + ([self.grading.plan] if self.grading else [])

    def _session(self, plan: Plan) -> Session:
        return Session(plan.providers, os.environ, allowed=frozenset(map(bound_of, self.allowed)))

    def _left(self, ledger: Ledger) -> Decimal | None:
        most = self.settings.most_usd
        return None if most is None else max(Decimal(0), most - ledger.books().usd_at_most)

    async def _of(self, entrant: Entrant, ledger: Ledger, digest: str, rows: int, virtual: bool) -> list[Result]:
        plan = _unhurried(entrant.plan) if virtual else entrant.plan
        settings = replace(self.settings, concurrency=1) if virtual else self.settings  # each row on a time of its own
        work = Work(plan, self.data, digest, rows, entrant.name)
        async with self._session(plan) as session:
            sitting = await sit(work, ledger, session, settings, self.told(entrant, rows), self.accept_changed)
        if not sitting.complete:
            raise Stopped(f"{entrant.name}: {stopped(sitting.progress, rows)}")
        return [result for *_, result in ledger.results(ledger.job(entrant.name))]


def _unhurried(plan: Plan) -> Plan:
    """The plan with providers that take as much at once as anybody asks."""
    providers = {name: replace(one, rate=_UNHURRIED, concurrency=10_000) for name, one in plan.providers.items()}
    return plan.model_copy(update={"providers": providers})
