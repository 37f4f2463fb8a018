"""Scripts, to run small plans with scripted replies on a virtual clock, and keep what was asked of whom."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import orjson

from smoadsl.adapters.base import Fault, Reply, Request
from smoadsl.adapters.scripted import Answer as Scripting
from smoadsl.adapters.scripted import Broken, Scripted, several
from smoadsl.adapters.usage import Counts, usage_of
from smoadsl.diagnostics.diagnostic import in_order
from smoadsl.diagnostics.render.text import render
from smoadsl.diagnostics.source import Source
from smoadsl.plan.plan import Plan
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.events import CallStarted, Event
from smoadsl.runtime.executor import Answer, RunError
from smoadsl.tools import api
from smoadsl.tools.virtual_clock import run_virtually
from tests.canary import CANARY

Script = Callable[[CallStarted, Request], Scripting | Awaitable[Scripting]]
KEYS = {"GROQ_API_KEY": CANARY, "OPENAI_API_KEY": CANARY}


@dataclass(frozen=True, slots=True)
class Asked:
    """One attempt of a call: whose call it is, and what was sent."""

    call: CallStarted
    request: Request

    @property
    def texts(self) -> list[tuple[str, str]]:
        return [(message.role, message.content) for message in self.request.messages]


@dataclass(slots=True)
class Run:
    """What came of a run. `answer` is None where it failed, and `failed` says why."""

    asked: list[Asked] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    answer: Answer | None = None
    failed: str = ""

    def of(self, agent: str, round_: int | None = None) -> Asked:
        """What an agent, the judge, a moderator, the router or the aggregate was asked first, of a round or at all."""
        return next(a for a in self.asked if a.call.agent == agent and round_ in (None, a.call.round))

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


def planned(text: str, pipeline: str | None = None) -> Plan:
    outcome = api.compile(Source("t.moa", text), pipeline)
    assert outcome.value is not None, render(in_order(outcome.diagnostics))
    return outcome.value


def run(plan: Plan, script: Script, prompt: str | Conversation = "hi", seed: int = 0) -> Run:
    """Run a plan to its end, on a virtual clock."""
    made = Run()
    calls: dict[str, CallStarted] = {}

    def hear(event: Event) -> None:
        made.events.append(event)
        if isinstance(event, CallStarted):
            calls[str(event.call)] = event

    async def answer(request: Request) -> Scripting:
        call = calls[request.tag]
        made.asked.append(Asked(call, request))
        if not call.samples:
            return await _awaited(script(call, request))
        path = call.agent[: call.agent.rfind("/") + 1]
        each = [call.model_copy(update={"agent": path + name}) for name in call.samples[: request.n]]
        answers = await asyncio.gather(*(_awaited(script(one, request)) for one in each))
        faults = [one for one in answers if isinstance(one, Fault | Broken)]
        return faults[0] if faults else several([_reply(one, request) for one in answers])

    adapter = Scripted(answer)

    async def whole() -> None:
        try:
            made.answer = await api.run(
                plan, prompt, seed=seed, on_event=hear, environ=KEYS, opener=lambda kind, connection: adapter
            )
        except RunError as error:
            made.failed = str(error)

    run_virtually(whole())
    return made


async def _awaited(answer: Scripting | Awaitable[Scripting]) -> Scripting:
    return await answer if inspect.isawaitable(answer) else answer


def _reply(answer: Scripting, request: Request) -> Reply:
    assert isinstance(answer, Reply | str)
    return (
        Reply(answer, "stop", usage_of(request, answer.__str__, Counts()), request.model)
        if isinstance(answer, str)
        else answer
    )


def verdict(call: CallStarted, request: Request, best: Sequence[str] = (), stop: bool = False) -> str:
    """A verdict in the form that is asked for, these agents first."""
    asked = (request.schema or {}).get("properties", {})
    label_of = {agent: label for label, agent in call.labels.items()}
    order = [label_of[agent] for agent in best if agent in label_of]
    order += [label for label in call.labels if label not in order]
    said: dict[str, object] = {"reason": ""}
    if "best" in asked:
        said["best"] = order[: asked["best"]["minItems"]]
    if "scores" in asked:
        said["scores"] = {label: max(1, 5 - place) for place, label in enumerate(order)}
    if "remarks" in asked:
        said["remarks"] = {label: f"remark for {agent}" for label, agent in call.labels.items()}
    if "stop" in asked:
        said["stop"] = stop
    return orjson.dumps(said).decode()


def plainly(call: CallStarted, request: Request) -> str:
    """Each agent says who it is and in which round; judges take the first, and moderators say no."""
    if call.purpose in ("judge", "moderator", "router"):
        return verdict(call, request, sorted(call.labels.values()))
    return f"{call.agent} in round {call.round}"


MODELS = """
model a = "groq/model-a" { temperature = 0.7, max_tokens = 50 }
model b = "groq/model-b" { about = "Proofs." }
model c = "groq/model-c"
model d = "groq/model-d"
model j = "groq/model-j" { temperature = 0.9 }
"""


def pipeline(layers: str, end: str = "aggregate d", more: str = "") -> str:
    return f"{MODELS}\n{more}\npipeline p {{\n{layers}\n{end}\n}}"


def made(
    layers: str, end: str = "aggregate d", more: str = "", prompt: str | Conversation = "hi", seed: int = 0
) -> Run:
    return run(planned(pipeline(layers, end, more), "p"), plainly, prompt, seed)
