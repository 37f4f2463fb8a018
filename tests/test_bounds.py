"""Test bounds, to hold the product's promise to any plan and any luck: no run exceeds its bounds, or its budget."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.calls.budget import Limits
from smoadsl.diagnostics.source import Source
from smoadsl.plan.bounds import bounds, enough
from smoadsl.plan.compile import compile
from smoadsl.plan.plan import Bounds, Pipeline, Plan
from smoadsl.runtime.events import CallStarted, Degraded, RoundStarted
from smoadsl.runtime.executor import Answer
from tests.luck import Luck, output_tokens, planned, totals
from tests.random_plans import Kind, chains, programs
from tests.scripts import Run, run

SEEDS = st.integers(0, 2**32 - 1)
ANY = Kind()


WITH_RETRIES = Kind(fallbacks=True)


def bounded(plan: Plan) -> Bounds:
    """The bounds for a prompt of `hi`, with the markers of a conversation that is quoted."""
    return bounds(plan, (len("hi") + 128) // 2 + 1)


@given(
    st.one_of(programs(ANY), programs(WITH_RETRIES)),
    SEEDS,
    st.sampled_from((0.0, 0.1, 0.4)),
    st.sampled_from((0.0, 0.3, 0.9)),
    st.integers(0, 3),
)
def test_no_run_exceeds_the_worst(text: str, seed: int, faults: float, unreadable: float, alike: int) -> None:
    plan = planned(text)
    luck = Luck(Random(seed), faults, unreadable, alike, yes=Random(seed).choice((0.0, 0.3, 1.0)))
    made = run(plan, luck, seed=seed)
    most, spent = bounded(plan), totals(made)
    assert spent.calls <= most.calls.worst
    assert output_tokens(made) <= spent.output_tokens <= most.output_tokens.worst
    assert spent.input_tokens <= most.input_tokens.worst
    assert spent.input_tokens + spent.output_tokens <= most.tokens.worst
    assert most.usd is not None
    assert spent.usd <= float(most.usd.worst) + 1e-12
    if spent.attempts == spent.calls:
        assert spent.seconds <= most.critical_path.worst + 1e-6
    if not faults and not unreadable:
        assert spent.calls <= most.calls.full
        assert spent.output_tokens <= most.output_tokens.full
        assert spent.input_tokens <= most.input_tokens.full
        assert spent.usd <= float(most.usd.full) + 1e-12
        assert spent.seconds <= most.critical_path.full + 1e-6
    for range_ in (most.calls, most.tokens, most.input_tokens, most.output_tokens, most.critical_path, most.usd):
        assert 0 <= range_.least <= range_.full <= range_.worst


FAULTS, CUT = st.sampled_from((0.0, 0.2, 0.5)), st.sampled_from((0.2, 0.6, 1.0))


@given(chains(), SEEDS, FAULTS, CUT)
def test_no_call_whose_answers_are_cut_and_copied_exceeds_the_worst(
    text: str, seed: int, faults: float, cut: float
) -> None:
    never_exceeds(planned(text), seed, faults, cut)


@given(programs(Kind(fallbacks=True, lengths=True)), SEEDS, FAULTS, CUT)
def test_no_run_whose_answers_are_cut_and_copied_exceeds_the_worst(
    text: str, seed: int, faults: float, cut: float
) -> None:
    never_exceeds(planned(text), seed, faults, cut)


def never_exceeds(plan: Plan, seed: int, faults: float, cut: float) -> None:
    made = run(plan, Luck(Random(seed), faults, unreadable=0.2, alike=2, yes=0.3, dear=True, cut=cut), seed=seed)
    most, spent = bounded(plan), totals(made)
    assert most.usd is not None
    assert spent.calls <= most.calls.worst
    assert spent.output_tokens <= most.output_tokens.worst
    assert spent.input_tokens <= most.input_tokens.worst
    assert spent.usd <= float(most.usd.worst) + 1e-9


@given(programs(ANY), SEEDS, st.sampled_from((0.0, 0.3, 1.0)), st.integers(0, 3))
def test_no_run_costs_more_than_was_said(text: str, seed: int, unreadable: float, alike: int) -> None:
    plan = planned(text.replace("max_tokens = ", "max_tokens = 8"))  # what is written outweighs what is around it
    most = bounded(plan)
    assert most.usd is not None
    made = run(plan, Luck(Random(seed), unreadable=unreadable, alike=alike, dear=True), seed=seed)
    assert totals(made).usd <= float(most.usd.worst) + 1e-12
    assert totals(made).input_tokens <= most.input_tokens.worst


def test_a_repair_costs_the_reading_of_what_it_mends() -> None:
    plan = planned("""
