"""Answering, to make the pipeline's answer of what went on from its last round, also where the aggregate fails."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from smoadsl.adapters.base import Fault, FaultKind, Message, Reply
from smoadsl.builtins import judges
from smoadsl.classes import dataclass
from smoadsl.plan.plan import Aggregate, Call, FreeAggregate, ModelAggregate
from smoadsl.runtime import events
from smoadsl.runtime.asker import Asker, Place
from smoadsl.runtime.fitting import fitted
from smoadsl.runtime.prompts import Prompts, Response, names_of
from smoadsl.runtime.rounds import RoundFailed


@dataclass(frozen=True, slots=True)
class WentOn:
    """What went on from the last round that ran, in declared order; the order of its judge, best first, if it had one;
    and what `vote()` counts."""

    kept: tuple[Response, ...] = ()
    ranking: tuple[Response, ...] = ()
    votes: tuple[Response, ...] = ()

    def without_remarks(self) -> "WentOn":
        """As it leaves its layer: a judge's remarks are for the next round's agents."""
        for response in self.kept:
            if response.feedback:
                return replace(self, kept=tuple([replace(r, feedback="") if r.feedback else r for r in self.kept]))
        return self

    @property
    def best_first(self) -> list[Response]:
        """What went on, in the judge's order where there is one."""
        names = {response.agent for response in self.kept}
        return [response for response in self.ranking or self.kept if response.agent in names]


class Answering:
    """Writes the answer of a pipeline; `inside` names the agents whose pipeline it is, empty for the outermost."""

    def __init__(self, asker: Asker, prompts: Prompts, inside: str) -> None:
        self._asker = asker
        self._prompts = prompts
        self._inside = inside

    async def answer(self, aggregate: Aggregate, went_on: WentOn, layer: str, number: int) -> str:
        """The answer, from what went on from round `number` of `layer`. Raises `RoundFailed` when there is none."""
        match aggregate:
            case ModelAggregate():
                return await self._synthesis(aggregate, went_on, layer, number)
            case FreeAggregate() if not went_on.kept:
                raise RoundFailed(
                    f"{self._asker.spent or 'nothing was answered'}, and {aggregate.kind}() has no response"
                )
            case FreeAggregate(kind="best"):
                return went_on.best_first[0].text
            case FreeAggregate():
                return went_on.votes[judges.vote([r.value for r in went_on.votes])[0]].text
            case _:
                assert_never(aggregate)

    async def _synthesis(self, aggregate: ModelAggregate, went_on: WentOn, layer: str, number: int) -> str:
        who = f"{self._inside}aggregate"

        def write(read: Sequence[Response]) -> tuple[Message, ...]:
            return self._prompts.aggregate(aggregate.call, read, layer, number)

        messages = fitted(self._asker, layer, number, who, aggregate.call, went_on.kept, write)
        shown = False

        def show(text: str) -> None:
            nonlocal shown
            shown = True
            self._asker.tell_piece(text)

        streamed = show if aggregate.stream and not self._inside else None
        place = Place("aggregate", who, layer, number, references=names_of(went_on.kept))
        try:
            if aggregate.output is None:
                _, reply = await self._asker.ask(place, aggregate.call, messages, None, streamed, last=True)
            else:
                reply = await self._structured(aggregate.call, aggregate.output, place, messages)
        except Fault as fault:
            best = _fitting(aggregate.output, went_on) if number else None  # what it only saw is no answer of its own
            if shown or aggregate.otherwise == "fail" or best is None:
                raise RoundFailed(f"the aggregate failed: {fault.message}") from fault
            why = f"the aggregate failed ({fault.message}); this is the response of {best.agent}"
            self._asker.degrade(layer, number, why)
            return best.text
        if reply.finish == "length":
            why = f"the answer was cut at max_tokens = {aggregate.call.max_tokens}"
            self._asker.degrade(layer, number, why)
        return reply.text

    async def _structured(
        self, call: Call, output: Mapping[str, Any], place: Place, messages: tuple[Message, ...]
    ) -> Reply:
        """An answer that fits the schema: asked for once, and once more with the fault named. Raises `Fault`."""
        from smoadsl.builtins.schemas import misfit  # jsonschema is imported where there is a schema

        asked, fault = messages, ""
        for repair in (False, True):
            number, reply = await self._asker.ask(replace(place, repair=repair), call, asked, output, last=True)
            fault = misfit(output, reply.text)
            if not fault:
                return reply
            self._asker.tell(events.VerdictUnreadable, layer=place.layer, round=place.round, call=number, fault=fault)
            asked = self._prompts.repair(messages, reply.text, fault)
        raise Fault(FaultKind.BAD_BODY, f"{call.model} gave no answer that fits the schema: {fault}")


def _fitting(output: Mapping[str, Any] | None, went_on: WentOn) -> Response | None:
    """The best response that went on and can stand in for the aggregate's; under a schema, the best that fits it."""
    if output is None:
        return next(iter(went_on.best_first), None)
    from smoadsl.builtins.schemas import misfit

    return next((response for response in went_on.best_first if not misfit(output, response.text)), None)
