"""Messages, to have the messages of each call before any is sent: the plan runs on a virtual clock, without network."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from random import Random

from smoadsl.adapters.base import JSON, Adapter, Connection, Request
from smoadsl.adapters.scripted import Scripted
from smoadsl.calls.caller import Caller
from smoadsl.calls.session import Session
from smoadsl.plan.plan import Layer, ModelAggregate, Pipeline, Plan, calls_of
from smoadsl.runtime import events
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.executor import execute
from smoadsl.runtime.preview import Preview, Shown, endless, stand_in
from smoadsl.runtime.roles import make_roles
from smoadsl.show.safe import layers_of
from smoadsl.tools.virtual_clock import run_virtually

MOST_CALLS = 2_000


class TooManyCalls(Exception):
    """A plan of more calls than are shown; the message is one sentence."""


def preview(plan: Plan, conversation: Conversation, seed: int = 0) -> Preview:
    """Each call that the plan can make for this conversation, but for those that ask once more for a verdict.

    Raises `TooManyCalls`, and `RunError` where a template can not be filled.
    """
    layers = layers_of(plan.pipeline)
    turns = max((_turns(layer) for layer in layers.values()), default=1)
    calls = turns * (plan.bounds.calls.full if plan.bounds else 0)
    if calls > MOST_CALLS:
        raise TooManyCalls(f"there are {calls:,} calls to show, and {MOST_CALLS:,} are the most")
    played = [_Play(plan, turn) for turn in range(turns)]
    for play in played:
        run_virtually(play.run(conversation, seed))
    return Preview(
        pipeline=plan.pipeline.name,
        seed=seed,
        assumed=tuple(_assumed(plan, layers, played[0].activated)),
        calls=tuple(_merged(_first_seen(played))),
    )


def _turns(layer: Layer) -> int:
    """How often a layer's router has to choose until each of its agents was chosen."""
    gate = layer.activate
    return ceil(len(layer.agents) / gate.count) if gate and gate.router else 1


class _Play:
    """One run with placeholders: it hears every event, and is asked in the place of every model."""

    def __init__(self, plan: Plan, turn: int) -> None:
        self.calls: list[Shown] = []
        self.activated: list[events.Activated] = []
        self._plan = plan
        self._turn = turn
        self._asked: dict[str, events.CallStarted] = {}
        self._teams: dict[str, tuple[str, ...]] = {}
        every = [*(recipe.call for recipe in plan.recipes), *calls_of(plan.pipeline)]
        self._routes = {call.model: tuple(route.name for route in call.routes) for call in every}
        self._outputs = dict(_outputs(plan.pipeline))

    async def run(self, conversation: Conversation, seed: int) -> None:
        plan = endless(self._plan)
        async with Session(plan.providers, {}, self._open) as session:
            caller = Caller(session, Random(seed))
            for recipe in plan.recipes:
                await make_roles(plan.making, recipe, caller, self._hear, seed)
            await execute(plan, conversation, caller, self._hear, seed)

    def _open(self, kind: str, connection: Connection) -> Adapter:
        return Scripted(self._answer)

    def _hear(self, event: events.Event) -> None:
        match event:
            case events.CallStarted():
                self._asked[str(event.call)] = event
            case events.RoundStarted():
                self._teams[event.layer] = event.agents
            case events.Activated():
                self.activated.append(event)
            case _:
                pass

    def _answer(self, request: Request) -> str:
        call = self._asked[request.tag]
        schema = self._outputs.get(call.agent) if call.purpose == "aggregate" else request.schema
        self.calls.append(
            Shown(
                purpose=call.purpose,
                agent=call.agent,
                layer="" if call.purpose == "aggregate" else call.layer,
                rounds=(call.round,) if call.round and call.purpose != "aggregate" else (),
                model=call.model,
                routes=self._routes[call.model],
                settings=request.sampling,
                answer_schema=dict(schema) if schema is not None else None,
                labels=call.labels,
                messages=call.messages,
            )
        )
        return stand_in(call, request, self._teams.get(call.layer, ()), self._turn)


def _outputs(pipeline: Pipeline, inside: str = "") -> Iterator[tuple[str, Mapping[str, JSON] | None]]:
    """The schema of each aggregate's answer, by the name that the aggregate has in events."""
    if isinstance(pipeline.aggregate, ModelAggregate):
        yield f"{inside}aggregate", pipeline.aggregate.output
    for agent in (agent for layer in pipeline.layers for agent in layer.agents):
        if isinstance(agent.does, Pipeline):
            yield from _outputs(agent.does, f"{inside}{agent.name}/")


def _first_seen(plays: Sequence[_Play]) -> Iterator[Shown]:
    """The calls of the first play, and of those after it what the routers of earlier ones had left idle."""
    seen: dict[tuple[str, str, str], int] = {}
    for turn, play in enumerate(plays):
        for call in play.calls:
            if seen.setdefault((call.purpose, call.agent, call.layer), turn) == turn:
                yield call


def _merged(calls: Iterable[Shown]) -> Iterator[Shown]:
    """Calls that are the same in several rounds, as one."""
    alike: dict[str, list[Shown]] = {}
    for call in calls:
        alike.setdefault(call.model_copy(update={"rounds": ()}).model_dump_json(), []).append(call)
    for same in alike.values():
        rounds = tuple(dict.fromkeys(number for call in same for number in call.rounds))
        yield same[0].model_copy(update={"rounds": rounds, "times": len(same)})


def _assumed(plan: Plan, layers: Mapping[str, Layer], activated: Sequence[events.Activated]) -> Iterator[str]:
    """What was taken for granted, as far as it matters to this plan."""
    if any(layer.judge for layer in layers.values()):
        yield "Each judge is taken to keep the responses that are declared first."
    if any(stop for layer in layers.values() for stop in layer.stops):
        yield "No stop rule is taken to hold, but for what the round alone decides; moderators say no."
    for name, layer in layers.items():
        if layer.when is not None:
            yield f"The layer {name} is taken to run."
    for gate in activated:
        chosen, idle = ", ".join(gate.agents), ", ".join(gate.idle)
        if gate.by == "random()":
            yield f"In layer {gate.layer} chance leaves {idle} idle for this prompt and seed."
        else:
            yield f"The router of layer {gate.layer} is taken to choose {chosen}; {idle} are shown as if chosen next."
    if plan.recipes:
        names = ", ".join(recipe.name for recipe in plan.recipes)
        yield f'The roles of {names} are not made yet: sentences such as "You are assistant 1 of 4." stand for them.'
