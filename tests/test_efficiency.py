"""Test efficiency, to see what the shipped comparison is about on its own questions: tokens, stops and answers."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from smoadsl.language.check import Given
from smoadsl.plan.plan import Plan, routes_of
from smoadsl.runtime.conversation import asked_in
from smoadsl.runtime.events import CallSucceeded, Event, RoundStarted
from smoadsl.tools import api
from smoadsl.tools.virtual_clock import run_virtually

FOLDER = Path(__file__).parents[1] / "pipelines" / "papers" / "efficiency"
ROWS = [json.loads(line) for line in (FOLDER / "questions.jsonl").read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class Measured:
    """What a pipeline came to on all questions, in the mean."""

    right: float
    tokens: float
    calls: float
    seconds: float
    stopped: float
    degraded: int


def planned(name: str, *params: str) -> Plan:
    file, _, pipeline = name.partition(":")
    given = Given(params=dict(param.split("=") for param in params))
    outcome = api.compile(FOLDER / f"{file}.moa", pipeline or None, given)
    assert outcome.value is not None
    return outcome.value


@cache
def measured(name: str, *params: str) -> Measured:
    plan = planned(name, *params)
    right = tokens = calls = stopped = degraded = 0
    seconds = 0.0
    for row in ROWS:
        told: list[Event] = []
        answer = run_virtually(api.run(plan, asked_in(row)[0], on_event=told.append, environ={}))
        counted = sum(e.input_tokens + e.output_tokens for e in told if isinstance(e, CallSucceeded))
        assert counted == answer.totals.input_tokens + answer.totals.output_tokens
        right += answer.value == row["answer"].lower()
        tokens, calls = tokens + counted, calls + answer.totals.calls
        seconds += answer.totals.seconds
        stopped += sum(isinstance(event, RoundStarted) for event in told) == 1
        degraded += bool(answer.degraded)
    count = len(ROWS)
    return Measured(right / count, tokens / count, calls / count, seconds / count, stopped / count, degraded)


def test_every_mixture_takes_more_than_one_model_and_finds_more() -> None:
    single = measured("single")
    assert single.calls == 1
    for name in ("moa", "smoa", "debate"):
        assert measured(name).tokens > 10 * single.tokens
        assert measured(name).right > single.right
        assert measured(name).degraded == 0


def test_without_an_early_stop_sparse_is_hardly_cheaper_and_with_it_it_is() -> None:
    dense, full = measured("moa"), measured("smoa", "moderated=false")
    assert full.stopped == 0
    assert 0.85 < full.tokens / dense.tokens < 1.1
    never = measured("smoa", "agree=1")
    often = measured("smoa", "agree=0.5")
    assert never.stopped < measured("smoa").stopped < often.stopped
    assert never.tokens > measured("smoa").tokens > often.tokens
    assert often.tokens / dense.tokens < 0.7


def test_each_ablation_is_a_param() -> None:
    no_judge, no_roles = planned("smoa", "k=4"), planned("smoa", "cast=nobody")
    no_moderator = planned("smoa", "moderated=false").bounds
    assert no_moderator is not None
    assert planned("smoa").pipeline.layers[0].agents[0].role
    assert not no_roles.pipeline.layers[0].agents[0].role
    assert no_judge.bounds is not None
    full = planned("smoa").bounds
    assert full is not None
    assert full.calls.full == no_moderator.calls.full == 11  # the moderator rides in the judge's call
    assert no_judge.bounds.calls.full == 10  # and asks for itself where there is no judge
    assert measured("smoa", "k=4", "moderated=false").calls == 9  # nobody judges and nobody moderates


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_the_number_of_proposers_is_a_param(n: int) -> None:
    dense, sparse = planned("wide:moa_wide", f"n={n}"), planned("wide:smoa_wide", f"n={n}", "k=1")
    assert dense.bounds is not None
    assert sparse.bounds is not None
    assert dense.bounds.calls.full == 2 * n + 1
    assert sparse.bounds.calls.full >= 2 * n + 1


def test_it_is_the_same_twice_and_other_with_another_skill() -> None:
    assert measured.__wrapped__("smoa") == measured("smoa")
    assert measured("single", "skill=1").right == 1
    assert measured("single", "skill=0").right == 0


def test_any_model_can_stand_in() -> None:
    assert {route.provider for route in routes_of(planned("smoa"))} == {"simulated"}
    real = api.compile(FOLDER / "smoa.moa", None, Given(models={"*": "groq/llama-3.3-70b-versatile"}))
    assert real.diagnostics == ()
    assert real.value is not None
    assert {route.name for route in routes_of(real.value)} == {"groq/llama-3.3-70b-versatile"}
    assert not any(route.reads or route.sampling.extra for route in routes_of(real.value))
