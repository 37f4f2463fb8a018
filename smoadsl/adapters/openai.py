"""OpenAI, to speak chat completions with any endpoint that follows it."""

from collections.abc import Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

import orjson

from smoadsl.adapters.base import JSON, Connection, Message, OnText, Reply, Request, Sampling
from smoadsl.adapters.dialect import Dialect
from smoadsl.adapters.fitting import check_fits, merged
from smoadsl.adapters.http import Client, encoded
from smoadsl.adapters.listing import listed
from smoadsl.adapters.narrow import names_all_it_requires, narrowed, plain_values
from smoadsl.adapters.openai_answer import CHAT
from smoadsl.adapters.reading import read_reply
from smoadsl.adapters.recent import Recent

PATH = "/chat/completions"
_NO_MESSAGES = b'"messages":[]'  # in JSON no text can hold this, as its quotes are escaped there
_MOST_AROUND = 256

# What strict mode takes: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
_STRICT_KEEPS = frozenset(
    "$defs $ref type title description enum const items properties required additionalProperties anyOf pattern format"
    " multipleOf minimum maximum exclusiveMinimum exclusiveMaximum minItems maxItems".split()
)  # fmt: skip


class OpenAI:
    """Any OpenAI-compatible endpoint."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        key = connection.api_key
        self._client = Client(connection, {"Authorization": f"Bearer {key}"} if key else {})
        self._around: dict[tuple[int, str, bool], tuple[Sampling, tuple[bytes, bytes, bytes]]] = {}
        self._messages: Recent[tuple[Message, ...], bytes] = Recent(lambda many: encoded(connection, _spelled(many)))

    def complete(self, request: Request, on_text: OnText | None = None) -> Coroutine[Any, Any, Reply]:
        """Make exactly one attempt, streamed if `on_text` wants the pieces."""
        read = partial(read_reply, self._connection, request, CHAT, on_text)
        return self._client.post(PATH, self._body(request, on_text is not None), read)

    def _body(self, request: Request, stream: bool) -> bytes:
        """The request as it is sent. What stands around the messages is the same for all requests of a route, and the
        messages are for most agents of a layer: both are written once."""
        sampling = request.sampling
        drawn_anew = sampling.seed is not None  # each call has a seed of its own
        if drawn_anew or request.schema is not None or request.n > 1 or "messages" in sampling.extra:
            return self._whole(request, stream)
        asked = id(sampling), request.model, stream
        known = self._around.get(asked)
        if known is None:
            whole = self._whole(replace(request, messages=()), stream)
            if len(self._around) >= _MOST_AROUND:
                self._around.clear()
            known = self._around[asked] = sampling, whole.partition(_NO_MESSAGES)
        before, _, after = known[1]
        return b'%s"messages":%s%s' % (before, self._messages(request.messages), after)

    def _whole(self, request: Request, stream: bool) -> bytes:
        check_fits("openai", self._connection, request)
        return encoded(self._connection, request_body(request, stream, self._connection.dialect))

    async def models(self) -> tuple[str, ...]:
        """The models that may be asked (https://platform.openai.com/docs/api-reference/models/list)."""
        return await listed(self._client, self._connection, "/models", "data", "id")

    async def aclose(self) -> None:
        await self._client.aclose()


def request_body(request: Request, stream: bool, dialect: Dialect) -> dict[str, JSON]:
    """The request as chat completions spell it. What is not set is not sent."""
    sampling = request.sampling
    optional: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "stop": list(sampling.stop) or None,
        dialect.seed: sampling.seed,
        "reasoning_effort": sampling.reasoning,
        "n": request.n if request.n > 1 else None,
        "response_format": None if request.schema is None else _response_format(request.schema, dialect),
    }
    body = {
        "model": request.model,
        "messages": _spelled(_messages(request, dialect)),
        dialect.most_tokens: sampling.max_tokens,
        **{name: value for name, value in optional.items() if value is not None},
    }
    return {
        **merged(body, sampling.extra),
        # Last even after `extra`: how the answer comes is what this adapter goes by when it reads it.
        "stream": stream,
        **({"stream_options": {"include_usage": True}} if stream and dialect.stream_usage else {}),
    }


def _messages(request: Request, dialect: Dialect) -> tuple[Message, ...]:
    """The messages, and the schema in words where the endpoint is not held to it otherwise."""
    if request.schema is None or dialect.schema in ("json_schema", "strict"):
        return request.messages
    schema = orjson.dumps(request.schema).decode()
    told = f"Answer with JSON alone, without any words around it. It must fit this JSON schema:\n{schema}"
    return (*request.messages, Message("user", told))


def _spelled(messages: tuple[Message, ...]) -> list[JSON]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _response_format(schema: Mapping[str, JSON], dialect: Dialect) -> JSON:
    match dialect.schema:
        case "words":
            return None
        case "json_object":
            return {"type": "json_object"}
        case "json_schema":
            return _named(schema, strict=True)
        case "strict":
            return _named(narrowed(schema, _keeps, closed=True), strict=names_all_it_requires(schema))
    assert_never(dialect.schema)


def _named(schema: Mapping[str, JSON], strict: bool) -> JSON:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": strict}}


def _keeps(keyword: str, value: JSON) -> bool:
    return keyword in _STRICT_KEEPS and (keyword != "enum" or plain_values(value))
