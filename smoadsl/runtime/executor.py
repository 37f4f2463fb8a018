"""Executor, to carry out a plan for one conversation: layer by layer, round by round, then the aggregate.

It never prints and never yields: everything that happens is handed to `emit` as an event.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import takewhile
from typing import assert_never

from smoadsl.adapters.base import Fault, Message, Reply
from smoadsl.builtins.answers import read_answer
from smoadsl.calls.budget import Budget
from smoadsl.calls.caller import Caller
from smoadsl.classes import dataclass
from smoadsl.plan.plan import Agent, Call, Layer, Pipeline, Plan, Stop
from smoadsl.runtime import events
from smoadsl.runtime.answering import Answering, WentOn
from smoadsl.runtime.aside import Aside, time_for_the_aggregate_s
from smoadsl.runtime.asker import Asker, Emit, Place
from smoadsl.runtime.conversation import EMPTY, Conversation
from smoadsl.runtime.fitting import fitted
from smoadsl.runtime.flow import Step, flow
from smoadsl.runtime.prompts import Prompts, Response, names_of
from smoadsl.runtime.render import RenderError
from smoadsl.runtime.rounds import AgentFailed, RoundFailed, Team, activate, propose
from smoadsl.runtime.seeds import seed_for
from smoadsl.runtime.select import NoVerdict, Round, Selection, Selector
from smoadsl.runtime.sharing import Shared, known_as
from smoadsl.runtime.stopping import Standing, decide, first_that_holds
from smoadsl.runtime.views import seen_by


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run came to. `value` is the final answer that the pipeline's `answer` reads; `degraded` says what did not
    go as written, and is empty for a run that did."""

    text: str
    value: str | None
    degraded: tuple[str, ...]
    totals: events.Totals


class RunError(Exception):
    """A run that has no answer; the message is one sentence that says why."""


async def execute(
    plan: Plan, conversation: Conversation, caller: Caller, emit: Emit, seed: int = 0, around: Budget | None = None
) -> Answer:
    """Run the plan. Raises `RunError` when there is no answer, and for an empty prompt, which nobody is asked; what was
    paid for by then has been emitted.

    `around` is a budget that several runs share; this one spends from it as well as from the plan's own.
    """
    mixed = f"{seed}\x00{conversation.prompt}"
    asker = Asker(caller, emit, mixed, around, conversation.input)
    asker.tell(events.RunStarted, plan=plan, messages=conversation.messages, input=dict(conversation.input), seed=seed)
    try:
        if conversation.is_empty:
            raise RoundFailed(EMPTY)
        text = await _Execution(plan, plan.pipeline, conversation, asker, mixed).text()
    except (RoundFailed, NoVerdict, RenderError) as error:
        asker.tell(events.RunFailed, message=str(error), totals=asker.totals)
        raise RunError(str(error)) from error
    except asyncio.CancelledError:
        asker.tell(events.RunFailed, message=events.INTERRUPTED, totals=asker.totals)
        raise
    finally:
        asker.close()
    answer = Answer(text, read_answer(plan.pipeline.answer, text), asker.degraded, asker.totals)
    asker.tell(events.RunFinished, text=text, value=answer.value, degraded=answer.degraded, totals=answer.totals)
    return answer


