"""Events, to tell what happened in a run: the only input of everything that shows, saves, resumes or tests one.

The classes are a closed union, told apart by `type`. `at_s` counts seconds since the run began. `EVENTS_VERSION` is
in the first event and changes whenever the meaning of the JSON does.
"""

from dataclasses import field
from typing import Annotated, Any, Literal

from smoadsl.adapters.base import Message
from smoadsl.adapters.tape import TapedFault, TapedReply
from smoadsl.frozen import Frozen, Reader, ToldBy
from smoadsl.plan.plan import Plan

EVENTS_VERSION = 1
INTERRUPTED = "interrupted"  # the message of a run that its caller ended
Purpose = Literal["propose", "judge", "moderator", "router", "roles", "aggregate"]


Values = dict[str, float | bool | None]  # what a condition was decided by; None for what had no value


class Totals(Frozen):
    """What a run has taken so far. `estimated` when a provider did not say how many tokens it counted, `unpriced` when
    the price of a model that was called is not known."""

    calls: int = 0
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    usd: float = 0.0
    unpriced: bool = False
    seconds: float = 0.0


class Happened(Frozen):
    at_s: float


class RunStarted(Happened):
    type: Literal["run_started"] = "run_started"
    version: int = EVENTS_VERSION
    plan: Plan
    messages: tuple[Message, ...]
    input: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


class LayerSkipped(Happened):
    """A layer whose `when` did not hold, and the values that it was decided by."""

    type: Literal["layer_skipped"] = "layer_skipped"
    layer: str
    values: Values = field(default_factory=dict)


class Activated(Happened):
    """Which agents of a sparse layer run, and which stay idle. `by` is the router's model, or `random()`."""

    type: Literal["activated"] = "activated"
    layer: str
    by: str
    agents: tuple[str, ...]
    idle: tuple[str, ...]
    reason: str = ""


class RoundStarted(Happened):
    """`values` are those by which the layer's `when`, if it has one, let it run; told with its first round."""

    type: Literal["round_started"] = "round_started"
    layer: str
    round: int
    agents: tuple[str, ...]
    values: Values = field(default_factory=dict)


class CallStarted(Happened):
    """`call` numbers the calls of a run from 1. `repair` says that a verdict is asked for once more; `labels` has the
    agents behind the neutral ids in its messages, `references` those whose responses stand in them by name. `samples`
    are the agents who share the answers of one request, in the order in which they take them."""

    type: Literal["call_started"] = "call_started"
    call: int
    purpose: Purpose
    agent: str
    model: str
    layer: str = ""
    round: int = 0
    repair: bool = False
    messages: tuple[Message, ...]
    labels: dict[str, str] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()


class CallAttempted(Happened):
    """One attempt of a call: `outcome` is `ok`, the kind of fault, `cancelled`, `hedge_lost` or `cached`; `wait_s` is
    how long until the next on the same route, None when none follows there; `next_route` names the fallback tried
    instead, and `why` gives the reason for what follows. `queued_s` was waited for a turn before it was sent, and
    `elapsed_s` counts from then on; `received_bytes` of an answer came. `answer` is what the attempt brought, all of
    it, so that a trace alone is enough to run it again; None for one that was not waited for. `shown`: part of the
    answer had been streamed when it failed; `text_after_s` is how long the first of its text took, None where none
    came, or where it was not streamed."""

    type: Literal["call_attempted"] = "call_attempted"
    call: int
    attempt: int
    route: str
    outcome: str
    message: str = ""
    status: int | None = None
    elapsed_s: float
    wait_s: float | None = None
    next_route: str = ""
    why: str = ""
    queued_s: float = 0.0
    received_bytes: int = 0
    answer: TapedReply | TapedFault | None = None
    shown: bool = False
    text_after_s: float | None = None


class CallSucceeded(Happened):
    """`others` are the further answers of a call that asked for several, for its samples after the first;
    `cached_tokens` those of the input that the provider had read before."""

    type: Literal["call_succeeded"] = "call_succeeded"
    call: int
    text: str
    others: tuple[str, ...] = ()
    finish: Literal["stop", "length", "unknown"]
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    estimated: bool = False
    model: str


class CallFailed(Happened):
    type: Literal["call_failed"] = "call_failed"
    call: int
    kind: str
    message: str


class PipelineAnswered(Happened):
    """A pipeline that is an agent has come to its answer."""

    type: Literal["pipeline_answered"] = "pipeline_answered"
    layer: str
    round: int
    agent: str
    pipeline: str
    text: str


class VerdictUnreadable(Happened):
    type: Literal["verdict_unreadable"] = "verdict_unreadable"
    layer: str
    round: int
    call: int
    fault: str


class Judged(Happened):
    """What went on from a round. `by` is the model or the free judge that decided, or why nobody had to; `ranking` has
    the order that was found, best first; agents are named, in declared order where order means nothing."""

    type: Literal["judged"] = "judged"
    layer: str
    round: int
    by: str
    ranking: tuple[str, ...]
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    scores: dict[str, float] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    reason: str = ""


class StopChecked(Happened):
    """Whether a stop rule held, where that rule stands, and the values that it was decided by."""

    type: Literal["stop_checked"] = "stop_checked"
    layer: str
    round: int
    held: bool
    whole_pipeline: bool
    origin: str = ""
    values: Values
    reason: str = ""


class Degraded(Happened):
    """The run goes on, but not as it was written."""

    type: Literal["degraded"] = "degraded"
    layer: str
    round: int
    why: str


class AnswerPiece(Happened):
    type: Literal["answer_piece"] = "answer_piece"
    text: str


class RunFinished(Happened):
    type: Literal["run_finished"] = "run_finished"
    text: str
    value: str | None
    degraded: tuple[str, ...]
    totals: Totals


class RunFailed(Happened):
    type: Literal["run_failed"] = "run_failed"
    message: str
    totals: Totals


Event = Annotated[
    RunStarted
    | LayerSkipped
    | Activated
    | RoundStarted
    | CallStarted
    | CallAttempted
    | CallSucceeded
    | CallFailed
    | PipelineAnswered
    | VerdictUnreadable
    | Judged
    | StopChecked
    | Degraded
    | AnswerPiece
    | RunFinished
    | RunFailed,
    ToldBy("type"),
]
EVENT: Reader[Event] = Reader(Event)
