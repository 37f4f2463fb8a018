"""An Anthropic answer, to read a message: a whole one, or the events from message_start to message_stop."""

from smoadsl.adapters.base import JSON, FaultKind
from smoadsl.adapters.gather import Gathering, Misshapen, Wire, part_of, text_of
from smoadsl.adapters.usage import counted


def _take_body(so_far: Gathering, body: dict[str, JSON]) -> None:
    if not isinstance(body.get("content"), list):
        raise Misshapen
    _start(so_far, body)
    for block in body["content"]:
        _take_block(so_far, block)
    _end(so_far, body)


def _take_event(so_far: Gathering, body: dict[str, JSON]) -> bool:
    match body.get("type"):
        case "message_start":
            _start(so_far, part_of(body.get("message"), dict))
            return False
        case "content_block_start":
            _take_block(so_far, body.get("content_block"))
            return True
        case "content_block_delta":
            _take_block(so_far, body.get("delta"))
            return True
        case "message_delta":
            _count(so_far, body.get("usage"))
            _end(so_far, part_of(body.get("delta"), dict))
            return True
        case "message_stop" if so_far.reasons[0]:
            so_far.finish()
            return True
    return False  # a ping, the end of a block, or what is not known yet


def _start(so_far: Gathering, message: dict[str, JSON]) -> None:
    if isinstance(model := message.get("model"), str) and model:
        so_far.model = model
    _count(so_far, message.get("usage"))


def _take_block(so_far: Gathering, block: JSON) -> None:
    """A block of the content or a piece of one. What is neither text nor thinking was not asked for."""
    if not isinstance(block, dict):
        raise Misshapen
    match block.get("type"):
        case "text" | "text_delta":
            so_far.says(0, text_of(block.get("text")))
        case "thinking" | "thinking_delta":
            so_far.thinks(0, text_of(block.get("thinking")))


def _end(so_far: Gathering, message: dict[str, JSON]) -> None:
    """The reason is one half of the end: only message_stop says that no block is missing."""
    if message.get("stop_reason") == "refusal":
        details = message.get("stop_details")
        words = details.get("explanation") or details.get("category") if isinstance(details, dict) else ""
        so_far.refuses(0, words if isinstance(words, str) else "")
    so_far.ends(0, message.get("stop_reason"), whole=False)


def _count(so_far: Gathering, usage: JSON) -> None:
    """The tokens. What was read from the cache or written to it is no part of Anthropic's `input_tokens`, but of ours.
    Later events say the sums anew, or only some of them."""
    if not isinstance(usage, dict):
        return
    if "input_tokens" in usage and usage["input_tokens"] is not None:
        read = counted(usage.get("cache_read_input_tokens"))
        written = counted(usage.get("cache_creation_input_tokens"))
        own = usage["input_tokens"]
        so_far.counts.input = own + read + written if type(own) is int and own >= 0 else own
        so_far.counts.cached, so_far.counts.written = read, written
    if "output_tokens" in usage:
        so_far.counts.output = usage["output_tokens"]
    if isinstance(details := usage.get("output_tokens_details"), dict):
        so_far.counts.reasoning = details.get("thinking_tokens")


MESSAGE = Wire(
    name="message",
    endings={
        "end_turn": "stop", "stop_sequence": "stop",
        "max_tokens": "length", "model_context_window_exceeded": "length",
        "refusal": FaultKind.REFUSED,
        "tool_use": FaultKind.EMPTY, "pause_turn": FaultKind.TRUNCATED,  # nobody asked for tools or for long turns
    },
    take_body=_take_body,
    take_event=_take_event,
)  # fmt: skip
"""The Messages API."""
