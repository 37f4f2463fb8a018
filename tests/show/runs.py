"""Runs, to make the traces that are shown: small pipelines, really executed, with scripted replies."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from smoadsl.adapters.base import Fault, FaultKind, Reply, Request, Usage
from smoadsl.adapters.scripted import Answer, Broken, Scripted
from smoadsl.diagnostics.source import Source
from smoadsl.plan.plan import Plan
from smoadsl.runtime.events import Event
from smoadsl.runtime.executor import RunError
from smoadsl.tools import api
from tests.canary import CANARY

MODELS = "\n".join(f'model {name} = "together/{name}-1" {{ retries = 1 }}' for name in ("ann", "bob", "cid", "dan"))
T = TypeVar("T")

MOA = """
pipeline moa {
  layer drafts repeat 2 { propose ann, bob, cid }
  aggregate ann
}"""
SMOA = """
pipeline smoa {
  layer debate repeat 2 {
    propose ann, bob, mallory = cid, dan
    judge dan keep 2
    stop when agreement >= 0.9 or moderator(dan)
  }
  aggregate ann
}"""
WHOLE = "it is 51"
DOWN = Fault(FaultKind.STATUS, "together answered 401: the key is wrong", status=401)
BUSY = Fault(FaultKind.STATUS, "together answered 429: too many requests", status=429, retry_after_s=0.01)

# Each of these would do harm if it reached a terminal: clear it, name its window, hide or reverse what is read.
HOSTILE = "\x1b[95m\x1b[2J\x1b]0;mine\x07\x9b3J[/nope][link=https://x.example]y[/link]\u202eltr\u2066\rover\x08\x85end"
RAW = frozenset(HOSTILE) - frozenset(map(chr, range(32, 127)))


@dataclass(slots=True)
class Replies:
    """What is answered: by each model as a proposer, by the judges and moderators in turn (the last word repeats), by
    the aggregate. In a judge's words, @ann stands for the id under which it saw ann's response."""

    agents: Mapping[str, Answer | Sequence[Answer]] = field(default_factory=dict)
    judge: Sequence[str] = ()
    moderator: Sequence[str] = ('{"reason": "they differ", "stop": false}',)
    aggregate: Answer = WHOLE
    asked: dict[str, int] = field(default_factory=dict)

    def __call__(self, request: Request) -> Answer:
        prompt = request.messages[0].content
        if request.schema is not None:
            fields = request.schema["properties"]
            words, key = (self.judge, "judge") if {"best", "scores"} & set(fields) else (self.moderator, "moderator")
            return self._counted(request, self._with_ids(self._next(key, words), prompt))
        if "Write the one final response" in request.messages[0].content:
            return self._counted(request, self.aggregate)
        name = request.model.removesuffix("-1")
        answers = self.agents.get(name, f"{name} says 5{len(name)}")
        return self._counted(request, self._next(name, [answers] if isinstance(answers, Answer) else answers))

    def _next(self, key: str, words: Sequence[T]) -> T:
        self.asked[key] = self.asked.get(key, 0) + 1
        return words[min(self.asked[key], len(words)) - 1]

    def _with_ids(self, words: str, prompt: str) -> str:
        for label, text in re.findall(r"<<< ([A-Z]\d*) \[\w+\]\n(.*?)\n>>> end of", prompt, re.DOTALL):
            words = words.replace(f"@{text.split()[0]}", label)
        return words

    def _counted(self, request: Request, answer: Answer) -> Answer:
        return Reply(answer, "stop", Usage(100, 20), request.model) if isinstance(answer, str) else answer


def best(*names: str, stop: bool | None = None, reason: str = "they are right") -> str:
    verdict = {"reason": reason, "best": [f"@{name}" for name in names]}
    return orjson.dumps(verdict if stop is None else {**verdict, "stop": stop}).decode()


def planned(pipeline: str) -> Plan:
    outcome = api.compile(Source("t.moa", f"{MODELS}\n{pipeline}"))
    assert outcome.value is not None, outcome.diagnostics
    return outcome.value


def with_hostile_names(plan: Plan) -> Plan:
    """The plan with names that no file can hold, as a trace or a program may bring them."""
    name = orjson.dumps("m" + HOSTILE).decode()
    return Plan.model_validate_json(plan.model_dump_json().replace('"mallory"', name).replace('"debate"', name))


def trace_of(plan: Plan, replies: Replies, prompt: str = "What is 17 * 3?") -> list[Event]:
    """All the events of a run, whatever became of it, whose answer somebody reads while it comes."""
    events: list[Event] = []
    adapter = Scripted(replies)
    environ = {"TOGETHER_API_KEY": CANARY}
    run = api.run(plan, prompt, on_event=events.append, environ=environ, opener=lambda *_: adapter, streams=True)
    with suppress(RunError):
        asyncio.run(run)
    return events


CASES: dict[str, tuple[str, Replies]] = {
    "moa": (MOA, Replies()),
    "early stop": (SMOA, Replies(judge=[best("bob", "cid", stop=True)])),
    "two rounds": (SMOA, Replies(judge=[best("bob", "cid", stop=False)])),
    "all equal": (SMOA, Replies(dict.fromkeys(("ann", "bob", "cid", "dan"), "51"))),
    "unreadable judge": (SMOA, Replies(judge=["I like B."], moderator=["maybe"])),
    "repaired judge": (SMOA, Replies(judge=["I like B.", best("ann", "dan", stop=True)])),
    "failing proposer": (SMOA, Replies({"cid": DOWN})),
    "lost event": (MOA, Replies({"bob": Reply("bob says 5", "stop", Usage(100, 20), "bob-1", lost_events=1)})),
    "retried proposer": (SMOA, Replies({"cid": [BUSY, "cid says 51"]}, [best("ann", "cid", stop=True)])),
    "second round fails": (SMOA, Replies({"cid": ["cid says 51", DOWN]}, [best("ann", "cid", stop=False)])),
    "aggregate down": (SMOA, Replies(judge=[best("bob", "ann", stop=True)], aggregate=DOWN)),
    "aggregate broken": (SMOA, Replies(judge=[best("bob", "ann", stop=True)], aggregate=Broken("it is", BUSY))),
}


def case(name: str) -> list[Event]:
    pipeline, replies = CASES[name]
    return trace_of(planned(pipeline), replies_anew(replies))


def replies_anew(replies: Replies) -> Replies:
    return Replies(replies.agents, replies.judge, replies.moderator, replies.aggregate)
