"""Rehearse, to run the tests that are written in .moa files: no network, no key, no waiting."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from smoadsl.adapters.base import Adapter, Connection, Fault, FaultKind, Message, OnText, Reply, Request, Usage
from smoadsl.language import checked
from smoadsl.plan.bounds import bounds
from smoadsl.plan.lower import lower
from smoadsl.plan.optimize import optimize
from smoadsl.plan.plan import Plan
from smoadsl.runtime import events
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.executor import RunError
from smoadsl.tools import api
from smoadsl.tools.expectations import Failure, unmet
from smoadsl.tools.virtual_clock import run_virtually

_FAULTS: dict[str, tuple[FaultKind, str]] = {
    "timeout": (FaultKind.TIMEOUT, "gave no whole answer in time"),
    "reset": (FaultKind.NO_RESPONSE, "closed the connection without an answer"),
    "cut": (FaultKind.TRUNCATED, "cut the answer off"),
    "stalled": (FaultKind.STALLED, "fell silent in the middle of the answer"),
    "empty": (FaultKind.EMPTY, "answered with no text"),
    "refused": (FaultKind.REFUSED, "refused to answer"),
    "garbage": (FaultKind.BAD_BODY, "answered with something that can not be read"),
}


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a test came out. `events` tell what happened, for whoever wants to know why it failed."""

    test: checked.Test
    failures: tuple[Failure, ...]
    events: tuple[events.Event, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def rehearse(test: checked.Test) -> Rehearsal:
    """Run one test on a virtual clock."""
    plan = optimize(lower(test.pipeline))
    plan = plan.model_copy(update={"bounds": bounds(plan)})
    stage = _Stage(test, plan)
    run_virtually(stage.play())
    failures = [*stage.unexpected, *unmet(test.expects, stage.facts()), *stage.unused()]
    return Rehearsal(test, tuple(failures), tuple(stage.told))


@dataclass
class _Stage:
    """One test being run: it is told every event, and answers every call as the test's replies say."""

    test: checked.Test
    plan: Plan
    told: list[events.Event] = field(default_factory=list)
    unexpected: list[Failure] = field(default_factory=list)
    _calls: dict[str, events.CallStarted] = field(default_factory=dict)
    _taken: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _used: set[int] = field(default_factory=set)
    _answer: str | None = None
    _value: str | None = None
    _failed: str = ""

    async def play(self) -> None:
        turns: tuple[Message, ...] = ()
        for prompt in self.test.prompts:
            turns = (*turns, Message("user", prompt))
            conversation = Conversation(turns, self.test.input)
            self._calls.clear()
            try:
                answer = await api.run(
                    self.plan, conversation, on_event=self._hear, environ=_AnyKey(), opener=self._open
                )
            except RunError as error:
                self._answer, self._value, self._failed = None, None, str(error)
                return
            self._answer, self._value = answer.text, answer.value
            turns = (*turns, Message("assistant", answer.text))

    # ---- the adapter

    def _open(self, kind: str, connection: Connection) -> Adapter:
        return self

    async def aclose(self) -> None:
        return None

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        call = self._calls[request.tag]
        reply = self._next(call)
        if reply is not None and reply.after_s:
            await asyncio.sleep(reply.after_s)
        text = self._text(call, request, reply)
        if on_text is not None:
            on_text(text)
        cut = isinstance(reply, checked.Reply) and reply.outcome == checked.Fault("length")
        size = sum(len(message.content.encode()) for message in request.messages)
        usage = Usage(max(1, size // 4), max(1, len(text.encode()) // 4))
        return Reply(text, "length" if cut else "stop", usage, request.model)

    def _hear(self, event: events.Event) -> None:
        self.told.append(event)
        if isinstance(event, events.CallStarted):
            self._calls[str(event.call)] = event

    def _next(self, call: events.CallStarted) -> checked.Reply | None:
        """The reply whose turn it is: of the agent, else of the model, else of `*`; the last of several repeats."""
        for kind, name in _recipients(call):
            fitting = [
                r
                for r in self.test.replies
                if r.kind == kind and r.name == name and r.layer in ("", call.layer.rpartition("/")[2])
            ]
            if fitting:
                turn = self._taken[kind, name, call.layer]
                self._taken[kind, name, call.layer] += 1
                reply = fitting[min(turn, len(fitting) - 1)]
                self._used.add(id(reply))
                return reply
        return None

    def _text(self, call: events.CallStarted, request: Request, reply: checked.Reply | None) -> str:
        outcome = reply.outcome if reply else _unnamed(call, request)
        match outcome:
            case None:
                self.unexpected.append(Failure(f"a reply for {call.agent}", "the test has none", self.test.span.origin))
                raise Fault(FaultKind.LOCAL, f"the test has no reply for {call.agent}")
            case checked.Fault(kind="length"):
                return "cut"
            case checked.Fault(kind=int() as status):
                raise Fault(FaultKind.STATUS, f"{call.model} answered with status {status}", status=status)
            case checked.Fault(kind=str() as word):
                kind, message = _FAULTS[word]
                raise Fault(kind, f"{call.model} {message}")
            case bool():
                return _verdict(stop=outcome, reason="as the test says")
            case str():
                return outcome
            case tuple():
                return self._ranking(call, request, outcome)
            case _:
                assert not isinstance(outcome, checked.Fault)
                scores = {label: outcome.get(agent, 1.0) for label, agent in call.labels.items()}
                return _verdict(scores=scores, **_word(request, self._moderator(call)))

    def _ranking(self, call: events.CallStarted, request: Request, agents: Sequence[str]) -> str:
        """The verdict that puts these agents first, in the form that the judge was asked for."""
        if _asks(request, "scores"):
            places = {agent: place for place, agent in enumerate(agents)}
            scores = {label: max(1, 5 - places.get(agent, 4)) for label, agent in call.labels.items()}
            return _verdict(scores=scores, **_word(request, self._moderator(call)))
        label_of = {agent: label for label, agent in call.labels.items()}
        best = [label_of[agent] for agent in agents if agent in label_of]  # of a pair, those that are in it
        return _verdict(best=best, **_word(request, self._moderator(call)))

    def _moderator(self, call: events.CallStarted) -> bool:
        """The moderator's word, where the judge's call asks for it too."""
        reply = self._next(call.model_copy(update={"purpose": "moderator"}))
        return reply is not None and reply.outcome is True

    # ---- what came of it

    def unused(self) -> list[Failure]:
        return [
            Failure(reply.span.text.splitlines()[0], "this reply was never used", reply.span.origin)
            for reply in self.test.replies
            if id(reply) not in self._used and not self.unexpected
        ]

    def facts(self) -> dict[str, Any]:
        totals = [e.totals for e in self.told if isinstance(e, events.RunFinished | events.RunFailed)]
        judged = [e for e in self.told if isinstance(e, events.Judged)]
        limits = self.plan.bounds
        return {
            "answer": self._answer,
            "value": self._value,
            "failed": bool(self._failed),
            "degraded": any(isinstance(e, events.Degraded) for e in self.told),
            "calls": sum(t.calls for t in totals),
            "attempts": sum(t.attempts for t in totals),
            "tokens": sum(t.input_tokens + t.output_tokens for t in totals),
            "time": sum(t.seconds for t in totals),
            "usd": sum(t.usd for t in totals),
            "rounds": sum(isinstance(e, events.RoundStarted) for e in self.told),
            "kept": list(judged[-1].kept) if judged else [],
            "stopped": any(e.held for e in self.told if isinstance(e, events.StopChecked)),
            "plan.max_calls": limits.calls.worst if limits else None,
            "plan.max_usd": 0.0,
        }


class _AnyKey(Mapping[str, str]):
    """An environment in which every key is set: a rehearsal sends none anywhere."""

    def __getitem__(self, name: str) -> str:
        return "rehearsed"

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def _recipients(call: events.CallStarted) -> list[tuple[str, str]]:
    """Who a reply may be addressed to so that this call takes it, the nearest first."""
    if call.purpose in ("judge", "moderator", "router"):
        return [(call.purpose, "")]
    agent = [("agent", call.agent), ("agent", call.agent.partition(".")[0])] if call.purpose == "propose" else []
    return [*agent, *([("aggregate", "")] if call.purpose == "aggregate" else []), ("agent", call.model), ("any", "")]


def _unnamed(call: events.CallStarted, request: Request) -> tuple[str, ...] | bool | None:
    """What judges and moderators say that a test does not name: the first K, and no."""
    if call.purpose == "moderator":
        return False
    if call.purpose in ("judge", "router"):
        return tuple(sorted(call.labels.values(), key=list(call.labels.values()).index))
    return None


def _asks(request: Request, field_: str) -> bool:
    return field_ in (request.schema or {}).get("properties", {})


def _word(request: Request, stop: bool) -> dict[str, Any]:
    return {"stop": stop} if _asks(request, "stop") else {}


def _verdict(**fields: Any) -> str:
    return orjson.dumps({"reason": "as the test says"} | fields).decode()
