"""Anthropic, to speak the Messages API."""

import re
from functools import partial
from typing import Any

from smoadsl.adapters.anthropic_answer import MESSAGE
from smoadsl.adapters.base import JSON, Connection, Fault, FaultKind, Message, OnText, Reply, Request
from smoadsl.adapters.fitting import check_fits, merged
from smoadsl.adapters.http import Client
from smoadsl.adapters.listing import listed
from smoadsl.adapters.narrow import narrowed, plain_values
from smoadsl.adapters.reading import read_reply

PATH = "/messages"
_VERSION = "2023-06-01"  # of the protocol; it has not changed since

# How a model is told to think, by its id: https://platform.claude.com/docs/en/build-with-claude/thinking
_BY_BUDGET = re.compile(r"claude-(3|(opus|sonnet|haiku)-4(-[0-5])?(-\d{8}|-latest)?$)")
_NOT_BY_ITSELF = re.compile(r"claude-(3|(opus|sonnet|haiku)-4)")
_BETWEEN_TOOLS_AT_LEAST = re.compile(r"claude-sonnet-5-5")
_BUDGETS = {"low": 1024, "medium": 4096, "high": 16384}
_LEAST_BUDGET = 1024

# What has fewer than 1,024 tokens is not kept, with some models fewer than 4,096; a mark is passed over then, and free:
# https://platform.claude.com/docs/en/build-with-claude/prompt-caching
_WORTH_KEEPING_BYTES = 3 * 1024

# What structured outputs take of JSON Schema; `minItems` only as 0 or 1.
_KEEPS = frozenset(
    "$defs $ref type title description enum const items properties required additionalProperties anyOf allOf format"
    .split()
)  # fmt: skip


class Anthropic:
    """Anthropic, and who follows its protocol."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        headers = {"anthropic-version": _VERSION}
        if connection.api_key:
            headers["x-api-key"] = connection.api_key
        self._client = Client(connection, headers)

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Make exactly one attempt, streamed if `on_text` wants the pieces."""
        check_fits("anthropic", self._connection, request)
        body = request_body(request, on_text is not None, self._connection.provider)
        read = partial(read_reply, self._connection, request, MESSAGE, on_text)
        return await self._client.post(PATH, body, read)

    async def models(self) -> tuple[str, ...]:
        """The models that may be asked (https://platform.claude.com/docs/en/api/models-list)."""
        return await listed(self._client, self._connection, "/models?limit=1000", "data", "id")

    async def aclose(self) -> None:
        await self._client.aclose()


def request_body(request: Request, stream: bool, provider: str) -> dict[str, JSON]:
    """The request as the Messages API spells it. What is not set is not sent."""
    sampling = request.sampling
    system = [message for message in request.messages if message.role == "system"]
    turns = [message for message in request.messages if message.role != "system"]
    optional: dict[str, Any] = {
        "system": [block for message in system for block in _blocks(message, sampling.prompt_cache)],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "stop_sequences": list(sampling.stop),
        "thinking": _thinking(request, provider),
        "output_config": _output_config(request),
    }
    body = {
        "model": request.model,
        "max_tokens": sampling.max_tokens,
        "messages": [{"role": turn.role, "content": _blocks(turn, sampling.prompt_cache)} for turn in turns],
        **{name: value for name, value in optional.items() if value not in (None, [], {})},
    }
    return {**merged(body, sampling.extra), "stream": stream}


def _blocks(message: Message, keep: bool | None) -> list[JSON]:
    """A message as one block of text, or as two, the first of which is to be kept."""
    lasting, rest = message.content[: message.lasting], message.content[message.lasting :]
    if not keep or len(lasting.encode("utf-8", "surrogatepass")) < _WORTH_KEEPING_BYTES:
        return [{"type": "text", "text": message.content}]
    kept = {"type": "text", "text": lasting, "cache_control": {"type": "ephemeral"}}
    return [kept, {"type": "text", "text": rest}] if rest else [kept]


def _thinking(request: Request, provider: str) -> JSON:
    model, level, most = request.model, request.sampling.reasoning, request.sampling.max_tokens
    if level is None:
        return None
    if level == "none":
        if _NOT_BY_ITSELF.match(model):
            return None
        return {"type": "between_tools" if _BETWEEN_TOOLS_AT_LEAST.match(model) else "disabled"}
    if not _BY_BUDGET.match(model):
        return {"type": "adaptive"}
    if most <= _LEAST_BUDGET:
        message = f"{provider} can not be asked like this: to think, {model} needs max_tokens above {_LEAST_BUDGET}"
        raise Fault(FaultKind.LOCAL, message)
    return {"type": "enabled", "budget_tokens": min(_BUDGETS[level], most - 1)}


def _output_config(request: Request) -> dict[str, JSON]:
    config: dict[str, JSON] = {}
    level = request.sampling.reasoning
    if level not in (None, "none") and not _BY_BUDGET.match(request.model):
        config["effort"] = level
    if request.schema is not None:
        config["format"] = {"type": "json_schema", "schema": narrowed(request.schema, _keeps, closed=True)}
    return config


def _keeps(keyword: str, value: JSON) -> bool:
    if keyword == "minItems":
        return value in (0, 1)
    return keyword in _KEEPS and (keyword != "enum" or plain_values(value))
