"""Settings, to list what each declaration and statement can be told, and of which type. A new setting is a row here."""

from collections.abc import Mapping

from smoadsl.language import rules
from smoadsl.language.rules import Rule

MOST_OF_BUDGET = 10**15  # tokens or calls
MOST_OUTPUT_TOKENS = 1_000_000
MOST_CONTEXT_TOKENS = 100_000_000
MOST_ROUNDS = 100
MOST_AGENTS = 1_000

PROVIDER: Mapping[str, Rule] = {
    "base_url": rules.text,
    "api_key": rules.secret,
    "headers": rules.headers,
    "concurrency": rules.number(1, 10_000, whole=True),
    "rate": rules.rate,
    "tokens_rate": rules.rate,
    "timeout": rules.duration,
    "ttft": rules.duration,
    "retries": rules.number(0, 10, whole=True),
    "local": rules.boolean,
}

USES_NO_NETWORK = frozenset(("base_url", "api_key", "headers", "local"))
"""What a provider that answers inside the process can not use."""

SAMPLING: Mapping[str, Rule] = {
    "temperature": rules.number(0, 5),
    "top_p": rules.number(0, 1),
    "top_k": rules.number(0, 1_000_000, whole=True),
    "min_p": rules.number(0, 1),
    "frequency_penalty": rules.number(-2, 2),
    "presence_penalty": rules.number(-2, 2),
    "stop": rules.texts,
    "seed": rules.number(0, 2**31 - 1, whole=True),
    "reasoning": rules.one_of("none", "low", "medium", "high"),
    "prompt_cache": rules.boolean,
    "max_tokens": rules.number(1, MOST_OUTPUT_TOKENS, whole=True),
    "extra": rules.block,
}

_CALL: Mapping[str, Rule] = {
    **SAMPLING,
    "timeout": rules.duration,
    "ttft": rules.duration,
    "retries": rules.number(0, 10, whole=True),
    "hedge": rules.duration,
    "length": rules.one_of("accept", "grow", "fail"),
}

MODEL: Mapping[str, Rule] = {
    **_CALL,
    "fallback": rules.names,
    "fallback_on_refusal": rules.boolean,
    "price": rules.price,
    "context": rules.number(1, MOST_CONTEXT_TOKENS, whole=True),
    "about": rules.text,
}

SIMULATED: Mapping[str, Rule] = {
    "skill": rules.number(0, 1),
    "words": rules.number(1, 20_000, whole=True),
    "spread": rules.number(0, 2),
    "latency": rules.duration,
    "copies": rules.number(0, 1),
    "alike": rules.number(0, 1),
    "agree": rules.number(0, 1),
}
"""What a simulated model is like; no other is told any of it."""

OF_A_MODEL: Mapping[str, Rule] = {**MODEL, **SIMULATED}

PROPOSE: Mapping[str, Rule] = {**_CALL, "template": rules.name}

ROLES: Mapping[str, Rule] = {"dataset": rules.text, "task": rules.text, "template": rules.name}

BUDGET: Mapping[str, Rule] = {
    "usd": rules.money,
    "tokens": rules.number(1, MOST_OF_BUDGET, whole=True),
    "calls": rules.number(1, MOST_OF_BUDGET, whole=True),
    "time": rules.duration,
}

JUDGE: Mapping[str, Rule] = {
    **_CALL,
    "criteria": rules.text,
    "min_score": rules.number(1, 5),
    "dedupe": rules.ratio_or_true(0.9),
    "feedback": rules.boolean,
    "shuffle": rules.boolean,
    "otherwise": rules.one_of("consensus", "vote", "first", "random", "fail"),
    "fuse": rules.boolean,
    "template": rules.name,
}

USES_NO_MODEL = frozenset(JUDGE.keys() - {"dedupe", "min_score"})
"""What a judge that asks no model can not use; `min_score` is a matter of scores."""

USES_NO_LIST = {
    "feedback": "it compares two responses at a time, and remarks on none",
    "fuse": "the moderator's question never rides in its calls",
    "shuffle": "each pair is shown in both orders",
}
"""What `pairwise` can not use, and why."""

AGGREGATE: Mapping[str, Rule] = {
    **_CALL,
    "template": rules.name,
    "output": rules.as_written,
    "stream": rules.boolean,
    "otherwise": rules.one_of("best", "fail"),
}


def of_the_call(read: Mapping[str, object]) -> Mapping[str, object]:
    """Of the settings in a block after propose, judge or aggregate, those that override the model's."""
    return {key: value for key, value in read.items() if key in _CALL}
