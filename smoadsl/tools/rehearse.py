"""Rehearse, to run the tests that are written in .moa files: no network, no key, no waiting."""

from collections.abc import Iterator, Sequence
from typing import Any

from smoadsl.adapters.base import Message
from smoadsl.classes import dataclass
from smoadsl.language import checked
from smoadsl.plan.bounds import bounds
from smoadsl.plan.compile import Options, plan_of
from smoadsl.plan.plan import Plan
from smoadsl.runtime import events
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.executor import Answer, RunError
from smoadsl.tools import api
from smoadsl.tools.expectations import Failure, speaks_of_failing, unmet
from smoadsl.tools.stage import Stage
from smoadsl.tools.virtual_clock import run_virtually

_MARKERS = 128  # bytes around a message that is quoted


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a test came out. `events` tell what happened, for whoever wants to know why it failed."""

    test: checked.Test
    failures: tuple[Failure, ...]
    events: tuple[events.Event, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def rehearse(test: checked.Test) -> Rehearsal:
    """Run one test on a virtual clock."""
    plan = plan_of(test.pipeline, Options()).value
    assert plan is not None  # a program with a pipeline that can not hold has no tests to run
    stage = Stage(test, plan)
    answer = run_virtually(_play(test, plan, stage))
    failures = stage.unexpected or [
        *_unforeseen(test, stage.told),
        *unmet(test.expects, _facts(plan, answer, stage.told)),
        *stage.unused(),
    ]
    return Rehearsal(test, tuple(dict.fromkeys(failures)), tuple(stage.told))


def _unforeseen(test: checked.Test, told: Sequence[events.Event]) -> Iterator[Failure]:
    """A run without an answer, in a test whose expectations could not tell it from others."""
    if not any(speaks_of_failing(expect.condition) for expect in test.expects):
        for event in told:
            if isinstance(event, events.RunFailed):
                why = f"the run failed (add `expect failed` if it is meant to): {event.message}"
                yield Failure("an answer", why, test.span)


async def _play(test: checked.Test, plan: Plan, stage: Stage) -> Answer | None:
    """The answer to the last prompt; None when one of the turns failed, which is the last then."""
    turns: tuple[Message, ...] = ()
    answer: Answer | None = None
    for prompt in test.prompts:
        turns = (*turns, Message("user", prompt))
        stage.begin()
        conversation = Conversation(turns, test.input)
        try:
            answer = await api.run(
                plan, conversation, on_event=stage.hear, keyless=True, opener=stage.open, streams=True
            )
        except RunError:
            return None
        turns = (*turns, Message("assistant", answer.text))
    return answer


def _facts(plan: Plan, answer: Answer | None, told: list[events.Event]) -> dict[str, Any]:
    """What expectations speak of. What is spent is summed over all turns, and pipelines that are agents count; rounds,
    stop rules and judges are those of the pipeline itself."""
    totals = [e.totals for e in told if isinstance(e, events.RunFinished | events.RunFailed)]
    own = [e for e in told if "/" not in getattr(e, "layer", "")]
    judged = [e for e in own if isinstance(e, events.Judged)]
    limits = plan.bounds
    return {
        "answer": answer.text if answer else None,
        "value": answer.value if answer else None,
        "failed": answer is None,
        "degraded": any(isinstance(e, events.Degraded) for e in told),
        "calls": sum(t.calls for t in totals),
        "attempts": sum(t.attempts for t in totals),
        "tokens": sum(t.input_tokens + t.output_tokens for t in totals),
        "time": sum(t.seconds for t in totals),
        "usd": sum(t.usd for t in totals),
        "rounds": sum(isinstance(e, events.RoundStarted) for e in own),
        "kept": list(judged[-1].kept) if judged else [],
        "stopped": any(e.held for e in own if isinstance(e, events.StopChecked)),
        "plan.max_calls": limits.calls.worst if limits else None,
        "plan.max_usd": _most_usd(plan, told),
    }


def _most_usd(plan: Plan, told: list[events.Event]) -> float | None:
    """What the longest conversation of the test can cost at most; None where a price is not known."""
    sizes = [
        sum(len(message.content.encode("utf-8", "surrogatepass")) + _MARKERS for message in event.messages)
        for event in told
        if isinstance(event, events.RunStarted)
    ]
    usd = bounds(plan, max(sizes, default=0) // 2 + 1).usd
    return float(usd.worst) if usd else None
