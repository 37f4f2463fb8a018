"""Dialect, to say how an endpoint departs from the protocol that its adapter speaks, and which settings it takes."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from smoadsl.classes import dataclass

Setting = Literal[
    "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "stop", "seed", "reasoning",
    "prompt_cache",
]  # fmt: skip

_NONE: frozenset[Setting] = frozenset()


@dataclass(frozen=True, slots=True)
class ModelRule:
    """Settings that some models of an endpoint refuse: those whose id the pattern fits, from its start.

    `unless_none`: they take them after all where `reasoning` is `none`.
    """

    pattern: str
    refuses: frozenset[Setting]
    unless_none: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one endpoint does otherwise than its protocol has it. The default is the protocol itself.

    `n`: it takes `n`, several answers to one request. `schema`: how it is held to a JSON schema, by the schema itself,
    by the part of it that OpenAI's strict mode takes, by a promise of JSON, or by words alone. `most_tokens`: what it
    calls the bound of an answer's tokens. `seed`: what it calls the seed. `stream_usage`: it takes the option that has
    a stream end with the tokens it took. `refuses`: settings that it answers with an error or passes over in silence,
    whatever the model; `models`: those that some models do, the first rule that fits a model's id.
    """

    n: bool = False
    schema: Literal["json_schema", "strict", "json_object", "words"] = "json_schema"
    most_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed: Literal["seed", "random_seed"] = "seed"
    stream_usage: bool = True
    refuses: frozenset[Setting] = _NONE
    models: tuple[ModelRule, ...] = ()


PLAIN = Dialect()
"""The protocol as it is."""

LACKS: Mapping[str, frozenset[Setting]] = {
    "anthropic": frozenset({"min_p", "frequency_penalty", "presence_penalty", "seed"}),
    "gemini": frozenset({"min_p"}),
}
"""The settings that a protocol has no word for, by the name of its adapter."""

_KEEP_BY_THEMSELVES = frozenset({"openai", "gemini", "ollama", "local"})
"""Adapters whose providers are not told what to keep of a prompt."""


def refused(
    adapter: str, dialect: Dialect, model: str, settings: Iterable[str], reasoning: str | None = None
) -> dict[str, str]:
    """Of the settings that are given, those that would not be taken, each with the reason as the end of a sentence."""
    reasons: dict[str, str] = {}
    rule = next((rule for rule in dialect.models if re.match(rule.pattern, model)), None)
    for setting in settings:
        if setting in LACKS.get(adapter, _NONE):
            reasons[setting] = f"the {adapter} protocol has no {setting}"
        elif setting == "prompt_cache" and adapter in _KEEP_BY_THEMSELVES:
            reasons[setting] = f"the {adapter} protocol has no {setting}, as nobody is told there what to keep"
        elif setting in dialect.refuses:
            reasons[setting] = f"this provider takes no {setting}"
        elif rule is not None and setting in rule.refuses:
            if not rule.unless_none:
                reasons[setting] = f"{model} takes no {setting}"
            elif reasoning != "none":
                reasons[setting] = f'{model} takes no {setting} unless reasoning = "none"'
    return reasons
