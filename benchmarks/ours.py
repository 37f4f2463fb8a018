"""Ours, to do the calls with smoadsl: as `smoadsl run` does them, with all that a run has, over one session."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from benchmarks.work import Answer, Work
from smoadsl.calls.caller import Caller
from smoadsl.calls.session import Session
from smoadsl.diagnostics.source import Source
from smoadsl.plan.plan import Plan
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.events import Event
from smoadsl.runtime.executor import execute
from smoadsl.runtime.journal import BUFFER_BYTES, journal_to
from smoadsl.tools.api import compile

KEYS = {"BENCHMARK_KEY": "sk-no-key-of-anybody-7Qm2xVt9LwRk4ZpB8sJdYh3N"}  # sought in all that comes back
_FILE = """\
provider server = openai {{
  base_url    = "{base_url}"
  api_key     = env("{key}")
  concurrency = {connections}
  rate        = 1_000_000/s
  tokens_rate = 1_000_000_000/s
}}

{models}

pipeline p {{
  budget {{ usd = $100, tokens = 1_000_000_000, calls = 100_000, time = 1h }}
{layer}
  aggregate last {{ stream = {streams} }}
}}
"""
_MODEL = """model {name} = "server/{model}" {{ max_tokens = 512, price = {{ input = $0.10, output = $0.40 }} }}"""


def source_of(work: Work, base_url: str) -> str:
    """The work as a file."""
    names = {model: f"m{place}" for place, model in enumerate(dict.fromkeys(work.models))}
    models = [_MODEL.format(name=name, model=model) for model, name in names.items()]
    models.append(_MODEL.format(name="last", model=work.last_model))
    proposers = ", ".join(
        f"{name} * {count}" if count > 1 else name
        for name, count in ((name, work.models.count(model)) for model, name in names.items())
    )
    layer = f"  layer proposers repeat {work.layers} {{ propose {proposers} }}\n" if work.layers else ""
    return _FILE.format(
        base_url=base_url,
        key=next(iter(KEYS)),
        connections=work.connections,
        models="\n".join(models),
        layer=layer,
        streams=str(work.streams).lower(),
    )


def plan_of(work: Work, base_url: str) -> Plan:
    """The work as a plan."""
    outcome = compile(Source("benchmark.moa", source_of(work, base_url)))
    if outcome.value is None:
        raise ValueError("; ".join(one.message for one in outcome.diagnostics))
    return outcome.value


@asynccontextmanager
async def client(work: Work, base_url: str) -> AsyncIterator[Answer]:
    """smoadsl with everything on: templates, limits, retries, a budget, somebody who hears every event, and a trace."""
    plan = plan_of(work, base_url)
    heard = 0
    with tempfile.TemporaryFile("wb", BUFFER_BYTES) as trace:
        write = journal_to(trace)

        def hear(event: Event) -> None:
            nonlocal heard
            heard += 1
            write(event)

        async with Session(plan.providers, KEYS) as session:
            caller = Caller(session, Random(0))

            async def answer(prompt: str) -> str:
                return (await execute(plan, Conversation.of(prompt), caller, hear)).text

            yield answer
        assert heard
