"""Fitting, to cut the longest responses of a prompt that is too long for its model, to equal length and not in silence.

A text counts one token for three bytes here: nearly every text has fewer, so that what was cut fits, and what fits is
hardly ever cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from smoadsl.adapters.base import Message
from smoadsl.adapters.words import size_of
from smoadsl.plan.plan import Call
from smoadsl.runtime.asker import Asker
from smoadsl.runtime.prompts import Response

_BYTES_PER_TOKEN = 3
_MARK = " […]"  # where a response was cut

Messages = tuple[Message, ...]


def fitted(
    asker: Asker, layer: str, round_: int, who: str, call: Call, responses: Sequence[Response],
    write: Callable[[Sequence[Response]], Messages],
) -> Messages:  # fmt: skip
    """The messages that `write` makes of the responses. Where they are too long for the context of the call's model,
    the longest responses are cut, and the run is told to be degraded."""
    messages = write(responses)
    route = call.routes[0]
    if route.context is None or not responses:
        return messages
    room = _BYTES_PER_TOKEN * max(route.context - route.sampling.max_tokens, 0)
    excess = sum([size_of(message.content) for message in messages]) - room
    if excess <= 0:
        return messages
    sizes = [size_of(response.text) for response in responses]
    most = _level(sizes, sum(sizes) - excess - len(sizes) * size_of(_MARK))
    why = (
        f"what {who} reads is too long for {route.model}, which can hold {route.context:,} tokens: "
        f"the longest responses were cut to {most:,} bytes"
    )
    asker.degrade(layer, round_, why)
    return write([replace(r, text=_cut(r.text, most)) if size_of(r.text) > most else r for r in responses])


def _level(sizes: Sequence[int], room: int) -> int:
    """The length to which the longest have to be cut so that all together fit."""
    left, waiting = max(room, 0), len(sizes)
    for size in sorted(sizes):
        if size * waiting > left:
            return left // waiting
        left, waiting = left - size, waiting - 1
    return max(sizes)


def _cut(text: str, most: int) -> str:
    """At most so many bytes of a text, and a mark."""
    return text.encode("utf-8", "surrogatepass")[:most].decode("utf-8", "ignore") + _MARK
