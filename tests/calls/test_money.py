"""Test money, to exceed no budget whatever happens at once, and to waste none of it."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from random import Random

import pytest

from smoadsl.adapters.base import Fault, FaultKind, Reply, Request, Usage
from smoadsl.adapters.scripted import Answer, Scripted
from smoadsl.calls.budget import Budget, Cost, Exhausted, Limits
from smoadsl.calls.caller import Caller
from smoadsl.calls.session import Session
from smoadsl.diagnostics.source import Source
from smoadsl.plan.compile import compile
from smoadsl.plan.plan import Plan
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.events import Event, RunFailed, RunFinished
from smoadsl.runtime.executor import RunError, execute
from smoadsl.tools.virtual_clock import run_virtually
from tests import luck
from tests.scripts import KEYS, planned, run

ONE_CALL = """
model a = "groq/a" { max_tokens = 100, price = { input = $0, output = $1_000 } }
pipeline p { aggregate a }
"""
MIXTURE = """
model a = "groq/a" { max_tokens = 50, price = { input = $1, output = $3 }, hedge = 400ms, fallback = b, length = grow }
model b = "groq/b" { max_tokens = 80, price = { input = $2, output = $9 }, length = fail }
pipeline p {
  layer one repeat 2 {
    propose a * 3, b
    judge   b keep 2
  }
  aggregate a { stream = false }
}
"""
FAULTS = (
    Fault(FaultKind.STATUS, "busy", status=429),
    Fault(FaultKind.STATUS, "down", status=503),
    Fault(FaultKind.NOT_SENT, "refused"),
    Fault(FaultKind.TRUNCATED, "cut", billed=True),
    Fault(FaultKind.EMPTY, "empty", billed=True),
    Fault(FaultKind.REFUSED, "refused", billed=True),
)


def session_for(plan: Plan, adapter: Scripted) -> Session:
    return Session(plan.providers, KEYS, lambda kind, connection: adapter)


async def ran(plan: Plan, caller: Caller, around: Budget, hear: list[Event]) -> str | None:
    try:
        return (await execute(plan, Conversation.of("hi"), caller, hear.append, around=around)).text
    except RunError:
        return None


def test_a_thousand_pipelines_with_money_for_ten_calls_send_ten() -> None:
    """Each call costs ten cents at most, and does."""
    plan = planned(ONE_CALL)

    async def script(request: Request) -> Answer:
        await asyncio.sleep(0.5)
        return Reply("x", "stop", Usage(1, 100), "a")

    adapter = Scripted(script)

    async def main() -> list[str | None]:
        around = Budget(Limits(usd=Decimal(1)))
        async with session_for(plan, adapter) as session:
            caller = Caller(session, Random(0))
            return await asyncio.gather(*(ran(plan, caller, around, []) for _ in range(1_000)))

    answers = run_virtually(main())
    assert len(adapter.requests) == 10
    assert sum(answer is not None for answer in answers) == 10


NEVER_ENOUGH = [
    (Limits(calls=1), Cost(1), "the budget of 1 call does not hold a call beside 1 call for the aggregate"),
    (Limits(calls=1), Cost(0), "the budget of 1 call does not hold 2 calls at once"),
    (
        Limits(tokens=900),
        Cost(1, 500),
        "the budget of 900 tokens does not hold a call that may take 1,200 tokens beside 500 tokens for the aggregate",
    ),
    (
        Limits(usd=Decimal("1E-7")),
        Cost(),
        "the budget of $0.0000001 does not hold a call that may cost $0.01235",
    ),
    (
        Limits(usd=Decimal("0.02")),
        Cost(1, 1, Decimal("0.01")),
        "the budget of $0.02 does not hold a call that may cost $0.01235 beside $0.01 for the aggregate",
    ),
]


@pytest.mark.parametrize(("limits", "kept", "said"), NEVER_ENOUGH, ids=[said for *_, said in NEVER_ENOUGH])
def test_a_budget_that_never_was_enough_says_what_it_does_not_hold(limits: Limits, kept: Cost, said: str) -> None:
    budget = Budget(limits)
    budget.set_aside(lambda: kept)
    one = Cost(1 if kept.calls or limits.calls is None else 2, 1_200, Decimal("0.012341"))
    for _ in range(2):
        with pytest.raises(Exhausted) as refused:
            budget.reserve(one)
        assert str(refused.value) == said


def test_a_budget_of_which_something_was_taken_is_spent() -> None:
    one = Cost(1, 600, Decimal("0.6"))
    for limits, said in (
        (Limits(calls=1), "the budget of 1 call is spent"),
        (Limits(tokens=1_000), "the budget of 1,000 tokens is spent"),
        (Limits(usd=Decimal(1)), "the budget of $1 is spent"),
    ):
        budget = Budget(limits)
        budget.reserve(one)
        with pytest.raises(Exhausted) as refused:
            budget.reserve(one)
        assert str(refused.value) == said


def test_a_thousand_tasks_reserve_and_settle_at_once() -> None:
    """What calls do not need comes back, and others are made of it, but never more than there is."""
    budget = Budget(Limits(tokens=10_000))
    under_way = most = sent = 0

    async def one(random: Random) -> None:
        nonlocal under_way, most, sent
        await asyncio.sleep(random.uniform(0, 20))
        try:
            budget.reserve(Cost(1, 1_000))
        except Exhausted:
            return
        under_way, sent = under_way + 1, sent + 1
        most = max(most, under_way)
        await asyncio.sleep(random.uniform(0, 0.1))
        under_way -= 1
        budget.settle(Cost(0, 1_000), 50)

    async def main() -> None:
        await asyncio.gather(*(one(Random(seed)) for seed in range(1_000)))

    run_virtually(main())
    assert most <= 10
    assert 10 < sent <= 10_000 / 50


def simulated(seed: int) -> None:
    """Runs that share a budget, with faults, hedges, answers that are cut and grown, counted and not counted."""
    random = Random(seed)
    plan = planned(MIXTURE)
    price = {"a": (1, 3), "b": (2, 9)}
    shape = random.choice(("usd", "tokens", "calls"))
    amount = random.randint(1, 4_000)
    limits = {
        "usd": Limits(usd=Decimal(amount) / 200_000),
        "tokens": Limits(tokens=amount * 4),
        "calls": Limits(calls=amount % 40 + 1),
    }[shape]
    faults = random.choice((0.0, 0.2, 0.6))
    spent_usd, spent_tokens = Decimal(0), 0
    told: list[Event] = []

    def billed(model: str, input_tokens: int, output_tokens: int) -> None:
        """What the provider puts on the bill, at once: the worst for us."""
        nonlocal spent_usd, spent_tokens
        into, out = price[model]
        spent_usd += Decimal(into * input_tokens + out * output_tokens) / 1_000_000
        spent_tokens += input_tokens + output_tokens
        assert limits.usd is None or spent_usd <= limits.usd, seed
        assert limits.tokens is None or spent_tokens <= limits.tokens, seed

    async def script(request: Request) -> Answer:
        size = sum(len(message.content.encode()) for message in request.messages)
        most = request.sampling.max_tokens
        chance = random.random()
        if chance < faults:
            await asyncio.sleep(random.uniform(0, 1))
            fault = random.choice(FAULTS)
            if fault.billed:
                billed(request.model, size // 2 + 1, most)
            return fault
        output = random.randint(1, most)
        billed(request.model, random.randint(1, size // 2 + 1), output)
        await asyncio.sleep(random.uniform(0, 1))
        finish = random.choice(("stop", "stop", "length"))
        usage = Usage(size // 2 + 1, output, estimated=random.random() < 0.1)
        return Reply("x" * random.randint(1, 4 * output), finish, usage, request.model)  # type: ignore[arg-type]

    async def main() -> None:
        around = Budget(limits)
        async with session_for(plan, Scripted(script)) as session:
            caller = Caller(session, random)
            await asyncio.gather(*(ran(plan, caller, around, told) for _ in range(random.choice((1, 1, 4)))))
            assert session.gate("groq").is_idle
        totals = [event.totals for event in told if isinstance(event, RunFinished | RunFailed)]
        settled = sum(total.input_tokens + total.output_tokens for total in totals)
        assert around.taken.tokens >= max(settled, spent_tokens), seed
        if not any(total.estimated for total in totals):
            assert around.taken.tokens == settled, seed  # nothing stays reserved

    run_virtually(main())
    assert limits.calls is None or sum(event.type == "call_started" for event in told) <= limits.calls


def test_no_budget_is_exceeded(request: pytest.FixtureRequest) -> None:
    for seed in range(10_000 if request.config.getoption("--profile") == "long" else 500):
        simulated(seed)


def test_a_budget_that_holds_one_call_holds_it() -> None:
    plan = planned(ONE_CALL.replace("pipeline p {", "pipeline p {\n  budget { usd = $0.10 }\n "))
    adapter = Scripted(lambda request: Reply("x", "stop", Usage(1, 100), "a"))

    async def main() -> str | None:
        async with session_for(plan, adapter) as session:
            return await ran(plan, Caller(session, Random(0)), Budget(Limits()), [])

    assert run_virtually(main()) == "x"


DOWN, BROKEN = Fault(FaultKind.STATUS, "down", status=503), Fault(FaultKind.TRUNCATED, "cut off", billed=True)
FITS: Mapping[str, tuple[str, Fault | None, str, str]] = {
    # who is asked, what comes of it, the least budget that is enough, and one that is not
    "a fallback that is not asked needs no room": ("cheap", None, "$0.0041", "$0.004099"),
    "nor where several answers are asked for": ("cheap * 4", None, "$0.0161", "$0.016099"),
    "a fallback needs what it may answer itself": ("cheap", DOWN, "$0.1001", "$0.100099"),
    "and each of several answers": ("cheap * 2", DOWN, "$0.2001", "$0.200099"),
    "what failed is charged as what it was": ("cheap", BROKEN, "$0.1041", "$0.104099"),
}
BUDGETED = """
model cheap = "openai/cheap" { max_tokens = 4_000, retries = 0, fallback = dear, price = { input = $0, output = $1 } }
model dear = "openai/dear" { max_tokens = 100, retries = 0, price = { input = $0, output = $1_000 } }
model last = "openai/last" { max_tokens = 100, retries = 0, price = { input = $0, output = $1 } }
pipeline p {
  budget { usd = BUDGET }
  layer one { propose PROPOSED }
  aggregate last { stream = false }
}
"""


@pytest.mark.parametrize("name", FITS)
def test_an_attempt_needs_as_much_as_its_own_route_may_take(name: str) -> None:
    proposed, fault, enough, less = FITS[name]
    text = BUDGETED.replace("PROPOSED", proposed)

    def script(call: object, request: Request) -> Answer:
        if request.model == "cheap" and fault is not None:
            return fault
        return Reply("fine", "stop", Usage(1, request.sampling.max_tokens), request.model)

    made = run(planned(text.replace("BUDGET", enough)), script)
    assert made.answer is not None, made.failed
    assert made.answer.degraded == ()
    assert made.answer.totals.usd == pytest.approx(float(enough[1:]))
    made = run(luck.planned(text.replace("BUDGET", less)), script)
    assert made.answer is not None, made.failed
    assert f"the budget of {less} " in made.answer.degraded[0]  # is spent, or does not hold a call
    told = [one.code for one in compile(Source("t.moa", text.replace("BUDGET", less))).diagnostics]
    assert ("MOA331" in told) == (fault is None)  # what is told holds as long as nothing fails
