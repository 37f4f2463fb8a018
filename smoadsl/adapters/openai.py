"""OpenAI, to speak chat completions with any endpoint that follows it."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from smoadsl.adapters.base import JSON, Connection, Fault, FaultKind, OnText, Reply, Request
from smoadsl.adapters.http import Client
from smoadsl.adapters.http_answer import Answer
from smoadsl.adapters.openai_answer import ChatAnswer
from smoadsl.adapters.sse import Decoder

PATH = "/chat/completions"

# After the finish reason only the usage and [DONE] may follow: worth a moment, never worth the answer.
_USAGE_GRACE_S = 0.5
_CLOSE_GRACE_S = 0.05  # lets the body end in good order, so that the connection can serve again


class OpenAI:
    """Any OpenAI-compatible endpoint."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        key = connection.api_key
        self._client = Client(connection, {"Authorization": f"Bearer {key}"} if key else {})

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Make exactly one attempt, streamed if `on_text` wants the pieces."""
        body = request_body(request, stream=on_text is not None)
        return await self._client.post(PATH, body, partial(self._read, request, on_text))

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _read(self, request: Request, on_text: OnText | None, answer: Answer) -> Reply:
        chat = ChatAnswer(self._connection, request)
        if on_text is not None and answer.content_type not in ("application/json", "text/html"):
            await self._read_stream(chat, answer, on_text)
        else:
            chat.take_whole(await answer.json())
        reply = chat.reply()
        if on_text is not None and not chat.streamed:  # asked for a stream, it answered in one piece
            on_text(reply.text)
        return reply

    async def _read_stream(self, chat: ChatAnswer, answer: Answer, on_text: OnText) -> None:
        """Take events until the stream is over, or until nothing that matters can follow."""
        decoder = Decoder(self._connection.provider)
        loop = asyncio.get_running_loop()
        grace = asyncio.timeout(None)
        try:
            async with grace:
                while chunk := await answer.chunk():
                    for event in decoder.feed(chunk):
                        if chat.take_event(event, on_text):
                            answer.progress()
                    if chat.done:
                        grace.reschedule(loop.time() + _CLOSE_GRACE_S)
                    elif chat.finished and grace.when() is None:
                        grace.reschedule(loop.time() + _USAGE_GRACE_S)
        except TimeoutError:
            if not grace.expired():
                raise
        except Fault as fault:
            if not chat.finished and fault.kind is FaultKind.TRUNCATED:
                _take_rest(chat, decoder, on_text)
            if not chat.finished:
                raise
        else:
            _take_rest(chat, decoder, on_text)


def _take_rest(chat: ChatAnswer, decoder: Decoder, on_text: OnText) -> None:
    """An event that was cut off may still be whole enough to say that the answer is."""
    for event in decoder.end():
        chat.take_event(event, on_text)


def request_body(request: Request, stream: bool) -> dict[str, JSON]:
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
        "seed": sampling.seed,
        "reasoning_effort": sampling.reasoning,
        "response_format": None if request.schema is None else _response_format(request.schema),
    }
    return {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_tokens": sampling.max_tokens,
        **{name: value for name, value in optional.items() if value is not None},
        **sampling.extra,
        # Last even after `extra`: how the answer comes is what this adapter goes by when it reads it.
        "stream": stream,
        **({"stream_options": {"include_usage": True}} if stream else {}),
    }


def _response_format(schema: Mapping[str, JSON]) -> JSON:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}
