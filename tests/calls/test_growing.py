"""Test growing, to ask only the route whose answer was cut for more, and to have paid for no more than was proven."""

import asyncio
from collections.abc import Mapping

import pytest

from smoadsl.adapters.base import Fault, FaultKind, Reply, Request, Usage
from smoadsl.adapters.scripted import Answer
from tests.scripts import planned, run

DOWN = Fault(FaultKind.STATUS, "down", status=503)
CUT, WHOLE, NEVER = "cut", "whole", "never"

# What each model is, what it does each time, the max_tokens that each is asked for, and whose answer is taken.
GROWN: Mapping[str, tuple[Mapping[str, str], Mapping[str, list[object]], list[tuple[str, int]], str]] = {
    "a fallback that may answer less keeps its own": (
        {"a": "max_tokens = 400, length = grow, fallback = b", "b": "max_tokens = 10"},
        {"a": [CUT, DOWN], "b": [WHOLE]},
        [("a", 400), ("a", 800), ("b", 10)],
        "b at 10",
    ),
    "a fallback that may answer more keeps its own": (
        {"a": "max_tokens = 10, length = grow, fallback = b", "b": "max_tokens = 400"},
        {"a": [CUT, DOWN], "b": [WHOLE]},
        [("a", 10), ("a", 20), ("b", 400)],
        "b at 400",
    ),
    "a fallback that is cut grows to twice its own": (
        {"a": "max_tokens = 400, length = grow, fallback = b", "b": "max_tokens = 10, length = grow"},
        {"a": [DOWN], "b": [CUT, WHOLE]},
        [("a", 400), ("b", 10), ("b", 20)],
        "b at 20",
    ),
    "one answer grows for a call": (
        {"a": "max_tokens = 400, length = grow, fallback = b", "b": "max_tokens = 10, length = grow"},
        {"a": [CUT, DOWN], "b": [CUT]},
        [("a", 400), ("a", 800), ("b", 10)],
        "b at 10",
    ),
    "a copy that is cut grows where it was asked": (
        {"a": "max_tokens = 400, hedge = 1s, fallback = b", "b": "max_tokens = 10, length = grow"},
        {"a": [NEVER], "b": [CUT, WHOLE]},
        [("a", 400), ("b", 10), ("b", 20)],
        "b at 20",
    ),
    "a copy of what has grown is asked for its own": (
        {"a": "max_tokens = 400, length = grow, hedge = 1s, fallback = b", "b": "max_tokens = 10"},
        {"a": [CUT, NEVER], "b": [WHOLE]},
        [("a", 400), ("a", 800), ("b", 10)],
        "b at 10",
    ),
}


def models(settings: Mapping[str, str]) -> str:
    """Models of which the later ones cost more."""
    price = "price = {{ input = $0, output = ${} }}"
    each = [
        f'model {name} = "groq/{name}" {{ {said}, retries = 0, {price.format(1_000**place)} }}'
        for place, (name, said) in enumerate(settings.items())
    ]
    return "\n".join([*each, "pipeline p { aggregate a { stream = false } }"])


@pytest.mark.parametrize("name", GROWN)
def test_only_the_route_whose_answer_was_cut_is_asked_for_more(name: str) -> None:
    settings, does, asked, taken = GROWN[name]
    plan = planned(models(settings))
    left = {model: iter(ends) for model, ends in does.items()}

    async def script(call: object, request: Request) -> Answer:
        most = request.sampling.max_tokens
        end = next(left[request.model])
        if isinstance(end, Fault):
            return end
        if end == NEVER:
            await asyncio.sleep(100.0)
        return Reply(f"{request.model} at {most}", "length" if end == CUT else "stop", Usage(1, most), request.model)

    made = run(plan, script)
    assert made.answer is not None, made.failed
    assert [(one.request.model, one.request.sampling.max_tokens) for one in made.asked] == asked
    assert made.answer.text == taken
    assert plan.bounds is not None
    assert plan.bounds.usd is not None
    assert made.answer.totals.usd <= float(plan.bounds.usd.worst)
    assert made.answer.totals.output_tokens <= plan.bounds.output_tokens.worst


def test_the_worst_counts_every_copy_that_a_fallback_may_be_asked_for() -> None:
    """A model that is tried three times may ask its fallback for three copies, which is itself tried once."""
    plan = planned("""
model a = "groq/a" { max_tokens = 1, retries = 2, hedge = 1s, fallback = b, price = { input = $0, output = $1 } }
model b = "groq/b" { max_tokens = 1_000, retries = 0, price = { input = $0, output = $1_000 } }
pipeline p { aggregate a { stream = false } }
""")
    assert plan.bounds is not None
    assert plan.bounds.output_tokens.worst == 2 * 3 * 1 + (3 + 1) * 1_000

    async def script(call: object, request: Request) -> Answer:
        await asyncio.sleep(2.0 if request.model == "a" else 0.5)
        return DOWN if request.model == "a" else Fault(FaultKind.TRUNCATED, "cut off", billed=True)

    made = run(plan, script)
    asked = [one.request.model for one in made.asked]
    assert asked.count("b") > 2
    charged = plan.bounds.output_tokens.worst
    assert asked.count("b") * 1_000 + asked.count("a") <= charged
