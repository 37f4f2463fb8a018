"""Ollama, to speak its own chat protocol, in which a prompt that is too long is an error and not cut in silence."""

from functools import partial
from typing import Any

from smoadsl.adapters.base import JSON, Connection, OnText, Reply, Request
from smoadsl.adapters.fitting import check_fits, merged
from smoadsl.adapters.http import Client
from smoadsl.adapters.lines import LineEvents
from smoadsl.adapters.listing import listed
from smoadsl.adapters.ollama_answer import CHAT
from smoadsl.adapters.reading import read_reply

PATH = "/api/chat"

_LEAST_CONTEXT = 4096  # Ollama's own default on a small machine
_BYTES_A_TOKEN = 2  # few texts have more tokens than that


class Ollama:
    """Ollama on this machine, or its cloud."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        key = connection.api_key
        self._client = Client(connection, {"Authorization": f"Bearer {key}"} if key else {})
        self._contexts: dict[str, int] = {}

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Make exactly one attempt, streamed if `on_text` wants the pieces."""
        check_fits("ollama", self._connection, request)
        body = request_body(request, on_text is not None, self._context(request))
        read = partial(read_reply, self._connection, request, CHAT, on_text, decoder=LineEvents)
        return await self._client.post(PATH, body, read)

    async def models(self) -> tuple[str, ...]:
        """The models that may be asked (https://docs.ollama.com/api/tags)."""
        return await listed(self._client, self._connection, "/api/tags", "models", "name")

    async def aclose(self) -> None:
        await self._client.aclose()

    def _context(self, request: Request) -> int:
        """The context to ask for. A model is loaded anew for another size, so it only grows, and by doubling."""
        context = self._contexts.get(request.model, _LEAST_CONTEXT)
        while context < tokens_at_most(request):
            context *= 2
        self._contexts[request.model] = context
        return context


def tokens_at_most(request: Request) -> int:
    """The most tokens that the prompt and its answer are likely to take together."""
    size = sum(len(message.content.encode("utf-8", "surrogatepass")) for message in request.messages)
    return size // _BYTES_A_TOKEN + request.sampling.max_tokens


def request_body(request: Request, stream: bool, context: int) -> dict[str, JSON]:
    """The request as /api/chat spells it. What is not set is not sent."""
    sampling = request.sampling
    optional: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
    }
    body: dict[str, JSON] = {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "options": {
            "num_predict": sampling.max_tokens,
            "num_ctx": context,
            **{name: value for name, value in optional.items() if value is not None},
        },
        # Otherwise the first messages are dropped without a word, from the prompt or while the answer is written.
        "truncate": False,
        "shift": False,
    }
    if sampling.reasoning is not None:
        body["think"] = False if sampling.reasoning == "none" else _effort(request.model, sampling.reasoning)
    if request.schema is not None:
        body["format"] = request.schema
    return {**merged(body, sampling.extra), "stream": stream}


def _effort(model: str, level: str) -> JSON:
    """Only gpt-oss thinks in levels; the others think or do not."""
    return level if "gpt-oss" in model else True
