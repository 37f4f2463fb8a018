"""Sitting, to take a run up where it was left: its ledger opened, its rows worked through, its output written."""

from collections.abc import Callable
from dataclasses import field
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import orjson

from smoadsl.calls.session import Session
from smoadsl.classes import dataclass
from smoadsl.frozen import Frozen
from smoadsl.plan.plan import Plan
from smoadsl.scale.batch import Batch, Progress, Settings
from smoadsl.scale.ledger import Ledger
from smoadsl.scale.records import Books, Job
from smoadsl.scale.rows import CHANGED, Data

_NO_PART = ("origin", "bounds", "decisions", "savings")  # of what a plan does


class Changed(Exception):
    """What a run is of has changed since it began; the message says what, and what can be done."""


@dataclass(frozen=True, slots=True)
class Work:
    """One pipeline, to be put to one data set. `name` tells it from others that share a folder; `digest` and `rows` are
    what was measured of the data."""

    plan: Plan
    data: Data
    digest: str
    rows: int
    name: str = ""


@dataclass(slots=True)
class Sitting:
    """What is known once one has ended. `complete`: every row has a result. `in_flight`: how many answers can have been
    on their way to workers that died, and may have been bought twice."""

    progress: Progress
    before: Books
    after: Books
    complete: bool
    in_flight: int = 0


def stopped(progress: Progress, rows: int) -> str:
    """Why a sitting stopped before the last of so many rows, and how it goes on."""
    left = rows - progress.rows
    how = "a higher --max-usd" if progress.wants_usd else "the same command"
    return f"{progress.why}; {left:,} row{'s are' if left != 1 else ' is'} left: {how} goes on"


class Drained(Protocol):
    """What can be told to come to an end."""

    def drain(self, why: str) -> None:
        """Let the rows under way come to their end, and begin no other."""
        ...


@dataclass(slots=True)
class Watch:
    """How others look on, and stop it: `begun` is given what drains it before its first row."""

    on_progress: Callable[[Progress], None] = lambda _: None
    begun: Callable[[Drained], None] = field(default=lambda _: None)


async def sit(
    work: Work, ledger: Ledger, session: Session, settings: Settings, watch: Watch, accept_changed: bool = False
) -> Sitting:
    """Work through the rows that have no answer yet. `settings.most_usd` holds for all sittings together.

    Raises `Changed`, `LedgerError`, `Unfit` and `OSError`."""
    number, settings = take_up(work, ledger, settings, accept_changed)
    before = ledger.books()
    batch = Batch(work.plan.unstreamed(), work.data, session, ledger, number, settings, watch.on_progress)
    watch.begun(batch)
    progress = await batch.run()
    return sat(work, progress, before, ledger.books())


def sat(work: Work, progress: Progress, before: Books, after: Books, in_flight: int = 0) -> Sitting:
    """A sitting that has ended. Raises `Changed` where the data has other rows than were measured."""
    if progress.rows != work.rows and not progress.why:
        raise Changed(f"{work.data.path} {CHANGED}")
    return Sitting(progress, before, after, progress.rows == work.rows, in_flight)


def take_up(work: Work, ledger: Ledger, settings: Settings, accept_changed: bool) -> tuple[int, Settings]:
    """The number of the job that this is in the ledger, and the settings with the money that is left. Raises
    `Changed`."""
    job = Job(work.name, plan_digest(work.plan), work.digest, settings.seed)
    if (changed := ledger.changes(job)) and not accept_changed:
        raise Changed(
            f"{' and '.join(changed)} changed since {ledger.path.parent} was begun: --accept-changed goes on, and buys "
            "only what the change touches; another output file begins anew"
        )
    number = ledger.take_on(job, work.data.rows())
    if settings.most_usd is not None:
        settings = settings.with_usd(max(Decimal(0), settings.most_usd - ledger.books().usd_at_most))
    return number, settings


def plan_digest(plan: Plan) -> str:
    """A digest of what a plan does: where its parts are written, and what is known of it beforehand, are no part."""
    return sha256(orjson.dumps(_doing(plan), default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _doing(value: Any) -> Any:
    if isinstance(value, Frozen):
        return {name: _doing(getattr(value, name)) for name in vars(value) if name not in _NO_PART}
    return [_doing(inner) for inner in value] if isinstance(value, tuple) else value


def folder_of(output: Path) -> Path:
    """Where the ledger of a run is that writes to this file."""
    return output.with_name(f"{output.name}.run")
