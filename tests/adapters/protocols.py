"""Protocols, to say one and the same answer in each of the four, so that what must hold for all is tested on all."""

from dataclasses import dataclass
from typing import Any

import orjson

from smoadsl.adapters.base import Usage
from tests.adapters.attempts import STREAM as OPENAI_STREAM
from tests.adapters.attempts import TEXT, completion
from tests.adapters.wall import events, head

PIECES = ["Be", "cause", " – 🐝."]
assert "".join(PIECES) == TEXT


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a protocol says the answer. `complete` is what the part of the stream ends with that makes it an answer;
    `whole_path` and `stream_path` are where it is asked for."""

    adapter: str
    whole: Any
    stream: bytes
    complete: bytes
    whole_path: str
    stream_path: str
    key_header: str
    error: Any
    content_type: str = "text/event-stream"
    key_prefix: str = ""

    @property
    def closing_head(self) -> bytes:
        """The head of a stream that only the closed connection ends: where a cut looks like an end."""
        return head(200, {"Content-Type": self.content_type, "Connection": "close"})

    @property
    def chunked_head(self) -> bytes:
        return head(200, {"Content-Type": self.content_type, "Transfer-Encoding": "chunked"})


def named(*values: dict[str, Any]) -> bytes:
    """Each value as one event with its name, as Anthropic sends them."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (value["type"].encode(), orjson.dumps(value)) for value in values)


def lines(*values: Any) -> bytes:
    """Each value as one line, text as it is and anything else as JSON."""
    return b"".join((value.encode() if isinstance(value, str) else orjson.dumps(value)) + b"\n" for value in values)


# ---- Anthropic

CLAUDE_USAGE = {"input_tokens": 4, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 5, "output_tokens": 1}


def message(*texts: str, reason: Any = "end_turn", **more: Any) -> dict[str, Any]:
    """A whole message."""
    content = [{"type": "text", "text": text} for text in texts]
    usage = {**CLAUDE_USAGE, "output_tokens": 7}
    own = {"id": "m", "type": "message", "role": "assistant", "model": "answered", "usage": usage}
    return {**own, "content": content, "stop_reason": reason, "stop_sequence": None, **more}


START = {"type": "message_start", "message": {**message(reason=None), "usage": CLAUDE_USAGE}}
OPEN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
CLOSED = {"type": "content_block_stop", "index": 0}
PING = {"type": "ping"}
STOP = {"type": "message_stop"}


def delta(text: str, kind: str = "text") -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": f"{kind}_delta", kind: text}}


def ending(reason: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    said = {"stop_reason": reason, "stop_sequence": None, **more}
    return {"type": "message_delta", "delta": said, "usage": {"output_tokens": 7}}


# ---- Gemini


def candidate(text: str | None = None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    content = {} if text is None else {"content": {"role": "model", "parts": [{"text": text}]}}
    return {**content, **({"finishReason": reason} if reason else {}), "index": 0, **more}


GEMINI_USAGE = {"promptTokenCount": 11, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 18}


def generated(*candidates: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole response, or one event of a streamed one."""
    return {"candidates": list(candidates), "usageMetadata": GEMINI_USAGE, "modelVersion": "answered", **more}


# ---- Ollama


def chat(content: str = "", reason: str = "", **more: Any) -> dict[str, Any]:
    """A whole chat response, or one line of a streamed one."""
    end = {"done": True, "done_reason": reason, "prompt_eval_count": 11, "eval_count": 7} if reason else {"done": False}
    return {"model": "answered", "message": {"role": "assistant", "content": content, **more}, **end}


USAGES = {
    "openai": Usage(11, 7),
    "anthropic": Usage(11, 7, cached_tokens=5, written_tokens=2),
    "gemini": Usage(11, 7, reasoning_tokens=2),
    "ollama": Usage(11, 7),
}

OPENAI = Protocol(
    adapter="openai",
    whole=completion(TEXT),
    stream=OPENAI_STREAM,
    complete=b'"finish_reason":"stop"}]}',
    whole_path="/v1/chat/completions",
    stream_path="/v1/chat/completions",
    key_header="authorization",
    key_prefix="Bearer ",
    error={"error": {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}},
)
ANTHROPIC = Protocol(
    adapter="anthropic",
    whole=message(TEXT),
    stream=named(START, OPEN, PING, *(delta(piece) for piece in PIECES), CLOSED, ending(), STOP),
    complete=b'{"type":"message_stop"}',
    whole_path="/v1/messages",
    stream_path="/v1/messages",
    key_header="x-api-key",
    error={"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down."}},
)
GEMINI = Protocol(
    adapter="gemini",
    whole=generated(candidate(TEXT, "STOP")),
    stream=events(
        *(generated(candidate(piece)) for piece in PIECES[:2]), generated(candidate(PIECES[2], "STOP"))
    ).replace(b"\n", b"\r\n"),
    complete=b'"modelVersion":"answered"}',
    whole_path="/v1/models/asked:generateContent",
    stream_path="/v1/models/asked:streamGenerateContent?alt=sse",
    key_header="x-goog-api-key",
    error={"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Slow down."}},
)
OLLAMA = Protocol(
    adapter="ollama",
    whole=chat(TEXT, "stop"),
    stream=lines(*(chat(piece) for piece in PIECES), chat("", "stop")),
    complete=b'"eval_count":7}',
    whole_path="/v1/api/chat",
    stream_path="/v1/api/chat",
    key_header="authorization",
    key_prefix="Bearer ",
    error={"error": "Slow down."},
    content_type="application/x-ndjson",
)
PROTOCOLS = [OPENAI, ANTHROPIC, GEMINI, OLLAMA]
