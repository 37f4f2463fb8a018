"""Api, to offer the compiler and the runtime to Python programs: compile, run, stream."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from smoadsl.adapters import open_adapter
from smoadsl.calls.cache import Kept
from smoadsl.calls.caller import Caller
from smoadsl.calls.keys import bound_of
from smoadsl.calls.session import Opener, Session
from smoadsl.diagnostics.diagnostic import Outcome
from smoadsl.diagnostics.render.text import render
from smoadsl.diagnostics.source import Source
from smoadsl.language.check import Given
from smoadsl.language.checked import Program
from smoadsl.plan.compile import Options
from smoadsl.plan.compile import analyse as analyse_source
from smoadsl.plan.compile import compile as compile_source
from smoadsl.plan.plan import Plan
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.events import Event
from smoadsl.runtime.executor import Answer, execute
from smoadsl.tools.reader import read_source, reader_for


class CompileError(Exception):
    """A file that has problems; the message shows them all. `diagnostics` holds them as data."""

    def __init__(self, outcome: Outcome[Any]) -> None:
        super().__init__(render(outcome.diagnostics))
        self.diagnostics = outcome.diagnostics


def compile(
    file: str | Path | Source,
    pipeline: str | None = None,
    given: Given | None = None,
    options: Options | None = None,
    root: str | Path | None = None,
) -> Outcome[Plan]:
    """The plan of a `.moa` file (a path, or a `Source` that holds its text), and all that is to be said about it.

    What the file imports and names lies within `root`: the folder given, else the nearest one above the file with a
    `.git`, else the file's own. Raises `OSError` when the file can not be read, or lies outside.
    """
    if isinstance(file, Source):
        return compile_source(file, pipeline, given, None, options)
    reader, read = reader_for(file, root), read_source(file)
    if read.value is None:
        return Outcome(None, read.diagnostics)
    return compile_source(read.value, pipeline, given, reader, options)


def analyse(file: str | Path, given: Given | None = None, root: str | Path | None = None) -> Outcome[Program]:
    """What a `.moa` file means, before any of its pipelines is chosen. `root` and errors are those of `compile`."""
    reader, read = reader_for(file, root), read_source(file)
    if read.value is None:
        return Outcome(None, read.diagnostics)
    return analyse_source(read.value, given, reader)


async def run(
    what: Plan | str | Path | Source,
    prompt: str | Conversation,
    *,
    seed: int = 0,
    on_event: Callable[[Event], None] | None = None,
    environ: Mapping[str, str] | None = None,
    opener: Opener = open_adapter,
    cache: Kept | None = None,
    allow_env: Iterable[str] = (),
    keyless: bool = False,
    streams: bool = False,
) -> Answer:
    """Run a plan, or a file's only pipeline, for one prompt. `on_event` is told everything that happens.

    `environ` is where keys are looked up (the process's own environment unless given), `opener` makes the adapters.
    Calls that `cache` has an answer for are not made. `allow_env` says which of the file's `env("NAME")` may go where,
    each `NAME=ORIGIN`; those of well-known providers may go to these, and any to this machine.
    `keyless`: nothing is sent anywhere, and no key is looked up. `streams`: somebody reads the answer while it comes,
    piece by piece as `on_event` is told of it; what was read so is not asked for again when it breaks off.
    Raises `CompileError` when the file has problems, `Unbound` when a key would go elsewhere, `RunError` when there is
    no answer, as to an empty prompt, and `ValueError` for what is no `NAME=ORIGIN`.
    """
    plan, allowed = _plan(what), frozenset(bound_of(text) for text in allow_env)
    conversation = Conversation.of(prompt) if isinstance(prompt, str) else prompt
    providers = plan.without_keys().providers if keyless else plan.providers
    plan = plan if streams else plan.unstreamed()
    async with Session(providers, os.environ if environ is None else environ, opener, allowed) as session:
        caller = Caller(session, Random(seed), cache)
        return await execute(plan, conversation, caller, on_event or (lambda _: None), seed)


def run_sync(what: Plan | str | Path | Source, prompt: str | Conversation, **options: Any) -> Answer:
    """`run`, for people without an event loop. Raises `RuntimeError` where one runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError("an event loop runs here, as in a notebook: write `await smoadsl.run(…)` instead")
    return asyncio.run(run(what, prompt, **options))


async def stream(
    what: Plan | str | Path | Source, prompt: str | Conversation, **options: Any
) -> AsyncGenerator[Event, None]:
    """The events of a run, as they happen, pieces of the answer too; the last is `RunFinished` or `RunFailed`.

    Leaving the loop ends the run."""
    queue: asyncio.Queue[Event | None] = asyncio.Queue()
    task = asyncio.create_task(run(what, prompt, on_event=queue.put_nowait, streams=True, **options))
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (event := await queue.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _plan(what: Plan | str | Path | Source) -> Plan:
    if isinstance(what, Plan):
        return what
    outcome = compile(what)
    if outcome.value is None:
        raise CompileError(outcome)
    return outcome.value
