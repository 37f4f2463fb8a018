"""Test bounds, to hold the product's promise to any plan and any luck: no run exceeds its bounds, or its budget."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

import orjson
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Fault, FaultKind, Reply, Request, Usage
from smoadsl.diagnostics.render.text import render
from smoadsl.diagnostics.source import Source
from smoadsl.plan.compile import compile
from smoadsl.plan.plan import Plan
from smoadsl.runtime.events import CallStarted, CallSucceeded, Totals
from smoadsl.runtime.executor import Answer
from tests.random_plans import SCHEMA, Kind, programs
from tests.scripts import Run, run, verdict

FAULTS = (
    Fault(FaultKind.STATUS, "busy", status=429),
    Fault(FaultKind.STATUS, "wrong key", status=401),
    Fault(FaultKind.STATUS, "down", status=500),
    Fault(FaultKind.TRUNCATED, "cut", billed=True),
    Fault(FaultKind.EMPTY, "empty", billed=True),
    Fault(FaultKind.BAD_BODY, "garbage", billed=True),
    Fault(FaultKind.REFUSED, "refused", billed=True),
    Fault(FaultKind.NO_RESPONSE, "reset"),
)
UNREADABLE = ("The first.", "{}", '{"reason": "", "best": ["A"]}', '{"reason": "", "scores": {"A": 9}}', "[]")


class Files:
    """The one file that a plan may name."""

    def read(self, path: str, beside: Source) -> Source:
        return Source(path, SCHEMA)


def planned(text: str) -> Plan:
    outcome = compile(Source("t.moa", text), "p", reader=Files())
    assert outcome.value is not None, f"{text}\n{render(outcome.diagnostics)}"
    return outcome.value


@dataclass(slots=True)
class Luck:
    """Answers calls by chance, each after a second. `faults`, `unreadable`: how often; `alike`: how many different
    answers there are, none for as many as calls; `written`: how much of its `max_tokens` a response takes."""

    random: Random
    faults: float = 0.0
    unreadable: float = 0.0
    alike: int = 0
    yes: float = 0.0
    written: Literal["all", "some", "one"] = "all"
    second_s: float = 1.0
    made: int = 0

    async def __call__(self, call: CallStarted, request: Request) -> Reply | Fault:
        await asyncio.sleep(self.second_s)
        if self.random.random() < self.faults:
            return self.random.choice(FAULTS)
        self.made += 1
        most = request.sampling.max_tokens
        output = {"all": most, "some": self.random.randint(1, most), "one": 1}[self.written]
        size = sum(len(message.content.encode()) for message in request.messages)
        usage = Usage(self.random.randint(1, size // 2 + 1), output, estimated=self.random.random() < self.faults / 4)
        return Reply(self._text(call, request), "stop", usage, request.model)

    def _text(self, call: CallStarted, request: Request) -> str:
        if call.purpose in ("judge", "moderator", "router"):
            if self.random.random() < self.unreadable:
                return self.random.choice(UNREADABLE)
            agents = sorted(call.labels.values())
            self.random.shuffle(agents)
            said = verdict(call, request, agents, self.random.random() < self.yes)
            return said.replace(":5", ":4") if not self.yes else said  # a best score of 5 may end a layer
        number = self.random.randrange(self.alike) if self.alike else self.made
        if request.schema is not None and self.random.random() >= self.unreadable:
            return orjson.dumps({"n": number}).decode()
        return f"w{number}x{number} {number}"


def output_tokens(made: Run) -> int:
    return sum(event.output_tokens for event in made.events if isinstance(event, CallSucceeded))


def totals(made: Run) -> Totals:
    last = made.events[-1]
    found = getattr(last, "totals", None)
    assert isinstance(found, Totals)
    return found


SEEDS = st.integers(0, 2**32 - 1)
ANY = Kind()


@given(programs(ANY), SEEDS, st.sampled_from((0.0, 0.1, 0.4)), st.sampled_from((0.0, 0.3, 0.9)), st.integers(0, 3))
def test_no_run_exceeds_the_worst(text: str, seed: int, faults: float, unreadable: float, alike: int) -> None:
    plan = planned(text)
    assert plan.bounds is not None
    luck = Luck(Random(seed), faults, unreadable, alike, yes=Random(seed).choice((0.0, 0.3, 1.0)))
    made = run(plan, luck, seed=seed)
    bounds = plan.bounds
    assert len(made.asked) == totals(made).calls <= bounds.calls.worst
    assert output_tokens(made) <= totals(made).output_tokens <= bounds.output_tokens.worst
    assert totals(made).seconds <= bounds.critical_path.worst + 1e-6
    if not faults and not unreadable:
        assert totals(made).calls <= bounds.calls.full
        assert totals(made).output_tokens <= bounds.output_tokens.full
        assert totals(made).seconds <= bounds.critical_path.full + 1e-6
    for range_ in (bounds.calls, bounds.output_tokens, bounds.critical_path):
        assert 0 <= range_.least <= range_.full <= range_.worst


@given(programs(ANY), SEEDS, st.sampled_from((0.0, 0.1)), st.integers(0, 2))
def test_no_run_that_went_as_written_takes_less_than_the_least(text: str, seed: int, faults: float, alike: int) -> None:
    plan = planned(text)
    assert plan.bounds is not None
    luck = Luck(Random(seed), faults, faults, alike, yes=Random(seed).choice((0.0, 0.5, 1.0)), written="one")
    made = run(plan, luck, seed=seed)
    if isinstance(made.answer, Answer) and not made.answer.degraded:
        assert totals(made).calls >= plan.bounds.calls.least
        assert totals(made).output_tokens >= plan.bounds.output_tokens.least
        assert totals(made).seconds >= plan.bounds.critical_path.least - 1e-6


@given(programs(Kind(open=True, equal_models=True, quorums=False)), SEEDS)
def test_without_faults_and_with_nothing_that_ends_early_a_run_is_full(text: str, seed: int) -> None:
    plan = planned(text)
    assert plan.bounds is not None
    made = run(plan, Luck(Random(seed)), seed=seed)
    assert made.answer is not None, made.failed
    assert not made.answer.degraded
    assert totals(made).calls == plan.bounds.calls.full
    assert totals(made).output_tokens == plan.bounds.output_tokens.full
    assert abs(totals(made).seconds - plan.bounds.critical_path.full) < 1e-6


CAPPED = Kind(budgets=True, fallbacks=True)


@given(programs(CAPPED), SEEDS, st.sampled_from((0.0, 0.2)), st.sampled_from((0.0, 0.3)))
def test_no_budget_is_ever_exceeded(text: str, seed: int, faults: float, unreadable: float) -> None:
    plan = planned(text)
    luck = Luck(Random(seed), faults, unreadable, 2, yes=0.1, written="some", second_s=Random(seed).choice((0.3, 1.0)))
    made = run(plan, luck, seed=seed)
    limits, spent = plan.pipeline.budget, totals(made)
    assert limits.calls is None or spent.calls <= limits.calls
    assert limits.tokens is None or spent.input_tokens + spent.output_tokens <= limits.tokens
    assert limits.usd is None or spent.usd <= float(limits.usd) + 1e-12
    assert limits.time_s is None or spent.seconds <= limits.time_s + 1e-6
    assert plan.bounds is not None
    assert spent.calls <= plan.bounds.calls.worst


def _of_a_free_end(text: str) -> bool:
    return text.rstrip().endswith("()\n}")


@given(programs(Kind(equal_models=True)), SEEDS, st.integers(1, 12))
def test_a_budget_of_calls_never_costs_the_answer(text: str, seed: int, calls: int) -> None:
    head, _, outer = text.rpartition("pipeline p {\n")
    answer, _, rest = outer.partition("\n")
    plan = planned(f"{head}pipeline p {{\n{answer}\n  budget {{ calls = {calls} }}\n{rest}")
    made = run(plan, Luck(Random(seed), alike=2), seed=seed)
    assert totals(made).calls <= calls
    if not _of_a_free_end(text):
        assert made.answer is not None, made.failed


def test_the_papers_figures() -> None:
    smoa = """
model a = "groq/a" { max_tokens = 100 }
pipeline p {
  layer debate repeat 2 {
    propose a * 4
    judge   a keep 2
    stop    when moderator(a)
  }
  aggregate a
}"""
    bounds = planned(smoa).bounds
    assert bounds is not None
    figures: Sequence[int] = (bounds.calls.least, bounds.calls.full, bounds.calls.worst)
    assert figures == (5, 11, 13)
    assert (bounds.critical_path.least, bounds.critical_path.full, bounds.critical_path.worst) == (2, 5, 7)
