"""Test dialects, to see each endpoint asked in its own way, and what it would refuse told before it is sent."""

import re
from dataclasses import fields, replace
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest

from smoadsl.adapters import ADAPTERS, IN_PROCESS
from smoadsl.adapters.base import FaultKind, Request, Sampling
from smoadsl.adapters.dialect import PLAIN, Dialect, Setting
from smoadsl.adapters.openai import request_body
from smoadsl.builtins.providers import WELL_KNOWN, dialect_of, untaken
from tests.adapters.attempts import ACME, REQUEST, completion, tried
from tests.adapters.wall import answer

SCHEMA = {
    "type": "object",
    "properties": {"best": {"type": "array", "items": {"type": "string", "maxLength": 9}, "minItems": 2}},
    "required": ["best"],
}


def body(dialect: Dialect, schema: Any = None, stream: bool = False, **sampling: Any) -> dict[str, Any]:
    return request_body(replace(REQUEST, schema=schema, sampling=Sampling(50, **sampling)), stream, dialect)


def test_the_table_is_in_order() -> None:
    for name, row in WELL_KNOWN.items():
        assert row.adapter in ADAPTERS
        assert re.fullmatch(r"[A-Z_]+|", row.key), name
        assert bool(row.base_url) is (name not in IN_PROCESS)
        is_ours = name in IN_PROCESS
        assert row.dialect is PLAIN or is_ours or urlsplit(row.source).scheme == "https", f"{name}: who says so?"
        assert bool(row.key) is (urlsplit(row.base_url).scheme == "https")
        for rule in row.dialect.models:
            re.compile(rule.pattern)
    hosted = [name for name, row in WELL_KNOWN.items() if row.key]
    assert len({WELL_KNOWN[name].base_url for name in hosted}) == len({WELL_KNOWN[name].key for name in hosted})


def test_the_settings_are_those_of_a_sampling() -> None:
    assert set(get_args(Setting)) == {field.name for field in fields(Sampling)} - {"max_tokens", "extra"}


def test_an_address_brings_its_dialect_whatever_its_name() -> None:
    openai = WELL_KNOWN["openai"].dialect
    assert dialect_of("openai", "https://API.openai.com/v1/") is openai
    assert dialect_of("openai", "https://mine.openai.azure.com/openai/v1") is openai
    assert dialect_of("openai", "https://openai.azure.com.evil.invalid/v1") is PLAIN
    assert dialect_of("anthropic", "https://api.openai.com/v1") is PLAIN
    assert dialect_of("openai", "https://[x") is PLAIN
    assert dialect_of("local", "") is PLAIN


def test_the_bound_the_seed_and_the_usage_have_their_names() -> None:
    openai, mistral = WELL_KNOWN["openai"].dialect, WELL_KNOWN["mistral"].dialect
    assert body(openai)["max_completion_tokens"] == 50
    assert "max_tokens" not in body(openai)
    assert body(mistral, seed=3, stream=True).items() >= {"random_seed": 3, "max_tokens": 50}.items()
    assert "stream_options" not in body(mistral, stream=True)
    assert body(openai, stream=True)["stream_options"] == {"include_usage": True}


def test_a_schema_is_told_as_the_endpoint_takes_it() -> None:
    formats = {kind: body(Dialect(schema=kind), SCHEMA).get("response_format") for kind in ("json_object", "words")}
    assert formats == {"json_object": {"type": "json_object"}, "words": None}
    for kind in ("json_object", "words"):
        last = body(Dialect(schema=kind), SCHEMA)["messages"][-1]
        assert (last["role"], '"minItems":2' in last["content"], "JSON" in last["content"]) == ("user", True, True)
    assert len(body(PLAIN, SCHEMA)["messages"]) == len(REQUEST.messages)
    assert body(PLAIN, SCHEMA)["response_format"]["json_schema"]["schema"] == SCHEMA


