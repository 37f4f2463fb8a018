"""Gemini, to speak Google's generateContent."""

import re
from functools import partial
from typing import Any
from urllib.parse import quote

from smoadsl.adapters.base import JSON, Connection, Message, OnText, Reply, Request
from smoadsl.adapters.fitting import check_fits, merged
from smoadsl.adapters.gemini_answer import CANDIDATES
from smoadsl.adapters.http import Client
from smoadsl.adapters.listing import listed
from smoadsl.adapters.narrow import narrowed, plain_values
from smoadsl.adapters.reading import read_reply

# Generation 2.5 is told how many tokens to think, later ones how hard: https://ai.google.dev/gemini-api/docs/thinking
_BY_BUDGET = re.compile(r"(models/)?gemini-2\.")
_BUDGETS = {"none": 0, "low": 1024, "medium": 8192, "high": 24576}
_LEVELS = {"none": "minimal", "low": "low", "medium": "medium", "high": "high"}

# What `responseJsonSchema` takes of JSON Schema, as its reference lists it.
_KEEPS = frozenset(
    "$id $defs $ref $anchor type format title description enum items prefixItems minItems maxItems minimum maximum"
    " anyOf oneOf properties additionalProperties required".split()
)  # fmt: skip


class Gemini:
    """Google's models behind v1beta, or who follows it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        key = connection.api_key
        self._client = Client(connection, {"x-goog-api-key": key} if key else {})

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Make exactly one attempt, streamed if `on_text` wants the pieces."""
        check_fits("gemini", self._connection, request)
        body = request_body(request)
        read = partial(read_reply, self._connection, request, CANDIDATES, on_text)
        return await self._client.post(path(request, on_text is not None), body, read)

    async def models(self) -> tuple[str, ...]:
        """The models that may be asked (https://ai.google.dev/api/models)."""
        names = await listed(self._client, self._connection, "/models?pageSize=1000", "models", "name")
        return tuple(name.removeprefix("models/") for name in names)

    async def aclose(self) -> None:
        await self._client.aclose()


def path(request: Request, stream: bool) -> str:
    """Where the model is asked: its name is part of the path, so nothing in it may lead elsewhere."""
    name = quote(request.model.removeprefix("models/"), safe="")
    return f"/models/{name}:streamGenerateContent?alt=sse" if stream else f"/models/{name}:generateContent"


def request_body(request: Request) -> dict[str, JSON]:
    """The request as generateContent spells it. What is not set is not sent."""
    sampling = request.sampling
    optional: dict[str, Any] = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "frequencyPenalty": sampling.frequency_penalty,
        "presencePenalty": sampling.presence_penalty,
        "stopSequences": list(sampling.stop) or None,
        "seed": sampling.seed,
        "candidateCount": request.n if request.n > 1 else None,
        "thinkingConfig": _thinking(request),
    }
    config = {
        "maxOutputTokens": sampling.max_tokens,
        **{name: value for name, value in optional.items() if value is not None},
    }
    if request.schema is not None:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = narrowed(request.schema, _keeps)
    system = [{"text": message.content} for message in request.messages if message.role == "system"]
    body = {
        "contents": [_content(message) for message in request.messages if message.role != "system"],
        **({"systemInstruction": {"parts": system}} if system else {}),
        "generationConfig": config,
    }
    return merged(body, sampling.extra)


def _content(message: Message) -> JSON:
    return {"role": "model" if message.role == "assistant" else "user", "parts": [{"text": message.content}]}


def _thinking(request: Request) -> JSON:
    level = request.sampling.reasoning
    if level is None:
        return None
    return {"thinkingBudget": _BUDGETS[level]} if _BY_BUDGET.match(request.model) else {"thinkingLevel": _LEVELS[level]}


def _keeps(keyword: str, value: JSON) -> bool:
    return keyword in _KEEPS and (keyword != "enum" or plain_values(value))
