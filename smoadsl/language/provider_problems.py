"""Provider problems, to hold the wording of what is wrong with providers, models and prices: MOA5xx."""

from collections.abc import Iterable, Sequence

from smoadsl.diagnostics.diagnostic import Diagnostic, Related, Severity
from smoadsl.diagnostics.source import Span
from smoadsl.diagnostics.suggest import did_you_mean

_PUBLISHERS = frozenset(  # of open weights: they name models, and serve none
    "databricks google ibm-granite meta-llama microsoft mistralai moonshotai nvidia Qwen deepseek-ai zai-org".split()
)

_MAKERS = {  # by how the names of their models begin
    "gpt": "openai", "o1": "openai", "o3": "openai", "o4": "openai", "claude": "anthropic", "gemini": "gemini",
    "mistral": "mistral", "mixtral": "mistral", "deepseek": "deepseek", "grok": "xai", "command": "cohere",
}  # fmt: skip


def _error(code: str, span: Span, message: str, help: str = "", *related: Related) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, message, span, help, related)


def unknown_provider(span: Span, name: str, known: Sequence[str], written: str = "") -> Diagnostic:
    """`written` is the whole "provider/id", where it stands in a model."""
    guess = did_you_mean(name, known)
    publisher = name in _PUBLISHERS or not ((name.isidentifier() and name.islower()) or guess.startswith("did"))
    if written and publisher:
        help = f'say who serves it, such as "together/{written}"' if written.isprintable() else ""
    elif guess.startswith("did"):
        help = guess
    else:
        help = f'declare it: `provider {name} = openai {{ base_url = "https://…/v1" }}`'
    return _error("MOA501", span, f"no provider is called `{name}`", help)


def bad_model(span: Span, id_: str = "", provider: str = "") -> Diagnostic:
    """`id_` is what stands there alone, `provider` who was named beside it."""
    provider = provider or next((name for begin, name in _MAKERS.items() if id_.lower().startswith(begin)), "")
    if provider and id_ and "/" not in id_ and id_.isprintable():
        return _error("MOA502", span, "a model is written `provider/id`", f'write "{provider}/{id_}"')
    if "://" in span.text:
        help = 'an address belongs to a provider: `provider NAME = openai { base_url = "https://…/v1" }`'
        return _error("MOA502", span, "a model is written `provider/id`", help)
    return _error(
        "MOA502",
        span,
        "a model is written `provider/id`",
        'such as "groq/llama-3.1-8b-instant" or "local/smollm2-135m"',
    )


def provider_as_adapter(span: Span, name: str, adapter: str, base_url: str) -> Diagnostic:
    help = f'write `{adapter} {{ base_url = "{base_url}" }}`; models name it without a declaration: "{name}/…"'
    return _error("MOA516", span, f"`{name}` is a provider; an adapter is due here", help)


def unknown_adapter(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    return _error("MOA503", span, f"no adapter is called `{name}`", did_you_mean(name, known))


def no_base_url(span: Span, name: str) -> Diagnostic:
    return _error("MOA504", span, f"provider `{name}` has no `base_url`", 'add `base_url = "https://host/v1"`')


def bad_base_url(span: Span, why: str) -> Diagnostic:
    return _error("MOA505", span, f"this is no base URL: {why}", 'write it like "https://host/v1"')


def literal_key(span: Span) -> Diagnostic:
    return _error(
        "MOA506", span, "a key may not be written in a file", 'write `env("NAME")` and set that variable when you run'
    )


def fallback_cycle(span: Span, chain: Sequence[str]) -> Diagnostic:
    return _error(
        "MOA508", span, "fallbacks lead back: " + " → ".join(chain), "end the chain with a model that has no fallback"
    )


def no_price(span: Span, models: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{model}`" for model in models)
    help = "add `price = { input = $…, output = $… }`, per million tokens, to each of them"
    return _error("MOA509", span, f"a budget in dollars needs the prices of {listed}", help)


def never_fits(span: Span, model: str, write: int, context: int) -> Diagnostic:
    return _error(
        "MOA511",
        span,
        f"`{model}` can hold {context:,} tokens at once, and is to write up to {write:,}: nothing is left to read",
        f"lower `max_tokens` well below {context:,}",
    )


def refused_setting(span: Span, reason: str) -> Diagnostic:
    return _error("MOA517", span, reason, "leave it out; what stands in `extra` is sent all the same")


def key_in_clear(span: Span, url: str) -> Diagnostic:
    return _error(
        "MOA507",
        span,
        f"a key would travel unencrypted to {url}",
        "use `https://`; plain `http://` with a key is for this machine alone",
    )


def private_address(span: Span, host: str) -> Diagnostic:
    help = "add `local = true` to the provider's settings, if it stands in your own network"
    return _error("MOA531", span, f"`{host}` is no host of the open internet", help)
