"""Adapters, to find the one that speaks a provider's protocol, and load no other."""

from smoadsl.adapters.base import Adapter, Connection, Fault, FaultKind

ADAPTERS: tuple[str, ...] = ("openai", "anthropic", "gemini", "ollama", "local", "simulated", "input")
"""The names that are built in, for who only checks a name and must load nothing for it."""

IN_PROCESS: tuple[str, ...] = ("local", "simulated", "input")
"""Those of them that reach for no network, whatever is asked of them."""

_GROUP = "smoadsl.adapters"


def open_adapter(kind: str, connection: Connection) -> Adapter:
    """The adapter called `kind`. It touches neither network nor weights before its first request."""
    match kind:
        case "openai":
            from smoadsl.adapters.openai import OpenAI

            return OpenAI(connection)
        case "anthropic":
            from smoadsl.adapters.anthropic import Anthropic

            return Anthropic(connection)
        case "gemini":
            from smoadsl.adapters.gemini import Gemini

            return Gemini(connection)
        case "ollama":
            from smoadsl.adapters.ollama import Ollama

            return Ollama(connection)
        case "local":
            from smoadsl.adapters.local import Local

            return Local(connection)
        case "simulated":
            from smoadsl.adapters.simulated import Simulated

            return Simulated(connection)
        case "input":
            from smoadsl.adapters.given import Given

            return Given(connection)
    return _third_party(kind, connection)


def installed_adapters() -> tuple[str, ...]:
    """The names of the adapters that other packages bring. Nothing of theirs is loaded for it."""
    from importlib.metadata import entry_points  # half as dear to import as all of ours

    return tuple(sorted({point.name for point in entry_points(group=_GROUP)}))


def _third_party(kind: str, connection: Connection) -> Adapter:
    from importlib.metadata import entry_points

    found = tuple(entry_points(group=_GROUP, name=kind))
    if not found:
        known = ", ".join((*ADAPTERS, *installed_adapters()))
        raise Fault(FaultKind.LOCAL, f"no adapter is called '{kind}': there are {known}")
    if len(found) > 1:
        owners = ", ".join(sorted(point.dist.name if point.dist else "unknown" for point in found))
        raise Fault(FaultKind.LOCAL, f"several packages bring an adapter called '{kind}': {owners}")
    try:
        adapter: Adapter = found[0].load()(connection)
    except Fault:
        raise
    except Exception as error:
        message = f"the adapter '{kind}' of another package can not be opened: {type(error).__name__}"
        raise Fault(FaultKind.LOCAL, message) from error
    return adapter
