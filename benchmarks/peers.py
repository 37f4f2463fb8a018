"""Peers, to do the calls as others do who have the same job: the official SDK, mixture-llm, and LangGraph."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import add
from typing import Annotated, Any, TypedDict

from benchmarks.work import Answer, Work, system_prompt

_MAX_TOKENS = 512


def _openai(work: Work, base_url: str) -> Any:
    """The official client, with as many connections as the others have."""
    import httpx2 as httpx
    import openai

    limits = httpx.Limits(max_connections=work.connections, max_keepalive_connections=work.connections)
    return openai.AsyncOpenAI(
        base_url=base_url, api_key="none", http_client=openai.DefaultAsyncHttpxClient(limits=limits)
    )


@asynccontextmanager
async def openai_sdk(work: Work, base_url: str) -> AsyncIterator[Answer]:
    """A loop around the official client."""
    async with _openai(work, base_url) as sdk:

        async def whole(model: str, messages: list[Any]) -> str:
            reply = await sdk.chat.completions.create(model=model, messages=messages, max_tokens=_MAX_TOKENS)
            return str(reply.choices[0].message.content)

        async def streamed(model: str, messages: list[Any]) -> str:
            stream = await sdk.chat.completions.create(
                model=model, messages=messages, max_tokens=_MAX_TOKENS, stream=True
            )
            return "".join([event.choices[0].delta.content or "" async for event in stream])

        async def answer(prompt: str) -> str:
            answers: list[str] = []
            for _ in range(work.layers):
                messages = _messages(prompt, answers)
                answers = await asyncio.gather(*(whole(model, messages) for model in work.models))
            return await (streamed if work.streams else whole)(work.last_model, _messages(prompt, answers))

        yield answer


@asynccontextmanager
async def mixture_llm(work: Work, base_url: str) -> AsyncIterator[Answer]:
    """mixture-llm, with the official client behind it, as its documentation has it."""
    import mixture_llm as mixture

    models = list(work.models)
    steps: list[Any] = [mixture.Propose(models, max_tokens=_MAX_TOKENS)]
    steps += [mixture.Synthesize(models, max_tokens=_MAX_TOKENS) for _ in range(work.layers - 1)]
    steps += [mixture.Aggregate(work.last_model, max_tokens=_MAX_TOKENS)]
    async with _openai(work, base_url) as sdk:

        async def ask(*, model: str, messages: Any, temp: float, max_tokens: int) -> tuple[str, int, int]:
            reply = await sdk.chat.completions.create(
                model=model, messages=messages, temperature=temp, max_tokens=max_tokens
            )
            return reply.choices[0].message.content, reply.usage.prompt_tokens, reply.usage.completion_tokens

        async def answer(prompt: str) -> str:
            return str((await mixture.run(steps, prompt, ask))[0])

        yield answer


class _State(TypedDict, total=False):
    """What the graph carries: the prompt, the answers so far with the numbers of their layers, and the last one."""

    prompt: str
    answers: Annotated[list[tuple[int, str]], add]
    text: str


@asynccontextmanager
async def langgraph(work: Work, base_url: str) -> AsyncIterator[Answer]:
    """LangGraph with langchain-openai: a node for each call, the layers joined by edges."""
    from langchain_openai import ChatOpenAI
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(_State)
    chat = {
        model: ChatOpenAI(model=model, base_url=base_url, api_key="none", max_tokens=_MAX_TOKENS)  # type: ignore[call-arg, arg-type, unused-ignore]
        for model in {*work.models, work.last_model}
    }

    def node(model: str, layer: int) -> Any:
        async def ask(state: Any) -> Any:
            seen = [text for at, text in state.get("answers", ()) if at == layer - 1]
            reply = await chat[model].ainvoke(_messages(state["prompt"], seen))
            return {"text": reply.content} if layer == work.layers else {"answers": [(layer, reply.content)]}

        return ask

    before = [START]
    for layer in range(work.layers):
        names = [f"layer{layer}_{place}" for place in range(work.proposers)]
        for name, model in zip(names, work.models, strict=True):
            graph.add_node(name, node(model, layer))
            graph.add_edge(before if layer else START, name)  # type: ignore[arg-type, unused-ignore]
        before = names
    graph.add_node("aggregate", node(work.last_model, work.layers))
    graph.add_edge(before, "aggregate")
    graph.add_edge("aggregate", END)
    compiled = graph.compile()

    async def answer(prompt: str) -> str:
        return str((await compiled.ainvoke({"prompt": prompt, "answers": []}))["text"])

    yield answer


def _messages(prompt: str, answers: list[str]) -> list[dict[str, str]]:
    system = [{"role": "system", "content": system_prompt(answers)}] if answers else []
    return [*system, {"role": "user", "content": prompt}]
