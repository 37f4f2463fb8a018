"""Cases, to write down in one line what a provider does and what must come of it."""

from dataclasses import dataclass, replace
from typing import Any

from smoadsl.adapters.base import FaultKind, Finish
from tests.adapters.attempts import ACME, CLOSE, tried
from tests.adapters.wall import STREAM_HEAD, Act, answer

BAD, CUT, EMPTY = FaultKind.BAD_BODY, FaultKind.TRUNCATED, FaultKind.EMPTY
REFUSED, STATUS = FaultKind.REFUSED, FaultKind.STATUS


@dataclass(frozen=True, slots=True)
class Case:
    """What the provider does and what must come of it: a text, or a kind of fault."""

    name: str
    acts: list[Act]
    outcome: str | FaultKind
    finish: Finish = "stop"
    status: int | None = None
    words: str = ""
    reasoning: str = ""


def whole(name: str, body: Any, outcome: str | FaultKind, **more: Any) -> Case:
    return Case(name, [answer(body)], outcome, **more)


def stream(name: str, content: bytes, outcome: str | FaultKind, **more: Any) -> Case:
    return Case(name, [STREAM_HEAD, content, CLOSE], outcome, **more)


def check(case: Case, streamed: bool, adapter: str = "openai") -> None:
    result = tried(case.acts, streamed, connection=replace(ACME, idle_timeout_s=6.0), adapter=adapter)
    assert result.outcome == case.outcome, result.fault
    if result.fault:
        assert result.fault.status == case.status
        assert case.words in result.fault.message
    if result.reply:
        assert result.reply.finish == case.finish
        assert result.reply.reasoning == case.reasoning
        assert result.seconds < 1.5
    elif case.outcome is not STATUS:
        assert result.fault
        assert result.fault.billed
