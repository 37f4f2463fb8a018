"""Ray engine, to work through a data set on a cluster: rows to the workers by Ray Data, all that is kept to one desk.

The ledger is that of one machine, so that a run which was begun here is taken up there, and the other way round.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import field
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from smoadsl.calls.keys import Bound
from smoadsl.classes import dataclass
from smoadsl.scale.batch import Progress, Settings
from smoadsl.scale.ledger import open_ledger
from smoadsl.scale.ray_cluster import Cluster, ClusterError, connect
from smoadsl.scale.ray_desk import Desk
from smoadsl.scale.ray_flow import flow
from smoadsl.scale.ray_order import Order
from smoadsl.scale.ray_rows import numbers_as_bits
from smoadsl.scale.records import Books
from smoadsl.scale.rows import Data
from smoadsl.scale.schema import LedgerError
from smoadsl.scale.sitting import Sitting, Watch, Work, plan_digest, sat, take_up
from smoadsl.scale.widest import widest

_BETWEEN_LOOKS_S = 0.2
_LAST_WORD_S = 10.0
_LAST_ROWS_S = 20.0  # that were read and are not begun any more
_CALLS_OF_DESK = 20_000  # that may wait there at once
_NAMED = re.compile(r"(?!ray\.)[\w.]*(Error|Exception): ")  # a line that says what an error was


@dataclass(frozen=True, slots=True)
class _TakenUp:
    """A run as the ledger has it before any process is started."""

    job: int
    settings: Settings
    before: Books
    answered: bytes
    earlier: int
    left: int


async def sit_on_cluster(
    work: Work,
    folder: Path,
    settings: Settings,
    cluster: Cluster,
    allowed: Collection[Bound],
    watch: Watch,
    accept_changed: bool = False,
) -> Sitting:
    """Work through the rows that have no answer yet, the ledger being in this folder. What `sit` promises holds here
    too. Raises `Changed`, `LedgerError`, `Unfit`, `OSError` and `ClusterError`."""
    taken = await _taken_up(work, folder, settings, accept_changed)
    if not taken.left:
        progress = Progress(taken.earlier)
        return Sitting(progress, taken.before, taken.before, True)
    ray, workers = connect(cluster)
    try:
        run = _Run(ray, _order(work, folder, taken, allowed, workers), taken, watch)
        progress = await run.work()
    finally:
        ray.shutdown()
    after = await _books(folder)
    return sat(work, progress, taken.before, after, run.broke_off * widest(work.plan.pipeline))


async def _taken_up(work: Work, folder: Path, settings: Settings, accept_changed: bool) -> _TakenUp:
    ledger = open_ledger(folder)
    try:
        before = ledger.books()
        job, settings = take_up(work, ledger, settings, accept_changed)
        answered = _answered(work.data, ledger.answered(job))
        earlier = int.from_bytes(answered, "little").bit_count()
        return _TakenUp(job, settings, before, answered, earlier, work.rows - earlier)
    finally:
        await ledger.close()


def _answered(data: Data, answered: Iterator[tuple[int, bytes]]) -> bytes:
    """Which rows have an answer. The data is only read where there are any."""
    if (first := next(answered, None)) is None:
        return b""
    return numbers_as_bits(row.number for row, there in data.beside(chain((first,), answered)) if there)


async def _books(folder: Path) -> Books:
    ledger = open_ledger(folder)
    books = ledger.books()
    await ledger.close()
    return books


def _order(work: Work, folder: Path, taken: _TakenUp, allowed: Collection[Bound], workers: int) -> Order:
    """No more workers than rows, or than calls that the narrowest provider takes at once: each has its share."""
    settings, plan = taken.settings, work.plan.unstreamed()
    most = min(one.concurrency for one in work.plan.providers.values()) if work.plan.providers else workers
    return Order(
        plan=plan,
        digest=plan_digest(plan),
        path=work.data.path.resolve(),
        columns=dict(work.data.columns),
        folder=folder.resolve(),
        job=taken.job,
        concurrency=settings.concurrency,
        workers=max(1, min(workers, settings.concurrency, most, taken.left)),
        seed=settings.seed,
        most_usd=settings.most_usd,
        keeps_events=settings.keeps_events,
        strict=settings.strict,
        paces=settings.paces,
        allowed=tuple(map(str, allowed)),
        desk=f"desk-{secrets.token_hex(8)}",
    )


@dataclass(slots=True)
class _Run:
    """One sitting on a cluster that is connected."""

    ray: Any
    order: Order
    taken: _TakenUp
    watch: Watch
    broke_off: int = 0
    _desk: Any = None
    _progress: Progress = field(default_factory=Progress)

    async def work(self) -> Progress:
        here = self._here()
        self._desk = self._opened(here)
        ended = False
        try:
            if wrong := await self._desk.open.remote():
                raise LedgerError(wrong)
            self.watch.begun(self)
            async with self._flowing(here) as flowing:
                await self._look_on(flowing)
            ended = True
        except self.ray.exceptions.RayActorError:
            raise ClusterError("the process that keeps the ledger has died: the same command goes on") from None
        finally:
            with suppress(Exception):  # a desk that has died has said its last
                async with asyncio.timeout(_LAST_WORD_S):
                    self._heard(await self._desk.close.remote(ended))
        return self._progress

    def drain(self, why: str) -> None:
        self._desk.drain.remote(why)

    def _here(self) -> Any:
        """Where the run's folder and the data are."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(self.ray.get_runtime_context().get_node_id(), soft=False)

    def _opened(self, here: Any) -> Any:
        options = {"name": self.order.desk, "num_cpus": 0, "max_concurrency": _CALLS_OF_DESK, "max_restarts": 0}
        actor = self.ray.remote(Desk).options(**options, scheduling_strategy=here)
        return actor.remote(self.order.model_dump_json())

    @asynccontextmanager
    async def _flowing(self, here: Any) -> AsyncIterator[asyncio.Future[None]]:
        """The rows as they go through the workers. At its end none does any more, whatever ended it."""
        task = self.ray.remote(flow).options(num_cpus=0, max_retries=0, scheduling_strategy=here)
        flowing = task.remote(self.order.model_dump_json(), self.taken.answered, self.taken.left)
        ended = asyncio.wrap_future(flowing.future())
        try:
            yield ended
        finally:
            self.ray.cancel(flowing, force=True)
            with suppress(Exception):  # what went wrong is told by whoever looked on
                async with asyncio.timeout(_LAST_WORD_S):
                    await ended

    async def _look_on(self, ended: asyncio.Future[None]) -> None:
        """Tell how far it is until all rows went through, or it is over before."""
        while not ended.done():
            await asyncio.wait([ended], timeout=_BETWEEN_LOOKS_S)
            under_way = self._heard(await self._desk.progress.remote())
            self.watch.on_progress(self._progress)
            if self._progress.why and not under_way:
                await asyncio.wait([ended], timeout=_LAST_ROWS_S)
                return
        if (error := ended.exception()) is not None:
            self._heard(await self._desk.progress.remote())
            if isinstance(error, self.ray.exceptions.WorkerCrashedError):
                raise ClusterError("the process that hands out the rows has died: the same command goes on")
            raise ClusterError(f"Ray gave up: {_sentence(error)}; the same command goes on")

    def _heard(self, said: bytes) -> int:
        """Take over what the desk says, and return how many rows are under way. Raises `LedgerError`."""
        told = orjson.loads(said)
        usd = Decimal(told["progress"].pop("usd"))
        self._progress = Progress(**told["progress"] | {"earlier": self.taken.earlier}, usd=usd)
        self.broke_off = told["broke_off"]
        if told["fault"]:
            raise LedgerError(told["fault"])
        return int(told["under_way"])


def _sentence(error: BaseException) -> str:
    """Of all that Ray says of an error the last line that names one which is not Ray's own, else the last line."""
    lines = [line.strip(" |+-") for line in str(error).splitlines() if line.strip(" |+-")]
    named = [line for line in lines if _NAMED.match(line)]
    return (named or lines or [type(error).__name__])[-1]
