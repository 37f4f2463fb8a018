"""Verdicts, to ask for one that can be read: once, and once more with the fault named."""

from collections.abc import Sequence
from dataclasses import replace

from smoadsl.adapters.base import Fault, Message
from smoadsl.builtins.verdicts import Question, Unreadable, Verdict, labels_for, read, schema
from smoadsl.plan.plan import Call
from smoadsl.runtime import events
from smoadsl.runtime.asker import Asker, Place
from smoadsl.runtime.fitting import fitted
from smoadsl.runtime.prompts import Prompts, Response


async def ask_verdict(
    asker: Asker, prompts: Prompts, place: Place, call: Call, messages: tuple[Message, ...], question: Question
) -> Verdict | None:
    """The verdict; None when there is none that can be read. Who decides then is the caller's to say."""
    asked = messages
    for repair in (False, True):
        try:
            number, reply = await asker.ask(replace(place, repair=repair), call, asked, schema(question))
        except Fault:
            return None  # told as CallFailed; to ask an unreachable judge once more would not mend it
        try:
            return read(question, reply.text)
        except Unreadable as wrong:
            fault = str(wrong) if reply.finish != "length" else f"it was cut at {call.max_tokens} tokens"
            asker.tell(events.VerdictUnreadable, layer=place.layer, round=place.round, call=number, fault=fault)
            asked = prompts.repair(messages, reply.text, fault)
    return None


async def ask_moderator(
    asker: Asker, prompts: Prompts, call: Call, responses: Sequence[Response], layer: str, number: int
) -> Verdict:
    """A moderator's word on its own. One that can not be read is a no, and degrades the run."""
    labelled = dict(zip(labels_for(range(len(responses))), responses, strict=True))

    def write(shown: Sequence[Response]) -> tuple[Message, ...]:
        return prompts.moderator(call, dict(zip(labelled, shown, strict=True)), layer, number)

    messages = fitted(asker, layer, number, "the moderator", call, list(labelled.values()), write)
    agents = {label: response.agent for label, response in labelled.items()}
    place = Place("moderator", "moderator", layer, number, labels=agents)
    verdict = await ask_verdict(asker, prompts, place, call, messages, Question("moderate"))
    if verdict is not None:
        return verdict
    tell_no_word(asker, call, layer, number)
    return Verdict(stop=False)


def tell_no_word(asker: Asker, call: Call, layer: str, number: int) -> None:
    """A moderator without a word has said no, and the run is degraded."""
    asker.degrade(layer, number, f"the moderator {call.model} {no_verdict(asker)}; that counts as no")


def no_verdict(asker: Asker) -> str:
    """What is told of whoever was to give a verdict and gave none, asked or not."""
    return f"gave no verdict, as {asker.spent}" if asker.spent else "gave no verdict that can be read"
