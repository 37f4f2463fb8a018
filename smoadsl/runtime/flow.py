"""Flow, to run rounds without a barrier between them: each agent starts as soon as what it sees is there."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

from smoadsl.classes import dataclass
from smoadsl.plan.plan import Agent
from smoadsl.runtime import events
from smoadsl.runtime.asker import Asker
from smoadsl.runtime.prompts import Response
from smoadsl.runtime.rounds import RoundFailed, Team, failures_of
from smoadsl.runtime.views import needed_by

Answers = Mapping[str, "asyncio.Task[Response]"]  # of one round, by agent


@dataclass(frozen=True, slots=True)
class Step:
    """One round of a layer's team."""

    team: Team
    number: int


Respond = Callable[[Step, Sequence[Response], Agent], Awaitable[Response]]


async def flow(
    steps: Sequence[Step], carried: Sequence[Response], respond: Respond, asker: Asker
) -> AsyncGenerator[tuple[Response, ...], None]:
    """The responses of each round in declared order, once all of them are there. `carried` went into the first.

    Raises `RoundFailed` for the first round in which an agent fails; those after it are given up.
    """
    started: set[int] = set()
    rounds: list[Answers] = []

    async def run(place: int, agent: Agent) -> Response:
        step = steps[place]
        seen: Sequence[Response] = carried
        if place:
            before = rounds[place - 1]
            needed = needed_by(agent, step.team.names, tuple(before))
            seen = [await asyncio.shield(before[name]) for name in before if name in needed]
        if place not in started:
            started.add(place)
            values = dict(step.team.values) if step.number == 1 else {}
            told = {"layer": step.team.shown_as, "round": step.number, "agents": step.team.names, "values": values}
            asker.tell(events.RoundStarted, **told)
        return await respond(step, seen, agent)

    for place, step in enumerate(steps):
        rounds.append({agent.name: asyncio.create_task(run(place, agent)) for agent in step.team.agents})
    try:
        for step, answers in zip(steps, rounds, strict=True):
            await asyncio.wait(answers.values(), return_when=asyncio.FIRST_EXCEPTION)
            if failures := failures_of(_errors(answers)):
                raise RoundFailed(f"layer {step.team.shown_as}, round {step.number}: {'; '.join(failures)}")
            yield tuple(task.result() for task in answers.values())
    finally:
        tasks = [task for answers in rounds for task in answers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _errors(answers: Answers) -> list[tuple[str, BaseException]]:
    ended = [(name, task) for name, task in answers.items() if task.done() and not task.cancelled()]
    return [(name, error) for name, task in ended if (error := task.exception()) is not None]
