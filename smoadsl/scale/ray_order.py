"""Order, to tell all processes of a cluster what a run is of: as text, in which keys stand by their names alone."""

from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from smoadsl.plan.plan import Plan
from smoadsl.scale.batch import Settings
from smoadsl.scale.rows import Data
from smoadsl.scale.sitting import plan_digest


class Order(BaseModel):
    """One sitting. `desk` is the name of the actor that keeps its ledger in `folder`, where `job` is its number;
    `digest` is the plan's, `allowed` says which key may go where."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: Plan
    digest: str
    path: Path
    columns: dict[str, str]
    folder: Path
    job: int
    concurrency: int
    workers: int
    seed: int
    most_usd: Decimal | None
    keeps_events: bool
    strict: bool
    paces: bool
    allowed: tuple[str, ...]
    desk: str

    @property
    def data(self) -> Data:
        return Data(self.path, self.columns)

    @property
    def settings(self) -> Settings:
        return Settings(self.concurrency, self.seed, self.most_usd, self.keeps_events, self.strict, self.paces)

    @property
    def rows_at_once(self) -> int:
        """Of one worker."""
        return max(1, self.concurrency // self.workers)

    @property
    def reads_as_written(self) -> bool:
        """Whether this process takes the plan for what it is where it was made."""
        return plan_digest(self.plan) == self.digest
