"""Test optimize, to hold each pass to its word: the answers mean what they meant, and it saves what it says."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from smoadsl.adapters.base import Fault, FaultKind, Reply, Request, Usage
from smoadsl.adapters.scripted import Answer as Scripting
from smoadsl.adapters.scripted import Scripted, several
from smoadsl.calls.budget import Limits
from smoadsl.diagnostics.source import Source
from smoadsl.plan.bounds import bounds
from smoadsl.plan.cap import capped
from smoadsl.plan.compile import Options, analyse, plan_of
from smoadsl.plan.optimize import PASSES, optimize
from smoadsl.plan.plan import Plan
from smoadsl.runtime.events import CallAttempted, CallStarted, CallSucceeded, Event, RoundStarted
from smoadsl.runtime.executor import Answer
from smoadsl.tools import api
from smoadsl.tools.cli import main
from smoadsl.tools.virtual_clock import run_virtually
from tests.canary import CANARY
from tests.luck import totals
from tests.luck import unoptimized as written
from tests.random_plans import Kind, programs
from tests.scripts import Run, Script, plainly, run, verdict

MODELS = 'model q = "openai/gpt-4o" { max_tokens = 50 }\nmodel g = "groq/g"\nmodel j = "groq/j"\n'


def planned(layers: str, *without: str, end: str = "aggregate j") -> Plan:
    return optimize(written(f"{MODELS}pipeline p {{\n{layers}\n{end}\n}}"), without)


def by_what_is_read(call: CallStarted, request: Request) -> Reply | str:
    """Answers that depend on who is asked what, and on nothing else."""
    if call.purpose in ("judge", "moderator", "router"):
        return verdict(call, request, sorted(call.labels.values()))
    said = f"{call.agent} {call.layer} {[m.content for m in request.messages]}"
    number = int(hashlib.sha256(said.encode()).hexdigest(), 16) % 1_000
    text = f'{{"n": {number}}}' if request.schema else f"so {number}"
    return Reply(text, "stop", Usage(10, 5), request.model)


FEW = settings(max_examples=max(20, settings().max_examples // 4))  # each example is two runs, for each pass


@pytest.mark.parametrize("name", PASSES)
@FEW
@given(programs(Kind(quorums=False)), st.integers(0, 99))
def test_a_pass_changes_no_answer(name: str, text: str, seed: int) -> None:
    plain = written(text.replace("groq/", "openai/"))  # which takes several samples
    cheaper = optimize(plain, [other for other in PASSES if other != name])
    before, after = run(plain, by_what_is_read, seed=seed), run(cheaper, by_what_is_read, seed=seed)
    assert before.answer is not None, before.failed
    assert after.answer is not None, after.failed
    if name != "spare":
        assert after.answer.text == before.answer.text
    assert after.answer.value == before.answer.value or name == "spare"
    assert totals(after).calls <= totals(before).calls


@FEW
@given(programs(Kind()), st.sets(st.sampled_from(sorted(PASSES))))
def test_no_pass_makes_a_plan_dearer(text: str, left_out: set[str]) -> None:
    plain = written(text.replace("groq/", "openai/"))
    cheaper = optimize(plain, left_out)
    before, after = bounds(plain), bounds(cheaper)
    for of_before, of_after in ((before.calls, after.calls), (before.tokens, after.tokens)):
        assert of_after.least <= of_before.least
        assert of_after.full <= of_before.full
    for saving in cheaper.savings:
        assert saving.pass_name not in left_out
        assert min(saving.least_calls, saving.full_calls, saving.full_tokens) >= 0


# ---- one by one


def test_samples_of_one_model_are_one_request() -> None:
    layers = "layer one { propose q * 3, g * 2, alice = q }"
    plan = planned(layers)
    made = run(plan, plainly)
    (asked,) = [one for one in made.asked if one.request.n > 1]
    assert (asked.request.n, asked.call.agent, asked.call.samples) == (
        4,
        "q.1, q.2, q.3, alice",
        plan.pipeline.layers[0].merged[0],
    )
    assert totals(made).calls == bounds(plan).calls.full == 4
    assert sorted(
        text for _, text in made.of("aggregate").texts if "q.2 in round 1" in text and "alice in round 1" in text
    )
    (saving,) = plan.savings
    assert (saving.pass_name, saving.full_calls) == ("merge", 3)
    apart = run(planned(layers, "merge"), plainly)
    assert totals(apart).calls == 7
    assert made.of("aggregate").texts == apart.of("aggregate").texts


@pytest.mark.parametrize(
    "layer",
    [
        "propose q * 3\n quorum 2",
        "propose q * 3\n activate 2 by random()",
        "propose q * 3 as panel",
        "propose q * 3 sees own",
        "propose g * 3",
        "propose slow * 3",
        "propose q * 3 { template = named }",
    ],
)
def test_what_is_not_asked_the_same_is_not_merged(layer: str) -> None:
    more = 'roles panel = ["a", "b", "c"]\ntemplate named = "You are {{ agent }}."\n'
    more += 'model slow = "openai/x" { hedge = 2s }\n'
    plan = optimize(written(f"{MODELS}{more}pipeline p {{\nlayer one {{\n{layer}\n}}\naggregate j\n}}"))
    assert plan.pipeline.layers[0].merged == ()


def test_what_is_missing_of_several_answers_is_asked_for_once_more() -> None:
    asked: list[int] = []

    def answer(request: Request) -> Reply:
        asked.append(request.n)
        texts = [f"{len(asked)}.{place}" for place in range(request.n)]
        replies = [Reply(text, "stop", Usage(10, 5), "m") for text in texts]
        return several(replies[:2]) if request.n == 5 else several(replies)

    plan = planned("layer one { propose q * 5 }", end="aggregate vote()")
    done = api.run_sync(plan, "hi", environ={"OPENAI_API_KEY": CANARY}, opener=lambda *_: Scripted(answer))
    assert asked == [5, 3]
    assert done.text == "1.0"
    assert done.totals.calls == 1
    assert done.totals.attempts == 2
    assert done.totals.output_tokens == 25


def test_a_provider_that_never_gives_all_fails_those_who_got_none() -> None:
    one = Scripted(lambda request: Reply("only one", "stop", Usage(1, 1), "m"))
    with pytest.raises(Exception, match=r"q\.3, q\.4 failed: 4 answers were asked for, and 2 came"):
        api.run_sync(
            planned("layer one { propose q * 4 }"),
            "hi",
            environ={"OPENAI_API_KEY": CANARY, "GROQ_API_KEY": CANARY},
            opener=lambda *_: one,
        )


MORE_FAILS: Mapping[str, tuple[str, Fault | float, list[str], str]] = {
    # a budget, what becomes of the request for what is missing, its attempts, and what is told of those without answer
    "wrong": ("", Fault(FaultKind.STATUS, "no more", status=400), ["status"], "no more"),
    "busy": ("", Fault(FaultKind.STATUS, "busy", status=503), ["status", "status", "status"], "busy"),
    "late": ("budget { time = 9s }", 100.0, ["cancelled"], "the time of the budget, 9 s, is spent"),
    "dear": ("budget { tokens = 3_000 }", 0.0, [], "the budget of 3,000 tokens is spent"),
}


@pytest.mark.parametrize("name", MORE_FAILS)
def test_answers_that_came_count_where_no_more_of_them_come(name: str) -> None:
    budget, end, outcomes, why = MORE_FAILS[name]
    plan = planned(f"{budget}\nlayer one {{ propose q * 3 }}\nlayer two {{ propose q * 3 }}", end="aggregate vote()")
    told: list[Event] = []
    asked: list[int] = []

    async def answer(request: Request) -> Scripting:
        asked.append(request.n)
        if len(asked) == 1:
            return several([Reply(text, "stop", Usage(10, 5), "m") for text in "abb"])
        if request.n == 3:
            return several([Reply(text, "stop", Usage(10, 1_475), "m") for text in "cd"])
        await asyncio.sleep(end if isinstance(end, float) else 1.0)
        return end if isinstance(end, Fault) else Reply("late", "stop", Usage(10, 5), "m")

    async def whole() -> Answer:
        opener = lambda *_: Scripted(answer)  # noqa: E731
        return await api.run(plan, "hi", environ={"OPENAI_API_KEY": CANARY}, opener=opener, on_event=told.append)

    done = run_virtually(whole())
    assert done.text == "b"
    failed = f"layer two, round 1: q.3 failed: 3 answers were asked for, and 2 came: {why}; the aggregate works with"
    assert done.degraded[0].startswith(failed)
    (second,) = [event for event in told if isinstance(event, CallSucceeded) and event.call == 2]
    assert (second.text, second.others) == ("c", ("d",))
    attempts = [event for event in told if isinstance(event, CallAttempted) and event.call == 2]
    assert [event.outcome for event in attempts] == ["ok", *outcomes]
    assert [event.attempt for event in attempts] == list(range(1, len(attempts) + 1))


@pytest.mark.parametrize(("without", "calls"), [((), 3), (("spare",), 4)])
def test_a_judge_is_spared_where_all_agree(without: tuple[str, ...], calls: int) -> None:
    plan = planned("layer one {\n propose g, q\n judge j keep 1\n}", *without)

    def alike(call: CallStarted, request: Request) -> str:
        return "the same" if call.purpose == "propose" else plainly(call, request)

    made = run(plan, alike)
    assert totals(made).calls == calls
    least = bounds(plan).calls.least
    assert least == calls


@pytest.mark.parametrize(
    ("layer", "said", "judged"),
    [
        ("propose g, q\n judge j keep 1", "no judge is asked when all answers are equal, or 1 or fewer are left", []),
        (
            "propose g, q\n judge score(j) keep 1\n stop when score.worst >= 4.5",
            "no judge is asked in round 2, the last, when all answers are equal, or 1 or fewer are left; "
            "before it, scores are read",
            [1],
        ),
        (
            "propose g, q\n judge j { feedback = true }",
            "j is not asked to judge in round 2, the last, since all 2 go on; before it, remarks are read",
            [1],
        ),
        ("propose g, q\n judge score(j) keep 2 { min_score = 3 }", "", [1, 2]),
    ],
)
def test_it_is_said_in_which_rounds_no_judge_is_asked(layer: str, said: str, judged: list[int]) -> None:
    plan = planned(f"layer one repeat 2 {{\n {layer}\n}}")
    assert [one.message for one in plan.decisions if one.pass_name == "spare"] == [f"layer one: {said}"] * bool(said)

    def alike(call: CallStarted, request: Request) -> str:
        return "the same" if call.purpose == "propose" else plainly(call, request)

    made = run(plan, alike)
    assert [one.call.round for one in made.asked if one.call.purpose == "judge"] == judged


RING = "layer talk repeat 3 { propose a = g, b = g, c = g, d = g sees ring(1) }"


def waits(slow: str) -> Script:
    async def script(call: CallStarted, request: Request) -> str:
        await asyncio.sleep(10.0 if call.agent == slow and call.round == 1 else 1.0)
        return f"{call.agent} in round {call.round}"

    return script


def started(made: Run, agent: str, round_: int) -> float:
    return next(e.at_s for e in made.events if isinstance(e, CallStarted) and (e.agent, e.round) == (agent, round_))


def test_agents_that_see_their_neighbours_wait_for_no_others() -> None:
    plan = planned(RING)
    assert [saving.pass_name for saving in plan.savings] == ["flow"]
    made = run(plan, waits("a"))
    assert started(made, "c", 2) == 1.0  # it sees b and d
    assert started(made, "b", 2) == 10.0  # it sees a
    assert started(made, "c", 3) == 11.0
    barriers = run(planned(RING, "flow"), waits("a"))
    assert started(barriers, "c", 2) == 10.0
    assert made.answer is not None
    assert barriers.answer is not None
    assert made.of("aggregate").texts == barriers.of("aggregate").texts


def test_a_later_layer_starts_with_those_whom_it_sees() -> None:
    layers = "layer one { propose a = g, b = g }\nlayer two {\n propose c = g sees [b]\n propose d = g sees none\n}"
    made = run(planned(layers), waits("a"))
    call_of = {e.agent: e.at_s for e in made.events if isinstance(e, CallStarted)}
    assert (call_of["c"], call_of["d"], call_of["aggregate"]) == (1.0, 0.0, 10.0)
    rounds = [e.layer for e in made.events if isinstance(e, RoundStarted)]
    assert sorted(rounds) == ["one", "two"]


@pytest.mark.parametrize("fails", [("b", 1), ("b", 2)])
def test_a_round_that_fails_on_the_way_ends_it_as_behind_a_barrier(fails: tuple[str, int]) -> None:
    def script(call: CallStarted, request: Request) -> str | Fault:
        if (call.agent, call.round) == fails:
            return Fault(FaultKind.STATUS, "wrong key", status=401)
        return plainly(call, request)

    flowing, behind = run(planned(RING), script), run(planned(RING, "flow"), script)
    assert flowing.failed == behind.failed
    assert (flowing.answer is None) == (fails[1] == 1)
    if flowing.answer and behind.answer:
        assert flowing.answer.degraded == behind.answer.degraded
        assert flowing.of("aggregate").texts == behind.of("aggregate").texts


def test_under_a_budget_every_round_ends_before_the_next() -> None:
    budget = "budget { calls = 20 }\n"
    assert not planned(budget + RING).pipeline.layers[0].flows


def test_under_a_cap_from_outside_too() -> None:
    assert started(run(capped(planned(RING), Limits(calls=20)), waits("a")), "c", 2) == 10.0


def test_options_leave_passes_out() -> None:
    text = f"{MODELS}pipeline p {{\nlayer one {{ propose q * 3 }}\naggregate j\n}}"
    program = analyse(Source("t.moa", text)).value
    assert program is not None
    with_all = plan_of(program.pipelines["p"], Options()).value
    without = plan_of(program.pipelines["p"], Options(without=("merge",))).value
    assert with_all is not None
    assert without is not None
    assert [made.pass_name for made in with_all.decisions] == ["merge"]
    assert without.decisions == ()


def test_a_run_can_leave_a_pass_out(tmp_path: Path) -> None:
    (tmp_path / "p.moa").write_text(f"{MODELS}pipeline p {{ aggregate j }}\n", encoding="utf-8")
    refused = CliRunner().invoke(main, ["run", str(tmp_path / "p.moa"), "hi", "--without", "fusing"])
    assert refused.exit_code == 2
    assert "there is no such pass; did you mean `fuse`?" in refused.stderr
