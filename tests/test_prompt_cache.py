"""Test prompt cache, to have a long beginning kept by a provider that wants to be told, and its price counted."""

from collections.abc import Iterable

import pytest

from smoadsl.adapters.base import Message, Reply, Request, Usage
from smoadsl.plan.bounds import bounds
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.events import CallStarted
from smoadsl.tools import api
from tests.adapters.attempts import WELL
from tests.adapters.wall import Act, Attempt, answer
from tests.adapters.walled import walled
from tests.scripts import planned, run

SYSTEM = "You are an expert on bees. " * 200
FILE = """
provider lab = anthropic {{ base_url = "{url}/v1", local = true }}
model one = "lab/one" {{ prompt_cache = {wish} }}
model two = "lab/two"
pipeline p {{
  layer drafts repeat 2 {{
    propose one as ["Doubt all."]
    propose two
  }}
  aggregate one {{ stream = false }}
}}
"""


@pytest.mark.parametrize("wish", ["true", "false"])
def test_every_round_sends_the_same_beginning_and_has_it_kept(wish: str) -> None:
    def script(attempt: Attempt) -> Iterable[Act]:
        return [answer(WELL["anthropic"])]

    asked = Conversation((Message("system", SYSTEM), Message("user", "Why?")))
    with walled(script) as wall:
        api.run_sync(planned(FILE.format(url=wall.url, wish=wish)), asked)
        sent = [attempt.json for attempt in wall.attempts]
    assert len(sent) == 5
    marks = [(body["model"], block["text"]) for body in sent for block in body["system"] if "cache_control" in block]
    role = f"{SYSTEM}\n\nDoubt all."
    assert marks == ([("one", role), ("one", role), ("one", SYSTEM)] if wish == "true" else [])
    for body in sent:
        assert "cache_control" not in str(body["messages"])
        assert "".join(block["text"] for block in body["system"]).startswith(SYSTEM)
    blocks = [len(body["system"]) for body in sent if body["model"] == "one"]
    assert blocks == ([1, 2, 2] if wish == "true" else [1, 1, 1])  # in the first round there is nothing to read


def test_what_is_kept_is_in_the_bounds_and_in_the_bill() -> None:
    """A provider that has all of the input written to its cache, which is as dear as it can be."""

    def cost(wish: str) -> tuple[float, float]:
        price = "price = { input = $200, output = $10, cached = $20 }"
        lab = 'provider lab = anthropic { base_url = "http://127.0.0.1:9" }'
        model = f'model m = "lab/x" {{ max_tokens = 10, retries = 0, {price}, prompt_cache = {wish} }}'
        plan = planned(f"{lab}\n{model}\npipeline p {{ aggregate m }}")
        most = bounds(plan)
        assert most.usd is not None

        def dear(call: CallStarted, request: Request) -> Reply:
            size = most.input_tokens.full
            return Reply("51", "stop", Usage(size, 10, written_tokens=size), "x")

        made = run(plan, dear)
        assert made.answer is not None
        return float(most.usd.full), made.answer.totals.usd

    full, paid = cost("true")
    assert paid == pytest.approx(full)
    full, paid = cost("false")
    assert paid > full  # what nobody asked for is in no bound


def test_a_budget_reserves_what_is_kept() -> None:
    price = "price = { input = $1_000, output = $0 }"
    lab = 'provider lab = anthropic { base_url = "http://127.0.0.1:9" }'

    def calls(wish: str) -> int:
        model = f'model m = "lab/x" {{ max_tokens = 10, retries = 0, {price}, prompt_cache = {wish} }}'
        budget = "budget { usd = $0.012 }"
        file = f"{lab}\n{model}\npipeline p {{ {budget}\n aggregate m {{ stream = false }} }}"
        asked = Conversation.of("Why? Why?! Why?? Oh. ")  # 21 bytes: 11 tokens at most, $0.011 and $0.01375
        return len(run(planned(file), lambda call, request: Reply("51", "stop", Usage(9, 1), "x"), asked).asked)

    assert (calls("false"), calls("true")) == (1, 0)
