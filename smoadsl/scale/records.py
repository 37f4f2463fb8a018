"""Records, to say what a ledger holds: jobs, what was bought for them, what came of each row."""

from decimal import Decimal

import orjson

from smoadsl.adapters.base import Reply
from smoadsl.adapters.tape import TapedReply, taped, untaped
from smoadsl.classes import dataclass
from smoadsl.scale.schema import LedgerError


@dataclass(frozen=True, slots=True)
class Job:
    """What a ledger's rows are of: `plan` and `data` are digests, so that a change is seen."""

    name: str
    plan: str
    data: str
    seed: int


@dataclass(frozen=True, slots=True)
class Books:
    """What was bought by all sittings together. `answers`: those on the disk. `broken`: how many sittings broke off,
    `in_flight` how many answers can have been on their way then, which may be bought a second time, and `at_stake_usd`
    the most that the rows can have cost which were under way, where there was a limit."""

    answers: int = 0
    usd: Decimal = Decimal(0)
    broken: int = 0
    in_flight: int = 0
    at_stake_usd: Decimal = Decimal(0)

    @property
    def usd_at_most(self) -> Decimal:
        """What all of it can have cost, as far as there was a limit: what a limit is held against."""
        return self.usd + self.at_stake_usd


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a row. `answer` is None where there is none, and `error` says why. Of a row with several turns,
    `answers` has that of each. Tokens and money are those of all calls that its answer took, whenever they were made;
    `stopped` has a place for each stop rule that ended something: `two, round 1`. `refused`: there is no answer, and a
    model refused one."""

    answer: str | None = None
    value: str | None = None
    answers: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    error: str = ""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    usd: float = 0.0
    seconds: float = 0.0
    stopped: tuple[str, ...] = ()
    refused: bool = False


@dataclass(slots=True)
class Bought:
    """What one row has had of the ledger: answers that earlier sittings bought."""

    input_tokens: int = 0
    output_tokens: int = 0
    usd: Decimal = Decimal(0)


def written_reply(reply: Reply, took_s: float) -> str:
    """What `TapedReply` reads; to make one of it first would take several times as long."""
    faults = [taped(fault) for fault in reply.faults]
    told = {"choices": reply.answers, "faults": faults, "usage": reply.usage}
    told |= {"model": reply.model, "lost_events": reply.lost_events, "took_s": took_s}
    return orjson.dumps(told).decode()


def read_reply(text: str) -> tuple[Reply, float]:
    """A reply as it was written down, and how many seconds it took. Raises `LedgerError`."""
    try:
        kept = TapedReply.model_validate_json(text)
        reply = untaped(kept)
    except (ValueError, TypeError):
        raise LedgerError("the ledger is damaged: an answer in it can not be read; put a copy of it back") from None
    assert isinstance(reply, Reply)
    return reply, kept.took_s


def read_result(text: str) -> Result:
    """A result as it was written down."""
    read = orjson.loads(text)
    return Result(**read | {name: tuple(read[name]) for name in ("answers", "degraded", "stopped")})
