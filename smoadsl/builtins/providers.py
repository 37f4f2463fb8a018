"""Providers, to know the well-known endpoints, so that a model on one of them needs no declaration."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WellKnown:
    """`key` is the name of the environment variable that the provider's own documentation uses; empty for none."""

    adapter: str
    base_url: str = ""
    key: str = ""


WELL_KNOWN: dict[str, WellKnown] = {
    # hosted, OpenAI-compatible
    "anthropic": WellKnown("openai", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "cerebras": WellKnown("openai", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "deepseek": WellKnown("openai", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "fireworks": WellKnown("openai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "gemini": WellKnown("openai", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    "groq": WellKnown("openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": WellKnown("openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "openai": WellKnown("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openrouter": WellKnown("openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "together": WellKnown("openai", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "xai": WellKnown("openai", "https://api.x.ai/v1", "XAI_API_KEY"),
    # servers on this machine, at the ports they choose by default
    "llamacpp": WellKnown("openai", "http://127.0.0.1:8080/v1"),
    "lmstudio": WellKnown("openai", "http://127.0.0.1:1234/v1"),
    "ollama": WellKnown("openai", "http://127.0.0.1:11434/v1"),
    "vllm": WellKnown("openai", "http://127.0.0.1:8000/v1"),
    # in the process itself
    "local": WellKnown("local"),
}
