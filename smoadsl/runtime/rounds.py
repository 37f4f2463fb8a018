"""Rounds, to have the agents of a layer answer: all at once, some of them left idle, the slow ones left behind."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import cached_property
from typing import Any

from smoadsl.builtins.judges import shuffled
from smoadsl.builtins.verdicts import Question
from smoadsl.classes import dataclass
from smoadsl.plan.plan import Activate, Agent, Call, Layer
from smoadsl.runtime import events
from smoadsl.runtime.asker import Asker, Place
from smoadsl.runtime.prompts import Prompts, Response
from smoadsl.runtime.verdicts import ask_verdict


class AgentFailed(Exception):
    """An agent without a response, after its retries; the message says why."""


class RoundFailed(Exception):
    """A round without enough responses; the message says who failed, and how."""


Respond = Callable[[Agent], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class Team:
    """The agents of a layer that run, in declared order. `values` are those by which its `when` let it run."""

    layer: Layer
    shown_as: str  # the layer's name, behind those of the agents that it is inside of
    agents: tuple[Agent, ...]
    values: events.Values

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(agent.name for agent in self.agents)


async def activate(
    layer: Layer, shown_as: str, asker: Asker, prompts: Prompts, seed: str, values: events.Values
) -> Team:
    """The agents that run for this prompt: all, or those that the layer's gate chooses."""
    gate = layer.activate
    if gate is None or gate.count >= len(layer.agents):
        return Team(layer, shown_as, layer.agents, values)
    names = [agent.name for agent in layer.agents]
    by, reason = "random()", ""
    if gate.router is None:
        order = shuffled(len(names), f"activate {seed if gate.seed is None else gate.seed}")
        chosen = {names[place] for place in order[: gate.count]}
    else:
        by = gate.router.model
        chosen, reason = await _routed(gate, gate.router, layer, shown_as, asker, prompts)
    team = Team(layer, shown_as, tuple(agent for agent in layer.agents if agent.name in chosen), values)
    idle = tuple(name for name in names if name not in chosen)
    asker.tell(events.Activated, layer=shown_as, by=by, agents=team.names, idle=idle, reason=reason)
    return team


async def _routed(
    gate: Activate, router: Call, layer: Layer, shown_as: str, asker: Asker, prompts: Prompts
) -> tuple[set[str], str]:
    names = [agent.name for agent in layer.agents]
    told = [{"name": agent.name, "about": agent.about} for agent in layer.agents]
    messages = prompts.router(router, told, gate.count)
    place = Place("router", "router", shown_as, 0, labels={name: name for name in names})
    question = Question("rank", tuple(names), gate.count)
    verdict = await ask_verdict(asker, prompts, place, router, messages, question)
    if verdict is not None:
        return set(verdict.best), verdict.reason
    why = f"the router {router.model} gave no choice that can be read; the first {gate.count} agents run"
    asker.degrade(shown_as, 0, why)
    return set(names[: gate.count]), ""


async def propose(team: Team, number: int, respond: Respond, asker: Asker) -> tuple[Response, ...]:
    """The responses of a round in declared order, whatever order they came in. Raises `RoundFailed`."""
    values = dict(team.values) if number == 1 else {}
    asker.tell(events.RoundStarted, layer=team.shown_as, round=number, agents=team.names, values=values)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(respond(agent)) for agent in team.agents]
    try:
        await _enough(team, tasks)
    finally:
        if left := [task for task in tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        answered, late, failed = _ends(team, tasks)
    failures = failures_of(failed)
    if len(answered) < _needed(team):
        raise RoundFailed(f"layer {team.shown_as}, round {number}: {'; '.join(failures)}")
    if len(answered) < len(tasks):
        failures += [f"{', '.join(late)} did not answer in time"] if late else []
        why = f"{len(answered)} of {len(tasks)} agents answered: {'; '.join(failures)}"
        asker.degrade(team.shown_as, number, why)
    return tuple(answered)


def _ends(
    team: Team, tasks: Sequence[asyncio.Future[Response]]
) -> tuple[list[Response], list[str], list[tuple[str, BaseException]]]:
    """The responses, who was late, and who failed, of tasks that have ended. Each error is looked at here, also where
    none of them is told."""
    answered: list[Response] = []
    late: list[str] = []
    failed: list[tuple[str, BaseException]] = []
    for name, task in zip(team.names, tasks, strict=True):
        if task.cancelled():
            late.append(name)
        elif (error := task.exception()) is None:
            answered.append(task.result())
        else:
            failed.append((name, error))
    return answered, late, failed


def _needed(team: Team) -> int:
    quorum = team.layer.quorum
    return min(quorum.count, len(team.agents)) if quorum else len(team.agents)


async def _enough(team: Team, tasks: Sequence[asyncio.Future[Response]]) -> None:
    """Wait until the quorum is met and its time has passed, until it can not be met, or until all are done."""
    quorum = team.layer.quorum
    if quorum is None:
        await _all_or_a_failure(tasks)
        return
    loop = asyncio.get_running_loop()
    until = loop.time() + quorum.after_s
    needed, ended, failed = _needed(team), 0, 0
    pending: set[asyncio.Future[Response]] = set(tasks)
    while pending:
        if len(tasks) - failed < needed:
            return
        met = ended - failed >= needed
        if met and loop.time() >= until:
            return
        timeout = until - loop.time() if met else None
        done, pending = await asyncio.wait(pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        ended += len(done)
        failed += sum(task.exception() is not None for task in done)


async def _all_or_a_failure(tasks: Sequence[asyncio.Future[Response]]) -> None:
    """Wait until all are done, or one has failed: `asyncio.wait` does it for several times as much."""
    waiter = asyncio.get_running_loop().create_future()
    left = len(tasks)
    assert left, "a team has an agent"

    def ended(task: asyncio.Future[Response]) -> None:
        nonlocal left
        left -= 1
        if (not left or (not task.cancelled() and task.exception())) and not waiter.done():
            waiter.set_result(None)

    for task in tasks:
        task.add_done_callback(ended)
    await waiter


def failures_of(failed: Sequence[tuple[str, BaseException]]) -> list[str]:
    """Who failed and how, each reason once; what is no failure of an agent but of ours is raised."""
    names: dict[str, list[str]] = {}
    for name, error in failed:
        if not isinstance(error, AgentFailed):
            raise error
        names.setdefault(str(error), []).append(name)
    return [f"{', '.join(whose)} failed: {why}" for why, whose in names.items()]
