"""Usage, to count tokens by what the provider says, or by the bytes when it says nothing that can be true."""

from smoadsl.adapters.base import JSON, Request, Usage

_BYTES_A_TOKEN = 4
_ABSURD = 1_000_000_000  # no model reads or writes this much in one call


def usage_of(request: Request, text: str, said_input: JSON, said_output: JSON, said_cached: JSON = None) -> Usage:
    """The usage of one call. A number that is missing, not positive or absurd is estimated, and the whole flagged.
    `said_cached` is the part of the input that came from the provider's cache; one that is no such part is none."""
    counted_input, counted_output = _counted(said_input), _counted(said_output)
    return Usage(
        input_tokens=counted_input or _estimated(*(message.content for message in request.messages)),
        output_tokens=counted_output or _estimated(text),
        estimated=not (counted_input and counted_output),
        cached_tokens=_counted(said_cached) if _counted(said_cached) <= counted_input else 0,
    )


def _counted(said: JSON) -> int:
    return said if type(said) is int and 0 < said < _ABSURD else 0  # `type`, as True is an int too


def _estimated(*texts: str) -> int:
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return max(1, -(-size // _BYTES_A_TOKEN))
