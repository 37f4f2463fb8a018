"""Keyless, to take a provider's key out of what it sent back, before that goes to a trace, a cache or another model."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from smoadsl.adapters.base import Choice, Fault, Reply
from smoadsl.adapters.words import without


def keyless(reply: Reply, secrets: Sequence[str]) -> Reply:
    """The reply with none of the secrets in any of its texts."""
    if not secrets or (not reply.faults and all(without(text, secrets) is text for text in _texts(reply))):
        return reply
    first, *others = (_choice(one, secrets) for one in reply.answers)
    return replace(
        reply,
        text=first.text,
        reasoning=first.reasoning,
        others=tuple(others),
        faults=tuple(keyless_fault(fault, secrets) for fault in reply.faults),
        model=without(reply.model, secrets),
    )


def _texts(reply: Reply) -> Iterator[str]:
    yield from (reply.model, reply.text, reply.reasoning)
    for other in reply.others:
        yield from (other.text, other.reasoning)


def keyless_fault(fault: Fault, secrets: Sequence[str]) -> Fault:
    """The fault, which then says none of the secrets; our own adapters see to that themselves."""
    fault.message = without(fault.message, secrets)
    fault.args = (fault.message,)
    return fault


def _choice(choice: Choice, secrets: Sequence[str]) -> Choice:
    return replace(choice, text=without(choice.text, secrets), reasoning=without(choice.reasoning, secrets))
