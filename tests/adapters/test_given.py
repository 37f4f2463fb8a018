"""Test given, to see answers that exist already taken from the row, at no cost, within the promises of the plan."""

from pathlib import Path
from typing import Any

import pytest

from smoadsl.adapters import open_adapter
from smoadsl.adapters.base import Connection, Fault, FaultKind, Message, Request, Sampling, Usage
from smoadsl.adapters.cassette import recording, replaying
from smoadsl.adapters.given import Given
from smoadsl.calls.cache import Cache
from smoadsl.calls.session import Opener
from smoadsl.plan.plan import Plan, routes_of
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.events import CallStarted, CallSucceeded, Event, RunStarted
from smoadsl.runtime.executor import Answer, RunError
from smoadsl.tools import api
from smoadsl.tools.virtual_clock import run_virtually
from tests.scripts import planned

TWO = """
model old  = "input/gpt4_output" { max_tokens = 100 }
model able = "simulated/able" { price = { input = $1.00, output = $1.00 } }
pipeline p {
  layer one { propose old, able }
  aggregate able
}
"""
ONE = 'model old = "input/gpt4_output"\npipeline p { aggregate old }'


def asked(given: dict[str, Any], max_tokens: int = 100) -> Request:
    return Request("old", (Message("user", "Why?"),), Sampling(max_tokens), given=given)


def run(plan: Plan, **row: Any) -> tuple[Answer, list[Event]]:
    told: list[Event] = []
    conversation = Conversation((Message("user", "Why?"),), row)
    return run_virtually(api.run(plan, conversation, on_event=told.append, environ={})), told


def test_the_field_is_the_answer_and_takes_no_tokens() -> None:
    pieces: list[str] = []
    reply = run_virtually(Given(Connection("input")).complete(asked({"old": "Because."}), pieces.append))
    assert (reply.text, reply.finish, reply.usage) == ("Because.", "stop", Usage(0, 0))
    assert pieces == ["Because."]


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({}, FaultKind.LOCAL, "the row has no field `old`, which input/old answers with"),
        ({"old": 7}, FaultKind.LOCAL, "the row's field `old` holds no text"),
        ({"old": " \n"}, FaultKind.EMPTY, "the row's field `old` is empty"),
    ],
)
def test_what_is_no_answer_is_a_fault_that_says_so(given: dict[str, Any], kind: FaultKind, said: str) -> None:
    with pytest.raises(Fault, match=said) as caught:
        run_virtually(Given(Connection("input")).complete(asked(given)))
    assert caught.value.kind is kind


def test_what_is_too_long_is_cut_between_characters() -> None:
    reply = run_virtually(Given(Connection("input")).complete(asked({"old": "é" * 300}, max_tokens=75)))
    assert (reply.text, reply.finish) == ("é" * 150, "length")
    odd = run_virtually(Given(Connection("input")).complete(asked({"old": "a" + "é" * 300}, max_tokens=1)))
    assert odd.text == "aé"


def test_it_is_a_proposer_like_any_other() -> None:
    plan = planned(TWO)
    answer, told = run(plan, gpt4_output="From before.\nAnswer: 12", answer="12")
    calls = [event for event in told if isinstance(event, CallSucceeded) and event.model == "gpt4_output"]
    assert [(c.text, c.input_tokens, c.output_tokens) for c in calls] == [("From before.\nAnswer: 12", 0, 0)]
    aggregate = next(e for e in told if isinstance(e, CallStarted) and e.purpose == "aggregate")
    assert "From before.\nAnswer: 12" in aggregate.messages[0].content
    assert answer.totals.calls == 3
    assert plan.bounds is not None
    assert answer.totals.input_tokens + answer.totals.output_tokens <= plan.bounds.input_tokens.full


def test_the_bounds_count_its_call_and_nothing_else() -> None:
    bounds = planned(ONE).bounds
    assert bounds is not None
    assert (bounds.calls.full, bounds.input_tokens.worst, bounds.output_tokens.worst) == (1, 0, 0)
    assert bounds.usd is not None
    assert bounds.usd.worst == 0


def test_a_budget_has_room_for_it_without_any_tokens() -> None:
    text = ONE.replace("aggregate old", "budget { tokens = 1, usd = $0.01 }\n aggregate old")
    answer, _ = run(planned(text), gpt4_output="Because.")
    assert (answer.text, answer.degraded) == ("Because.", ())


def test_a_row_without_it_is_an_agent_that_fails_and_nothing_more() -> None:
    answer, _ = run(planned(TWO.replace("old, able", "old, able\n    quorum 1")), answer="12")
    assert answer.text
    assert not answer.totals.unpriced
    with pytest.raises(RunError, match="the row has no field `gpt4_output`"):
        run(planned(ONE))


def test_no_other_model_is_given_the_row() -> None:
    text = (
        'model real = "groq/x"\nmodel able = "simulated/able"\npipeline p { layer l { propose real }\n aggregate able }'
    )
    reads = {route.name: route.reads for route in routes_of(planned(text))}
    assert reads == {"groq/x": (), "simulated/able": ("answer", "wrong")}


def test_a_run_without_a_row_says_what_it_lacks() -> None:
    told: list[Event] = []
    with pytest.raises(RunError, match="the row has no field"):
        run_virtually(api.run(planned(ONE), "Why?", on_event=told.append, environ={}))
    assert isinstance(told[0], RunStarted)


def test_caches_and_recordings_tell_rows_apart(tmp_path: Path) -> None:
    warnings: list[str] = []
    cache = Cache(tmp_path / "c.sqlite3", warnings.append)
    plan = planned('model able = "simulated/able" { skill = 1, copies = 0 }\npipeline p { aggregate able }')

    def answered(answer: str, opener: Opener) -> str:
        conversation = Conversation((Message("user", "Why?"),), {"answer": answer})
        return run_virtually(api.run(plan, conversation, environ={}, cache=cache, opener=opener)).text[-4:]

    tapes = recording(tmp_path / "tapes", open_adapter)
    assert [answered("oak", tapes), answered("ash", tapes)] == [" oak", " ash"]
    assert len(list((tmp_path / "tapes").iterdir())) == 2
    nobody = replaying(tmp_path / "none")
    assert [answered("oak", nobody), answered("ash", nobody)] == [" oak", " ash"]  # from the cache
    assert warnings == []
    cache.close()