class _Execution:
    """One pipeline of a run. `_went_on` is what went on from the last round, `_standing` what is known of it.

    A pipeline that is an agent begins with what the agent sees, and its layers are shown behind its name."""

    def __init__(
        self,
        plan: Plan,
        pipeline: Pipeline,
        conversation: Conversation,
        asker: Asker,
        seed: str,
        inside: str = "",
        seen: Sequence[Response] = (),
    ) -> None:
        budget = Budget(pipeline.budget, asker.budget, asker.time, time_for_the_aggregate_s(pipeline))
        self._plan = plan
        self._pipeline = pipeline
        self._conversation = conversation
        self._asker = asker.within(budget)
        self._seed = seed
        self._inside = inside
        self._prompts = Prompts(plan.templates, conversation)
        self._selector = Selector(self._asker, self._prompts, by_claim=pipeline.answer.kind != "text")
        self._answering = Answering(self._asker, self._prompts, inside)
        self._aside = Aside(pipeline, self._prompts)
        budget.set_aside(self._aside.most)
        self._shared = Shared()
        self._went_on = WentOn(tuple(seen), votes=tuple(seen))
        self._standing = Standing("", 0)

    async def text(self) -> str:
        """The pipeline's answer."""
        self._aside.begin(self._went_on.kept)
        await self._layers()
        went_on = self._went_on.without_remarks()
        return await self._answering.answer(
            self._pipeline.aggregate, went_on, self._standing.layer, self._standing.number
        )

    # ---- layers and rounds

    async def _layers(self) -> None:
        index = 0
        while index < len(self._pipeline.layers):
            layer = self._pipeline.layers[index]
            shown_as = self._inside + layer.name
            values: events.Values = {}
            if layer.when is not None:
                enters = await decide(layer.when, self._standing, self._asker, self._prompts)
                values = self._standing.values(layer.when)
                if not enters:
                    self._asker.tell(events.LayerSkipped, layer=shown_as, values=values)
                    index += 1
                    continue
            limited = self._asker.budget is not None and self._asker.budget.is_limited  # also from outside of the plan
            count = 1 if limited else self._together(index)
            flows = not limited and (count > 1 or layer.flows)
            ended = await (self._flow(index, count, values) if flows else self._layer(index, shown_as, values))
            if ended:
                return
            index += count

    def _together(self, index: int) -> int:
        """How many layers run without a barrier between them, from this one on."""
        following = self._pipeline.layers[index + 1 :]
        return 1 + sum(1 for _ in takewhile(lambda layer: layer.joins, following))

    async def _flow(self, index: int, count: int, values: events.Values) -> bool:
        """Run the rounds of so many layers, each agent as soon as it can; true when the aggregate should be next."""
        steps = [
            Step(Team(layer, self._inside + layer.name, layer.agents, {} if place else values), number)
            for place, layer in enumerate(self._pipeline.layers[index : index + count])
            for number in range(1, layer.rounds + 1)
        ]
        carried = self._went_on.without_remarks().kept
        waiting = iter(steps)
        try:
            async with aclosing(flow(steps, carried, self._respond, self._asker)) as rounds:
                async for responses in rounds:
                    step = next(waiting)
                    await self._after(step.team.layer, step.team.shown_as, step.number, responses, follows=False)
        except RoundFailed as failed:
            if not self._standing.number:
                raise  # not one round of this pipeline has come to its end
            step = next(waiting)
            why = f"{failed}; the aggregate works with what went into that round"
            return self._go_on_with_less(step.team.shown_as, step.number, why)
        return False

    async def _layer(self, index: int, shown_as: str, values: events.Values) -> bool:
        """Run the rounds of a layer; true when the whole pipeline should go to its aggregate."""
        layer = self._pipeline.layers[index]
        self._went_on = self._went_on.without_remarks()
        team = await activate(layer, shown_as, self._asker, self._prompts, self._chance(shown_as, 0), values)
        for number in range(1, layer.rounds + 1):
            if spent := self._asker.spent:
                return self._go_on_with_less(shown_as, number, f"{spent}; the aggregate works with what went on before")
            self._aside.begin_round(index, number, team.names, self._went_on.kept)
            try:
                respond = partial(self._respond, Step(team, number), self._went_on.kept)
                responses = await propose(team, number, respond, self._asker)
            except RoundFailed as failed:
                if not self._standing.number and not self._asker.spent:
                    raise  # not one round of this pipeline has come to its end
                why = f"{failed}; the aggregate works with what went into that round"
                return self._go_on_with_less(shown_as, number, why)
            stop = await self._after(layer, shown_as, number, responses, index + 1 < len(self._pipeline.layers))
            if stop is not None:
                return stop.whole_pipeline
        return False

    def _go_on_with_less(self, shown_as: str, number: int, why: str) -> bool:
        self._asker.degrade(shown_as, number, why)
        return True

    async def _respond(self, step: Step, carried: Sequence[Response], agent: Agent) -> Response:
        """An agent's response, which chooses among those that went on what it sees."""
        team, number = step.team, step.number
        references, own = seen_by(agent, team.names, carried)
        seen = [r for r in carried if r is own or r in references] if own else references
        name = self._inside + agent.name
        try:
            match agent.does:
                case Call() as call:

                    def write(read: Sequence[Response]) -> tuple[Message, ...]:
                        others, itself = (references, own) if read is seen else seen_by(agent, team.names, read)
                        return self._prompts.propose(agent, others, itself, team.shown_as, number)

                    messages = fitted(self._asker, team.shown_as, number, name, call, seen, write)
                    place = Place("propose", name, team.shown_as, number, references=names_of(seen))
                    if team.layer.merged:
                        text = await self._shared_answer(team, place, agent.name, call, messages)
                    else:
                        text = (await self._asker.ask(place, call, messages))[1].text
                case Pipeline() as inner:
                    asked = self._with_role(agent.role)
                    execution = _Execution(self._plan, inner, asked, self._asker, self._seed, f"{name}/", seen)
                    text = await execution.text()
                    told = {
                        "layer": team.shown_as,
                        "round": number,
                        "agent": name,
                        "pipeline": inner.name,
                        "text": text,
                    }
                    self._asker.tell(events.PipelineAnswered, **told)
                case _:
                    assert_never(agent.does)
        except (Fault, RoundFailed, NoVerdict) as failed:
            raise AgentFailed(str(failed)) from failed
        response = Response(agent.name, text, self._pipeline.answer)
        self._aside.arrived(response)
        return response

    async def _shared_answer(
        self, team: Team, place: Place, name: str, call: Call, messages: tuple[Message, ...]
    ) -> str:
        """The answer of one agent, whose call others may share."""
        group = next((group for group in team.layer.merged if name in group), None)
        if group is None:
            return (await self._asker.ask(place, call, messages))[1].text

        async def ask() -> Reply:
            together = replace(place, agent=self._inside + known_as(group), samples=group)
            return (await self._asker.ask(together, call, messages))[1]

        return await self._shared.answer(team.shown_as, place.round, group, name, ask)

    def _with_role(self, role: str) -> Conversation:
        """The conversation as a pipeline that is an agent gets it: its role joins the caller's system prompt."""
        if not role:
            return self._conversation
        system = "\n\n".join(part for part in (self._conversation.system, role) if part)
        return Conversation((Message("system", system), *self._conversation.turns), self._conversation.input)

    async def _after(
        self, layer: Layer, shown_as: str, number: int, responses: tuple[Response, ...], follows: bool
    ) -> Stop | None:
        """Judge a round, let what is kept go on, and find the stop rule that holds."""
        stops = [stop for stop in layer.stops if number < layer.rounds or (stop.whole_pipeline and follows)]
        standing = Standing.before_judging(shown_as, number, responses)
        selection = Selection(responses, (), responses)
        if layer.judge is not None:
            asked = standing.asks_judge(layer.judge, stops)
            at = Round(shown_as, number, layer.rounds, self._chance(shown_as, number))
            selection = await self._selector.select(layer.judge, responses, at, asked is not None)
            if asked is not None and selection.stop is not None:
                standing.said[asked] = selection.stop
                standing.reason = selection.reason
        standing.after_judging(selection, self._went_on.kept)
        self._went_on = WentOn(selection.kept, selection.ranking, selection.votes)
        self._standing = standing
        return await first_that_holds(stops, standing, self._asker, self._prompts)

    def _chance(self, layer: str, number: int) -> str:
        """The chance of one round: drawn from the run's seed, the prompt and the place."""
        return str(seed_for(self._seed, layer, number))
