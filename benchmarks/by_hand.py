"""By hand, to do the calls with aiohttp and nothing else: no retries, no limits, no events. Others are held to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson

from benchmarks.work import Answer, Work, system_prompt

_MAX_TOKENS = 512


@asynccontextmanager
async def client(work: Work, base_url: str) -> AsyncIterator[Answer]:
    """The hand-written loop."""
    url = f"{base_url}/chat/completions"
    headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}
    turns = asyncio.Semaphore(work.connections)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers=headers, timeout=timeout
    ) as session:

        async def whole(model: str, encoded: bytes) -> str:
            body = b'{"model":"%s","max_tokens":%d,"messages":%s}' % (model.encode(), _MAX_TOKENS, encoded)
            async with turns, session.post(url, data=body) as response:
                reply = orjson.loads(await response.read())
                return str(reply["choices"][0]["message"]["content"])

        async def streamed(model: str, encoded: bytes) -> str:
            body = b'{"model":"%s","max_tokens":%d,"stream":true,"messages":%s}' % (
                model.encode(), _MAX_TOKENS, encoded,
            )  # fmt: skip
            async with turns, session.post(url, data=body) as response:
                return await _read(response)

        async def answer(prompt: str) -> str:
            answers: list[str] = []
            for _ in range(work.layers):
                messages = _encoded(prompt, answers)
                answers = await asyncio.gather(*(whole(model, messages) for model in work.models))
            return await (streamed if work.streams else whole)(work.last_model, _encoded(prompt, answers))

        yield answer


def _encoded(prompt: str, answers: list[str]) -> bytes:
    messages = [{"role": "system", "content": system_prompt(answers)}] if answers else []
    return orjson.dumps([*messages, {"role": "user", "content": prompt}])


async def _read(response: aiohttp.ClientResponse) -> str:
    """A stream's text, from whatever has arrived."""
    rest, text = b"", []
    while chunk := await response.content.readany():
        *events, rest = (rest + chunk).split(b"\n\n")
        for event in events:
            if event != b"data: [DONE]":
                choice = orjson.loads(event[6:])["choices"][0]
                text.append(choice["delta"].get("content") or "")
    return "".join(text)
