"""Keyless, to take a provider's key out of what it sent back, before that goes to a trace, a cache or another model."""

from dataclasses import replace

from smoadsl.adapters.base import Choice, Fault, Reply
from smoadsl.adapters.words import Secrets, shows_any, without


def keyless(reply: Reply, secrets: Secrets) -> Reply:
    """The reply with none of the secrets in any of its texts."""
    if not secrets or not (reply.faults or shows_any("\n".join(_texts(reply)), secrets)):
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


def _texts(reply: Reply) -> tuple[str, ...]:
    texts = reply.model, reply.text, reply.reasoning
    if reply.others:
        return (*texts, *[text for other in reply.others for text in (other.text, other.reasoning)])
    return texts


def keyless_fault(fault: Fault, secrets: Secrets) -> Fault:
    """The fault, which then says none of the secrets; our own adapters see to that themselves."""
    fault.message = without(fault.message, secrets)
    fault.args = (fault.message,)
    return fault


def _choice(choice: Choice, secrets: Secrets) -> Choice:
    return replace(choice, text=without(choice.text, secrets), reasoning=without(choice.reasoning, secrets))
