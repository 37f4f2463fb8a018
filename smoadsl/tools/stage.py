"""Stage, to answer each call of a rehearsed run as the test's replies say."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from smoadsl.adapters.base import Adapter, Connection, Fault, FaultKind, OnText, Reply, Request, Usage
from smoadsl.adapters.scripted import several
from smoadsl.language import checked
from smoadsl.language.compose import models_of
from smoadsl.plan.plan import Layer, ModelJudge, Pipeline, Plan
from smoadsl.runtime import events
from smoadsl.tools.expectations import Failure

_FAULTS: dict[str, tuple[FaultKind, str]] = {
    "reset": (FaultKind.NO_RESPONSE, "closed the connection without an answer"),
    "cut": (FaultKind.TRUNCATED, "cut the answer off"),
    "stalled": (FaultKind.STALLED, "fell silent in the middle of the answer"),
    "empty": (FaultKind.EMPTY, "answered with no text"),
    "refused": (FaultKind.REFUSED, "refused to answer"),
    "garbage": (FaultKind.BAD_BODY, "answered with something that can not be read"),
}
_FOREVER_S = 1e9
_HALF = "Half of an answer"  # what was streamed before a cut


class Stage:
    """One run of a test: it hears every event, and is the adapter of every provider."""

    def __init__(self, test: checked.Test, plan: Plan) -> None:
        self.told: list[events.Event] = []
        self.unexpected: list[Failure] = []
        self._test = test
        self._layers = _layers(plan.pipeline, "")
        self._models = {model.name: model for model in models_of(test.pipeline, {})}
        self._calls: dict[str, events.CallStarted] = {}
        self._fallen: Counter[str] = Counter()  # how many fallbacks down the line each call is
        self._teams: dict[str, tuple[str, ...]] = {}
        self._stands_in: dict[str, str] = {}  # the layer in which each agent works now
        self._used: set[int] = set()

    def begin(self) -> None:
        """Another turn begins: its calls are counted anew, the replies are not."""
        self._calls.clear()
        self._fallen.clear()

    def unused(self) -> list[Failure]:
        """The replies that nobody took."""
        return [
            Failure(reply.span.text.splitlines()[0], "this reply was never used", reply.span)
            for reply in self._test.replies
            if id(reply) not in self._used
        ]

    def hear(self, event: events.Event) -> None:
        self.told.append(event)
        match event:
            case events.CallStarted():
                self._calls[str(event.call)] = event
            case events.CallAttempted() if event.next_route:
                self._fallen[str(event.call)] += 1
            case events.RoundStarted():
                self._teams[event.layer] = event.agents
                inside, _, layer = event.layer.rpartition("/")
                self._stands_in |= {f"{inside}/{agent}".lstrip("/"): layer for agent in event.agents}
            case _:
                pass

    # ---- the adapter

    def open(self, kind: str, connection: Connection) -> Adapter:
        return self

    async def aclose(self) -> None:
        return None

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        call = self._calls[request.tag]
        if not call.samples:
            return await self._reply(call, request, on_text)
        inside = call.agent[: call.agent.rfind("/") + 1]
        asked = [call.model_copy(update={"agent": inside + name}) for name in call.samples[: request.n]]
        reply = several(await asyncio.gather(*(self._reply(one, request, None) for one in asked)))
        if on_text is not None:
            on_text(reply.text)
        return reply

    async def _reply(self, call: events.CallStarted, request: Request, on_text: OnText | None) -> Reply:
        reply = self._next(call, self._recipients(call))
        outcome = reply.outcome if reply else self._unnamed(call, request)
        word = self._rides_along(call, request, outcome)
        await asyncio.sleep(max(one.after_s if one else 0.0 for one in (reply, word)))
        stop = word.outcome if word else False
        if isinstance(stop, checked.Fault):
            outcome = stop
        text = await self._fault(call, outcome, on_text) or self._text(call, request, outcome, stop)
        if on_text is not None:
            on_text(text)
        size = sum(len(message.content.encode("utf-8", "surrogatepass")) for message in request.messages)
        usage = Usage(max(1, size // 4), max(1, len(text.encode("utf-8", "surrogatepass")) // 4))
        return Reply(text, "length" if outcome == checked.Fault("length") else "stop", usage, request.model)

    def _recipients(self, call: events.CallStarted) -> list[tuple[str, str]]:
        """Who a reply may be addressed to so that this call takes it, the nearest first."""
        if call.purpose in ("judge", "moderator", "router"):
            return [(call.purpose, "")]
        inside, _, name = call.agent.rpartition("/")
        fallback = self._fallback(call)
        found = [("agent", fallback)] if fallback else []
        if call.purpose == "aggregate":  # that of a pipeline which is an agent gives the agent's answer
            agent = inside.rpartition("/")[2]
            found += [*_agent(agent), ("aggregate", "")] if agent else [("aggregate", "")]
        else:
            found += _agent(name)
        return [*found, ("agent", call.model), ("any", "")]

    def _fallback(self, call: events.CallStarted) -> str:
        """The fallback that is asked in the place of the call's own model, if one is."""
        fallen = self._fallen[str(call.call)]
        return self._models[call.model].fallbacks[fallen - 1].name if fallen else ""

    def _next(self, call: events.CallStarted, recipients: Sequence[tuple[str, str]]) -> checked.Reply | None:
        """The reply whose turn it is: of the first recipient that has any, those for the layer before those for all;
        the last of several repeats."""
        layer = call.layer.rpartition("/")[2]
        if call.purpose == "aggregate":  # in no layer, but that of a pipeline which is an agent is where the agent is
            layer = self._stands_in.get(call.agent.rpartition("/")[0], "")
        for kind, name in recipients:
            fitting = [r for r in self._test.replies if r.kind == kind and r.name == name]
            for place in (layer, ""):
                here = [r for r in fitting if r.layer == place]
                if here:
                    reply = next((r for r in here if id(r) not in self._used), here[-1])
                    self._used.add(id(reply))
                    return reply
        return None

    async def _fault(self, call: events.CallStarted, outcome: object, on_text: OnText | None) -> str:
        """Fail as the outcome says, if it is a fault; the text of one that is none after all."""
        match outcome:
            case checked.Fault(kind="length"):
                return "cut"
            case checked.Fault(kind="timeout"):
                await asyncio.sleep(_FOREVER_S)  # the call's own timeout ends it
            case checked.Fault(kind=int() as status):
                raise Fault(FaultKind.STATUS, f"{call.model} answered with status {status}", status=status)
            case checked.Fault(kind=str() as word):
                kind, message = _FAULTS[word]
                if on_text is not None and kind in (FaultKind.TRUNCATED, FaultKind.STALLED):
                    on_text(_HALF)
                raise Fault(kind, f"{call.model} {message}", billed=True)
        return ""

    def _text(self, call: events.CallStarted, request: Request, outcome: object, stop: object) -> str:
        """The text of an outcome that is no fault. `stop` is the moderator's word, where it rides in a judge's call."""
        also = {"stop": stop} if _asks(request, "stop") else {}
        match outcome:
            case None:
                who = "aggregate" if call.purpose == "aggregate" else call.agent.rpartition("/")[2]
                missing = f'the test has none: add `reply {who} "…"`, or `reply * "…"` for all who have none'
                self.unexpected.append(Failure(f"a reply for {call.agent}", missing, self._test.span))
                raise Fault(FaultKind.LOCAL, f"the test has no reply for {call.agent}")
            case str():
                return outcome
            case bool():
                return _verdict(stop=outcome)
            case tuple():
                return _verdict(**self._ranking(call, request, outcome), **also)
            case Mapping():
                scores = {label: outcome.get(agent, 1.0) for label, agent in call.labels.items()}
                return _verdict(scores=scores, **also)
            case _:
                raise AssertionError(outcome)

    # ---- verdicts

    def _unnamed(
        self, call: events.CallStarted, request: Request
    ) -> tuple[str, ...] | Mapping[str, float] | bool | None:
        """What judges and moderators say that a test does not name: the first K (or equal scores), and no."""
        if call.purpose == "moderator":
            return False
        if call.purpose == "router":
            return tuple(call.labels.values())
        if call.purpose == "judge":
            return dict.fromkeys(call.labels.values(), 5.0) if _asks(request, "scores") else self._declared(call)
        return None

    def _declared(self, call: events.CallStarted) -> tuple[str, ...]:
        """The agents behind the neutral ids of a call, in declared order."""
        team = self._teams.get(call.layer, ())
        return tuple(name for name in team if name in call.labels.values())

    def _ranking(self, call: events.CallStarted, request: Request, agents: tuple[str, ...]) -> dict[str, object]:
        """What a verdict says that puts these agents first, in the form that the judge was asked for."""
        if _asks(request, "scores"):
            places = {agent: place for place, agent in enumerate(agents)}
            scores = {label: max(1, 5 - places.get(agent, 4)) for label, agent in call.labels.items()}
            return {"scores": scores}
        layer = self._layers.get(call.layer)
        if layer and layer.judge and isinstance(layer.judge.by, ModelJudge) and layer.judge.by.kind == "pairwise":
            agents = (*agents, *self._declared(call))  # who is not named loses to who is
        label_of = {agent: label for label, agent in call.labels.items()}
        best = [label_of[agent] for agent in agents if agent in label_of]  # of a pair, those that are in it
        return {"best": best}

    def _rides_along(self, call: events.CallStarted, request: Request, outcome: object) -> checked.Reply | None:
        """The moderator's reply, where a judge that gives a verdict is asked for the moderator's word too."""
        if call.purpose == "judge" and _asks(request, "stop") and isinstance(outcome, tuple | Mapping):
            return self._next(call, [("moderator", "")])
        return None


def _agent(name: str) -> list[tuple[str, str]]:
    """An agent by its name, and by the plain name that it shares with others."""
    return [("agent", name), ("agent", name.partition(".")[0])]


def _layers(pipeline: Pipeline, inside: str) -> dict[str, Layer]:
    """The layers of a pipeline and of those that are agents in it, as events name them."""
    found = {inside + layer.name: layer for layer in pipeline.layers}
    for agent in (agent for layer in pipeline.layers for agent in layer.agents):
        if isinstance(agent.does, Pipeline):
            found |= _layers(agent.does, f"{inside}{agent.name}/")
    return found


def _asks(request: Request, field: str) -> bool:
    return field in (request.schema or {}).get("properties", {})


def _verdict(**fields: Any) -> str:
    return orjson.dumps({"reason": "as the test says"} | fields).decode()
