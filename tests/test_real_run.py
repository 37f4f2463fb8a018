"""Test real run, to see a whole pipeline through a real server: what it was sent is what plan and trace say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smoadsl.diagnostics.source import Source
from smoadsl.language.check import Given
from smoadsl.plan.plan import Plan
from smoadsl.runtime import events
from smoadsl.tools import api
from tests.adapters.llama_server import LlamaServer, llama_server

pytest.importorskip("xllamacpp", reason="the real server ships in xllamacpp: pip install 'smoadsl[local]'")

SMOA = (Path(__file__).parents[1] / "pipelines" / "smoa.moa").read_text(encoding="utf-8")
SHORT = {"temperature = 0.7 }": "temperature = 0.7, max_tokens = 10 }", "keep 2": "keep 2 { max_tokens = 140 }"}
STOP = "stop    when moderator(qwen2)"


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    with llama_server() as running:
        yield running


def smoa(server: LlamaServer, stop: str, stream: bool) -> Plan:
    """`pipelines/smoa.moa` with short answers, on the real server alone."""
    text = f'provider llama = openai {{ base_url = "{server.base_url}", api_key = env("LLAMA_KEY") }}\n{SMOA}'
    for written, short in SHORT.items():
        assert written in text
        text = text.replace(written, short)
    assert STOP in text
    text = text.replace(STOP, stop)
    text = re.sub(r"aggregate qwen2\n", f"aggregate qwen2 {{ stream = {str(stream).lower()} }}\n", text)
    models = {"*": f"llama/{server.model}"}
    outcome = api.compile(Source("smoa.moa", text), None, Given(models=models))
    assert outcome.value is not None, outcome.diagnostics
    return outcome.value


def run(server: LlamaServer, plan: Plan) -> list[events.Event]:
    told: list[events.Event] = []
    server.calls.clear()
    api.run_sync(
        plan, "Which is larger, 2 or 3?", on_event=told.append, streams=True, environ={"LLAMA_KEY": server.key}
    )
    return told


@dataclass(frozen=True, slots=True)
class Ran:
    """One run: its plan, what it told, and what the server saw of it."""

    plan: Plan
    told: list[events.Event]
    bodies: list[Any]

    @property
    def calls(self) -> list[events.CallStarted]:
        return [event for event in self.told if isinstance(event, events.CallStarted)]

    @property
    def first_asked(self) -> list[events.CallStarted]:
        """The calls without those that ask for a verdict once more."""
        return [call for call in self.calls if not call.repair]


RUNS = {  # name: (stop rule, whether the aggregate is streamed)
    "in full, streamed": ("stop when round >= 3", True),
    "stopped after the first round": ("stop when round < 3", False),
    "as written": (STOP, False),
}


@pytest.fixture(scope="module")
def ran(server: LlamaServer) -> dict[str, Ran]:
    runs = {}
    for name, (stop, stream) in RUNS.items():
        plan = smoa(server, stop, stream)
        told = run(server, plan)
        runs[name] = Ran(plan, told, [call.body for call in server.calls])
    return runs


@pytest.mark.parametrize("name", RUNS)
def test_the_server_saw_exactly_the_calls_that_the_trace_names(ran: dict[str, Ran], name: str) -> None:
    one, stream = ran[name], RUNS[name][1]
    seen = sorted([(m["role"], m["content"]) for m in body["messages"]] for body in one.bodies)
    assert seen == sorted([(m.role, m.content) for m in call.messages] for call in one.calls)
    assert [bool(body.get("stream")) for body in one.bodies] == [False] * (len(one.calls) - 1) + [stream]
    assert one.plan.bounds is not None
    assert one.plan.bounds.calls.least <= len(one.calls) <= one.plan.bounds.calls.worst


def test_in_full_it_takes_what_the_plan_says(ran: dict[str, Ran]) -> None:
    one = ran["in full, streamed"]
    assert one.plan.bounds is not None
    assert len(one.first_asked) == 11 == one.plan.bounds.calls.full
    answer = next(event.text for event in one.told if isinstance(event, events.RunFinished))
    assert "".join(event.text for event in one.told if isinstance(event, events.AnswerPiece)) == answer


def test_the_second_round_reads_what_was_kept_and_nothing_else(ran: dict[str, Ran]) -> None:
    one = ran["in full, streamed"]
    text_of = {e.call: e.text for e in one.told if isinstance(e, events.CallSucceeded)}
    first = {c.agent: text_of[c.call] for c in one.calls if c.purpose == "propose" and c.round == 1}
    kept = next(e.kept for e in one.told if isinstance(e, events.Judged) and e.round == 1)
    second = [call for call in one.calls if call.purpose == "propose" and call.round == 2]
    assert (len(kept), len(second)) == (2, 4)
    for call in second:
        quoted = re.findall(r"<<< (\S+) \[(\w+)\]\n(.*?)\n>>> end of \1 \[\2\]", call.messages[0].content, re.DOTALL)
        assert [(name, text) for name, _, text in quoted] == [(name, first[name]) for name in kept]


def test_an_early_stop_leaves_out_exactly_the_rest(ran: dict[str, Ran]) -> None:
    one = ran["stopped after the first round"]
    assert [call.purpose for call in one.first_asked] == ["propose"] * 4 + ["judge", "aggregate"]
    assert {call.round for call in one.calls} == {1}


def test_the_moderator_is_asked_in_the_judges_call(ran: dict[str, Ran]) -> None:
    one = ran["as written"]
    judge = next(call for call in one.calls if call.purpose == "judge")
    assert '"stop" (true or false)' in judge.messages[0].content
    unreadable = any(isinstance(event, events.Degraded) for event in one.told)
    assert unreadable or "moderator" not in {call.purpose for call in one.calls}
