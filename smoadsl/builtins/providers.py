"""Providers, to know the well-known endpoints and their ways, so that a model on one of them needs no declaration."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from smoadsl.adapters.dialect import PLAIN, Dialect, ModelRule, Setting

_BEYOND_OPENAI: frozenset[Setting] = frozenset({"top_k", "min_p"})  # not in OpenAI's own reference
_PENALTIES: frozenset[Setting] = frozenset({"frequency_penalty", "presence_penalty"})
_DRAWN: frozenset[Setting] = frozenset({"temperature", "top_p", *_PENALTIES})


@dataclass(frozen=True, slots=True)
class WellKnown:
    """`key` is the name of the environment variable that the provider's own documentation uses; empty for none."""

    adapter: str
    base_url: str = ""
    key: str = ""
    dialect: Dialect = PLAIN

    @property
    def n(self) -> bool:
        """Whether one request can bring several answers, its prompt paid once."""
        return self.dialect.n


_OPENAI = Dialect(
    n=True,
    most_tokens="max_completion_tokens",
    refuses=_BEYOND_OPENAI,
    models=(
        # "Unsupported value: 'temperature' does not support 0.2 with this model": the answer of each that reasons.
        ModelRule(r"gpt-[5-9][^.]*chat", frozenset()),
        ModelRule(r"(o\d|gpt-5)(-|$)", _DRAWN),
        ModelRule(r"gpt-([5-9]|\d\d)", _DRAWN, unless_none=True),
    ),
)

WELL_KNOWN: dict[str, WellKnown] = {
    # hosted, OpenAI-compatible
    "anthropic": WellKnown("openai", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "cerebras": WellKnown("openai", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "deepseek": WellKnown("openai", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "fireworks": WellKnown("openai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", Dialect(n=True)),
    "gemini": WellKnown("openai", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    "groq": WellKnown("openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": WellKnown("openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", Dialect(n=True, seed="random_seed")),
    "openai": WellKnown("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", _OPENAI),
    "openrouter": WellKnown("openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "together": WellKnown("openai", "https://api.together.xyz/v1", "TOGETHER_API_KEY", Dialect(n=True)),
    "xai": WellKnown("openai", "https://api.x.ai/v1", "XAI_API_KEY", Dialect(n=True, refuses=_BEYOND_OPENAI)),
    # servers on this machine, at the ports they choose by default
    "llamacpp": WellKnown("openai", "http://127.0.0.1:8080/v1"),
    "lmstudio": WellKnown("openai", "http://127.0.0.1:1234/v1"),
    "ollama": WellKnown("openai", "http://127.0.0.1:11434/v1"),
    "vllm": WellKnown("openai", "http://127.0.0.1:8000/v1", dialect=Dialect(n=True)),
    # in the process itself
    "local": WellKnown("local"),
}


def dialect_of(adapter: str, base_url: str) -> Dialect:
    """The ways of the endpoint at that address, also where it was declared under another name."""
    found = (row for row in WELL_KNOWN.values() if row.adapter == adapter and _place(row.base_url) == _place(base_url))
    return next((row.dialect for row in found), PLAIN)


def _place(url: str) -> str:
    """Host and port, in one spelling."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