def test_strict_mode_is_given_only_what_it_takes() -> None:
    strict = Dialect(schema="strict")
    sent = body(strict, SCHEMA)["response_format"]["json_schema"]
    items = {"type": "string", "description": '{"maxLength":9}'}
    assert sent["strict"] is True
    assert sent["schema"]["properties"]["best"] == {"type": "array", "items": items, "minItems": 2}
    assert sent["schema"]["additionalProperties"] is False
    loose = {**SCHEMA, "required": []}
    assert body(strict, loose)["response_format"]["json_schema"]["strict"] is False
    inside = {"type": "object", "properties": {"a": {"anyOf": [loose]}}, "required": ["a"]}
    assert body(strict, inside)["response_format"]["json_schema"]["strict"] is False


DRAWN = {"temperature": 0.0}


@pytest.mark.parametrize(
    ("model", "settings", "refused"),
    [
        ("openai/gpt-4.1", DRAWN, []),
        ("openai/gpt-5", DRAWN, ["temperature"]),
        ("openai/gpt-5-mini", {**DRAWN, "reasoning": "none"}, ["temperature"]),
        ("openai/gpt-5-chat-latest", DRAWN, []),
        ("openai/gpt-5.2-chat-latest", DRAWN, []),
        ("openai/gpt-5.6", DRAWN, ["temperature"]),
        ("openai/gpt-5.6", {**DRAWN, "reasoning": "none"}, []),
        ("openai/o3", {"top_p": 0.5, "seed": 1}, ["top_p"]),
        ("openai/gpt-4o", {"top_k": 4, "min_p": 0.1}, ["top_k", "min_p"]),
        ("anthropic/claude-opus-4-6", DRAWN, []),
        ("anthropic/claude-haiku-4-5-20251001", {"top_k": 4}, []),
        ("anthropic/claude-opus-4-20250514", DRAWN, []),
        ("anthropic/claude-opus-4-7", {**DRAWN, "top_k": 3}, ["temperature", "top_k"]),
        ("anthropic/claude-sonnet-5-5", {**DRAWN, "stop": ("x",)}, ["temperature"]),
        ("anthropic/claude-opus-4-6", {"seed": 1}, ["seed"]),
        ("gemini/gemini-3.8-flash", {**DRAWN, "min_p": 0.1}, ["min_p"]),
        ("xai/grok-4", {"stop": ("x",), **DRAWN}, ["stop"]),
        ("xai/grok-4-fast-non-reasoning", {"stop": ("x",)}, []),
        ("moonshot/kimi-k2.6", DRAWN, ["temperature"]),
        ("ollama/qwen3", {**DRAWN, "min_p": 0.1, "top_k": 4}, []),
        ("openrouter/openai/gpt-5", DRAWN, []),  # it leaves out by itself what a model does not take
        ("local/smollm2-135m", {"min_p": 0.1}, []),
        ("anthropic/claude-opus-4-6", {"prompt_cache": True}, []),
        *((f"{name}/m", {"prompt_cache": True}, ["prompt_cache"]) for name in ("openai", "gemini", "ollama", "local")),
    ],
)
def test_what_is_not_taken_is_known_before(model: str, settings: dict[str, Any], refused: list[str]) -> None:
    provider, name = model.split("/", 1)
    row = WELL_KNOWN[provider]
    assert list(untaken(row.adapter, row.base_url, name, settings)) == refused


def test_it_is_told_with_its_reason_and_nothing_is_sent() -> None:
    dialect = WELL_KNOWN["openai"].dialect
    asked = Request("gpt-5.6", REQUEST.messages, Sampling(50, temperature=0.0))
    result = tried([answer(completion())], request=asked, connection=replace(ACME, dialect=dialect))
    assert result.kind is FaultKind.LOCAL
    reason = 'gpt-5.6 takes no temperature unless reasoning = "none"; leave it out'
    assert str(result.fault) == f"acme can not be asked like this: {reason}"
    assert not result.attempts
