"""Luck, to answer the calls of a run by chance: with faults, unreadable verdicts and answers alike."""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Literal

import orjson

from smoadsl.adapters.base import Fault, FaultKind, Reply, Request, Usage
from smoadsl.diagnostics.render.text import render
from smoadsl.diagnostics.source import Source
from smoadsl.language.check import check
from smoadsl.language.load import load
from smoadsl.plan.bounds import bounds
from smoadsl.plan.lower import lower
from smoadsl.plan.optimize import optimize
from smoadsl.plan.plan import Plan
from smoadsl.runtime.events import CallStarted, CallSucceeded, Totals
from tests.random_plans import SCHEMA
from tests.scripts import Run, verdict

FAULTS = (
    Fault(FaultKind.STATUS, "busy", status=429),
    Fault(FaultKind.STATUS, "wrong key", status=401),
    Fault(FaultKind.STATUS, "down", status=500),
    Fault(FaultKind.TRUNCATED, "cut", billed=True),
    Fault(FaultKind.EMPTY, "empty", billed=True),
    Fault(FaultKind.BAD_BODY, "garbage", billed=True),
    Fault(FaultKind.REFUSED, "refused", billed=True),
    Fault(FaultKind.NO_RESPONSE, "reset"),
)
UNREADABLE = ("The first.", "{}", '{"reason": "", "best": ["A"]}', '{"reason": "", "scores": {"A": 9}}', "[]")


class Files:
    """The one file that a plan may name."""

    def read(self, path: str, beside: Source) -> Source:
        return Source(path, SCHEMA)


def planned(text: str) -> Plan:
    """The plan of the text's pipeline `p`, with its bounds."""
    plan = optimize(unoptimized(text))
    return plan.model_copy(update={"bounds": bounds(plan)})


def unoptimized(text: str) -> Plan:
    """The plan of the text's pipeline `p` as it is written, also if its budget is too small to be of use."""
    loaded = load(Source("t.moa", text), Files())
    assert loaded.value is not None
    program = check(loaded.value)
    assert program.value is not None
    assert program.ok, f"{text}\n{render(program.diagnostics)}"
    return lower(program.value.pipelines["p"]).plan


@dataclass(slots=True)
class Luck:
    """Answers calls by chance, each after a second. `faults`, `unreadable`: how often; `alike`: how many different
    answers there are, none for as many as calls; `written`: how much of its `max_tokens` a response takes; `cut`: how
    often it has all of them and is cut there, and each takes half a second or a whole one."""

    random: Random
    faults: float = 0.0
    unreadable: float = 0.0
    alike: int = 0
    yes: float = 0.0
    written: Literal["all", "some", "one"] = "all"
    dear: bool = False  # all that is read and written counts as much as it can
    second_s: float = 1.0
    cut: float = 0.0
    made: int = 0

    async def __call__(self, call: CallStarted, request: Request) -> Reply | Fault:
        await asyncio.sleep(self.random.choice((0.5, 1.0)) if self.cut else self.second_s)
        if self.random.random() < self.faults:
            return self.random.choice(FAULTS)
        self.made += 1
        most = request.sampling.max_tokens
        output = {"all": most, "some": self.random.randint(1, most), "one": 1}[self.written]
        size = sum(len(message.content.encode()) for message in request.messages)
        text = self._text(call, request)
        if self.dear:  # four bytes are two tokens where they are read, and one where they are written
            usage = Usage(size // 2 + 1, most)
            text = text.rjust(4 * most)
        else:
            estimated = self.random.random() < self.faults / 4
            usage = Usage(self.random.randint(1, size // 2 + 1), output, estimated)
        if self.cut and self.random.random() < self.cut:
            return Reply(text, "length", Usage(usage.input_tokens, most), request.model)
        return Reply(text, "stop", usage, request.model)

    def _text(self, call: CallStarted, request: Request) -> str:
        if call.purpose in ("judge", "moderator", "router"):
            if self.random.random() < self.unreadable:
                return self.random.choice(UNREADABLE)
            agents = sorted(call.labels.values())
            self.random.shuffle(agents)
            said = verdict(call, request, agents, self.random.random() < self.yes)
            return said.replace(":5", ":4") if not self.yes else said  # a best score of 5 may end a layer
        number = self.random.randrange(self.alike) if self.alike else self.made
        if request.schema is not None and self.random.random() >= self.unreadable:
            return orjson.dumps({"n": number}).decode()
        return f"w{number}x{number} {number}"


def output_tokens(made: Run) -> int:
    return sum(event.output_tokens for event in made.events if isinstance(event, CallSucceeded))


def totals(made: Run) -> Totals:
    last = made.events[-1]
    found = getattr(last, "totals", None)
    assert isinstance(found, Totals)
    return found
