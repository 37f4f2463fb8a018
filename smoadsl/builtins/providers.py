"""Providers, to know the well-known endpoints and their ways, so that a model on one of them needs no declaration."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from smoadsl.adapters.dialect import PLAIN, Dialect, ModelRule, Setting, refused
from smoadsl.classes import dataclass


@dataclass(frozen=True, slots=True)
class WellKnown:
    """`key` is the name of the environment variable that the provider's own documentation uses; empty for none.
    `dialect` holds how the endpoint departs from its protocol, after the page that `source` names; what that page does
    not say is taken as the protocol has it, but for `n`, which is not used where nobody promises it."""

    adapter: str
    base_url: str = ""
    key: str = ""
    dialect: Dialect = PLAIN
    source: str = ""

    @property
    def n(self) -> bool:
        """Whether one request can bring several answers, its prompt paid once."""
        return self.dialect.n


_BEYOND_OPENAI: frozenset[Setting] = frozenset({"top_k", "min_p"})  # not in OpenAI's own reference
_PENALTIES: frozenset[Setting] = frozenset({"frequency_penalty", "presence_penalty"})
_DRAWN: frozenset[Setting] = frozenset({"temperature", "top_p", *_PENALTIES})
_SAMPLED: frozenset[Setting] = frozenset({"temperature", "top_p", "top_k"})

_OPENAI = Dialect(
    n=True,
    schema="strict",
    most_tokens="max_completion_tokens",
    refuses=_BEYOND_OPENAI,
    models=(
        ModelRule(r"gpt-5(\.\d+)?-chat", frozenset()),
        ModelRule(r"(o\d|gpt-5)(-|$)", _DRAWN),
        ModelRule(r"gpt-([5-9]|\d\d)", _DRAWN, unless_none=True),
    ),
)
_ANTHROPIC = Dialect(
    # All but those up to 4.6 answer "`temperature` is deprecated for this model", as they do for the other two.
    models=(
        ModelRule(r"claude-(3|(opus|sonnet|haiku)-4(-[0-6])?(-\d{8}|-latest)?$)", frozenset()),
        ModelRule(r"claude-", _SAMPLED),
    )
)
_MISTRAL = Dialect(n=True, seed="random_seed", stream_usage=False, refuses=_BEYOND_OPENAI)  # streams end with the usage
_XAI = Dialect(
    n=True,
    refuses=_BEYOND_OPENAI,
    models=(
        ModelRule(r"grok-(4|3-mini|[5-9]).*non-reasoning", frozenset()),
        ModelRule(r"grok-(4|3-mini|[5-9])", _PENALTIES | {"stop"}),
    ),
)

WELL_KNOWN: dict[str, WellKnown] = {
    # hosted, each with a protocol of its own
    "anthropic": WellKnown(
        "anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", _ANTHROPIC,
        "https://platform.claude.com/docs/en/about-claude/models/migration-guide",
    ),
    "gemini": WellKnown(
        "gemini", "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY",
        source="https://ai.google.dev/api/generate-content",
    ),
    # hosted, OpenAI-compatible
    "cerebras": WellKnown(
        "openai", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY",
        Dialect(most_tokens="max_completion_tokens", refuses=_BEYOND_OPENAI | _PENALTIES),
        "https://inference-docs.cerebras.ai/resources/openai",
    ),
    "cohere": WellKnown(
        "openai", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY",
        Dialect(schema="json_object", refuses=_BEYOND_OPENAI), "https://docs.cohere.com/docs/compatibility-api",
    ),
    "deepinfra": WellKnown(
        "openai", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY",
        source="https://deepinfra.com/docs/openai_api",
    ),
    "deepseek": WellKnown(
        "openai", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY",
        Dialect(schema="json_object", refuses=_BEYOND_OPENAI | {"seed"}),
        "https://api-docs.deepseek.com/api/create-chat-completion",
    ),
    "fireworks": WellKnown(
        "openai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", Dialect(n=True),
        "https://docs.fireworks.ai/api-reference/post-chatcompletions",
    ),
    "groq": WellKnown(
        "openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY",
        Dialect(schema="json_object", refuses=_BEYOND_OPENAI),  # schemas bind only some of its models
        "https://console.groq.com/docs/openai",
    ),
    "huggingface": WellKnown(
        "openai", "https://router.huggingface.co/v1", "HF_TOKEN",
        source="https://huggingface.co/docs/inference-providers",
    ),
    "mistral": WellKnown(
        "openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", _MISTRAL, "https://docs.mistral.ai/api",
    ),
    "moonshot": WellKnown(
        "openai", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY",
        Dialect(schema="json_object", refuses=_BEYOND_OPENAI | {"seed"},
                models=(ModelRule(r"kimi-k(2\.|[3-9])", _DRAWN),)),
        "https://platform.kimi.ai/docs/api/chat",
    ),
    "nvidia": WellKnown(
        "openai", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", Dialect(schema="words"),
        "https://docs.api.nvidia.com/nim/reference/llm-apis",
    ),
    "openai": WellKnown(
        "openai", "https://api.openai.com/v1", "OPENAI_API_KEY", _OPENAI,
        "https://platform.openai.com/docs/api-reference/chat/create",
    ),
    "openrouter": WellKnown(
        "openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY",
        source="https://openrouter.ai/docs/api/reference/parameters",
    ),
    "perplexity": WellKnown(
        "openai", "https://api.perplexity.ai", "PERPLEXITY_API_KEY",
        Dialect(stream_usage=False, refuses=frozenset({"min_p", "seed", "stop"})),  # streams count as they go
        "https://docs.perplexity.ai/api-reference/chat-completions-post",
    ),
    "sambanova": WellKnown(
        "openai", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY", Dialect(refuses=_PENALTIES | {"min_p"}),
        "https://docs.sambanova.ai/docs/en/features/openai-compatibility",
    ),
    "together": WellKnown(
        "openai", "https://api.together.xyz/v1", "TOGETHER_API_KEY", Dialect(n=True),
        "https://docs.together.ai/reference/chat-completions-1",
    ),
    "xai": WellKnown(
        "openai", "https://api.x.ai/v1", "XAI_API_KEY", _XAI, "https://docs.x.ai/docs/api-reference",
    ),
    # servers on this machine, at the ports they choose by default
    "llamacpp": WellKnown("openai", "http://127.0.0.1:8080/v1"),
    "lmstudio": WellKnown("openai", "http://127.0.0.1:1234/v1"),
    "ollama": WellKnown("ollama", "http://127.0.0.1:11434", source="https://docs.ollama.com/api/chat"),
    "vllm": WellKnown(
        "openai", "http://127.0.0.1:8000/v1", dialect=Dialect(n=True),
        source="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
    ),
    # in the process itself
    "local": WellKnown("local"),
    "simulated": WellKnown("simulated", dialect=Dialect(n=True)),
    "input": WellKnown("input"),
}  # fmt: skip

_ELSEWHERE: dict[str, Dialect] = {
    # OpenAI's own models, at a host that each customer has for themselves
    ".openai.azure.com": _OPENAI,
    ".services.ai.azure.com": _OPENAI,
}


def dialect_of(adapter: str, base_url: str) -> Dialect:
    """The ways of the endpoint at that address, also where it was declared under another name."""
    place = _place(base_url)
    for row in WELL_KNOWN.values():
        if row.adapter == adapter and _place(row.base_url) == place:
            return row.dialect
    return next((dialect for end, dialect in _ELSEWHERE.items() if adapter == "openai" and place.endswith(end)), PLAIN)


def untaken(adapter: str, base_url: str, model: str, settings: Mapping[str, object]) -> dict[str, str]:
    """Of a model's settings, those that its provider would refuse or pass over, each with the reason as a sentence's
    end. What is None is not set."""
    given = [name for name, value in settings.items() if value is not None]
    return refused(adapter, dialect_of(adapter, base_url), model, given, str(settings.get("reasoning")))


def _place(url: str) -> str:
    """Host and port, in one spelling."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