model a = "groq/a" { max_tokens = 1, retries = 0, price = { input = $1, output = $0 } }
model j = "groq/j" { max_tokens = 9_000, retries = 0, price = { input = $1, output = $0 } }
pipeline p {
  layer one {
    propose a * 3
    judge   j keep 2
  }
  aggregate best()
}""")
    made = run(plan, Luck(Random(0), unreadable=1.0, dear=True))
    assert totals(made).calls == 5
    most = bounded(plan)
    assert most.usd is not None
    assert 0.018 < totals(made).usd <= float(most.usd.worst) < 0.025


@given(programs(ANY), SEEDS, st.sampled_from((0.0, 0.1)), st.integers(0, 2))
def test_no_run_that_went_as_written_takes_less_than_the_least(text: str, seed: int, faults: float, alike: int) -> None:
    plan = planned(text)
    assert plan.bounds is not None
    luck = Luck(Random(seed), faults, faults, alike, yes=Random(seed).choice((0.0, 0.5, 1.0)), written="one")
    made = run(plan, luck, seed=seed)
    least = bounds(plan, prompt_tokens=1)
    assert least.usd is not None
    if isinstance(made.answer, Answer) and not made.answer.degraded:
        assert totals(made).calls >= least.calls.least
        assert totals(made).output_tokens >= least.output_tokens.least
        assert totals(made).input_tokens >= least.input_tokens.least
        assert totals(made).usd >= float(least.usd.least) - 1e-12
        assert totals(made).seconds >= least.critical_path.least - 1e-6


LAB = 'provider lab = openai { base_url = "https://lab.example/v1", rate = 100_000/s }\n'  # no call waits for its turn


@given(programs(Kind(open=True, equal_models=True, quorums=False)), SEEDS)
def test_without_faults_and_with_nothing_that_ends_early_a_run_is_full(text: str, seed: int) -> None:
    plan = planned(LAB + text.replace("groq/", "lab/"))
    assert plan.bounds is not None
    made = run(plan, Luck(Random(seed)), seed=seed)
    assert made.answer is not None, made.failed
    assert not made.answer.degraded
    assert totals(made).calls == plan.bounds.calls.full
    assert totals(made).output_tokens == plan.bounds.output_tokens.full
    assert abs(totals(made).seconds - plan.bounds.critical_path.full) < 1e-6


@given(programs(Kind(fallbacks=True)), SEEDS, st.integers(0, 3))
def test_a_budget_that_is_enough_degrades_no_run_in_which_nothing_fails(text: str, seed: int, alike: int) -> None:
    plan = planned(text.replace("max_tokens = ", "max_tokens = 8"))
    held = enough(plan, bounded(plan).prompt_tokens)
    budget = Limits(held.usd, held.tokens, held.calls)
    pipeline = plan.pipeline.model_copy(update={"budget": budget})
    made = run(
        plan.model_copy(update={"pipeline": pipeline}),
        Luck(Random(seed), alike=alike, dear=True, yes=Random(seed).choice((0.0, 0.5))),
        seed=seed,
    )
    assert made.answer is not None, made.failed
    assert not [event for event in made.events if isinstance(event, Degraded) and "budget" in event.why]


TOO_SMALL = """
model a = "groq/a" { max_tokens = 200, retries = 0, price = { input = $1, output = $3 } }
model j = "groq/j" { max_tokens = 300, retries = 0, price = { input = $2, output = $8 } }
pipeline p {
  budget { BUDGET }
  layer one repeat 2 {
    propose a * 3
    judge   j keep 2
    stop    when moderator(j)
  }
  aggregate j
}
"""


@pytest.mark.parametrize("setting", ["calls = 3", "tokens = 899", "usd = $0.001"])
def test_the_budget_that_is_told_holds_a_run(setting: str) -> None:
    told = compile(Source("t.moa", TOO_SMALL.replace("BUDGET", setting))).diagnostics
    assert [one.code for one in told] == ["MOA331"]
    enough = re.search(r"write `(.+?)`: .* a prompt of ([\d,]+) characters", told[0].help)
    assert enough
    made = compile(Source("t.moa", TOO_SMALL.replace("BUDGET", enough[1])))
    assert made.value is not None, made.diagnostics
    for size, holds in ((int(enough[2].replace(",", "")), True), (10**5, "calls" in setting)):
        finished = run(made.value, Luck(Random(0), alike=0, dear=True), prompt="x" * size).answer
        assert (finished is not None and not finished.degraded) == holds


CAPPED = Kind(budgets=True, fallbacks=True)


@given(programs(CAPPED), SEEDS, st.sampled_from((0.0, 0.2)), st.sampled_from((0.0, 0.3)))
def test_no_budget_is_ever_exceeded(text: str, seed: int, faults: float, unreadable: float) -> None:
    plan = planned(text)
    luck = Luck(Random(seed), faults, unreadable, 2, yes=0.1, written="some", second_s=Random(seed).choice((0.3, 1.0)))
    luck.dear = bool(seed % 2)
    made = run(plan, luck, seed=seed)
    limits, spent = plan.pipeline.budget, totals(made)
    assert limits.calls is None or spent.calls <= limits.calls
    assert limits.tokens is None or spent.input_tokens + spent.output_tokens <= limits.tokens
    assert limits.usd is None or spent.usd <= float(limits.usd) + 1e-12
    assert limits.time_s is None or spent.seconds <= limits.time_s + 1e-6
    assert plan.bounds is not None
    assert spent.calls <= plan.bounds.calls.worst
    for agent in (agent for layer in plan.pipeline.layers for agent in layer.agents):
        if isinstance(agent.does, Pipeline) and agent.does.budget.calls is not None:
            assert max(calls_inside(made, agent.name), default=0) <= agent.does.budget.calls


def calls_inside(made: Run, agent: str) -> list[int]:
    """How many calls were made inside of a pipeline that is an agent, in each round of the pipeline around it."""
    found: list[int] = []
    for event in made.events:
        if isinstance(event, RoundStarted) and "/" not in event.layer:
            found.append(0)
        elif isinstance(event, CallStarted) and event.agent.startswith(f"{agent}/"):
            found[-1] += 1
    return found


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
