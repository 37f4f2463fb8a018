"""Usage, to count tokens by what the provider says, or by the bytes when it says nothing that can be true."""

from collections.abc import Callable

from smoadsl.adapters.base import JSON, Request, Usage
from smoadsl.classes import dataclass

_BYTES_A_TOKEN = 4
_ABSURD = 1_000_000_000  # no model reads or writes this much in one call


@dataclass(slots=True)
class Counts:
    """What the provider said of the tokens, as it said it: nothing, nonsense or a number. `input` has the cached and
    the written in it, `output` the reasoning."""

    input: JSON = None
    output: JSON = None
    cached: JSON = None
    reasoning: JSON = None
    written: JSON = None


def usage_of(request: Request, text: Callable[[], str], said: Counts) -> Usage:
    """The usage of one call. A sum that is missing, not positive or absurd is estimated, and the whole flagged."""
    counted_input, counted_output = counted(said.input), counted(said.output)
    return Usage(
        input_tokens=counted_input or _estimated(*(message.content for message in request.messages)),
        output_tokens=counted_output or _estimated(text()),
        estimated=not (counted_input and counted_output),
        cached_tokens=_part(said.cached, counted_input),
        reasoning_tokens=_part(said.reasoning, counted_output),
        written_tokens=_part(said.written, counted_input - _part(said.cached, counted_input)),
    )


def counted(said: JSON) -> int:
    """A number of tokens that can be true, else 0."""
    return said if type(said) is int and 0 < said < _ABSURD else 0  # `type`, as True is an int too


def _part(said: JSON, whole: int) -> int:
    """A part of a sum; one that is more than the whole is no part of it."""
    part = counted(said) if said else 0
    return part if part <= whole else 0


def _estimated(*texts: str) -> int:
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return max(1, -(-size // _BYTES_A_TOKEN))
