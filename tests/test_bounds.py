"""Test bounds, to hold the product's promise to any plan and any luck: no run exceeds its bounds, or its budget."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from smoadsl.plan.money import usd_at_most
from smoadsl.plan.plan import Pipeline
from smoadsl.runtime.events import CallStarted, RoundStarted
from smoadsl.runtime.executor import Answer
from tests.luck import Luck, output_tokens, planned, totals
from tests.random_plans import Kind, programs
from tests.scripts import Run, run

SEEDS = st.integers(0, 2**32 - 1)
ANY = Kind()


@given(programs(ANY), SEEDS, st.sampled_from((0.0, 0.1, 0.4)), st.sampled_from((0.0, 0.3, 0.9)), st.integers(0, 3))
def test_no_run_exceeds_the_worst(text: str, seed: int, faults: float, unreadable: float, alike: int) -> None:
    plan = planned(text)
    assert plan.bounds is not None
    luck = Luck(Random(seed), faults, unreadable, alike, yes=Random(seed).choice((0.0, 0.3, 1.0)))
    made = run(plan, luck, seed=seed)
    bounds = plan.bounds
    assert len(made.asked) == totals(made).attempts <= totals(made).calls <= bounds.calls.worst  # not all are sent
    assert output_tokens(made) <= totals(made).output_tokens <= bounds.output_tokens.worst
    assert totals(made).seconds <= bounds.critical_path.worst + 1e-6
    if not faults and not unreadable:
        assert totals(made).calls <= bounds.calls.full
        assert totals(made).output_tokens <= bounds.output_tokens.full
        assert totals(made).seconds <= bounds.critical_path.full + 1e-6
    for range_ in (bounds.calls, bounds.output_tokens, bounds.critical_path):
        assert 0 <= range_.least <= range_.full <= range_.worst


@given(programs(ANY), SEEDS, st.sampled_from((0.0, 0.3, 1.0)), st.integers(0, 3))
def test_no_run_costs_more_than_was_said(text: str, seed: int, unreadable: float, alike: int) -> None:
    plan = planned(text.replace("max_tokens = ", "max_tokens = 8"))  # what is written outweighs what is around it
    usd = usd_at_most(plan, len("hi") + 128)
    assert usd is not None
    made = run(plan, Luck(Random(seed), unreadable=unreadable, alike=alike, dear=True), seed=seed)
    assert totals(made).usd <= float(usd) + 1e-12


def test_a_repair_costs_the_reading_of_what_it_mends() -> None:
    plan = planned("""
model a = "groq/a" { max_tokens = 1, price = { input = $1, output = $0 } }
model j = "groq/j" { max_tokens = 9_000, price = { input = $1, output = $0 } }
pipeline p {
  layer one {
    propose a * 3
    judge   j keep 2
  }
  aggregate best()
}""")
    made = run(plan, Luck(Random(0), unreadable=1.0, dear=True))
    assert totals(made).calls == 5
    assert 0.018 < totals(made).usd <= float(usd_at_most(plan, len("hi") + 128) or 0) < 0.025


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
