"""smoadsl, to write mixtures of agents down, know what they cost, and run them.

Everything public is here, and is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "compile": "smoadsl.tools.api",
    "run": "smoadsl.tools.api",
    "run_sync": "smoadsl.tools.api",
    "stream": "smoadsl.tools.api",
    "CompileError": "smoadsl.tools.api",
    "RunError": "smoadsl.runtime.executor",
    "Unbound": "smoadsl.calls.keys",
    "Answer": "smoadsl.runtime.executor",
    "Conversation": "smoadsl.runtime.conversation",
    "Event": "smoadsl.runtime.events",
    "Given": "smoadsl.language.check",
    "Plan": "smoadsl.plan.plan",
    "Source": "smoadsl.diagnostics.source",
    "Diagnostic": "smoadsl.diagnostics.diagnostic",
    "Outcome": "smoadsl.diagnostics.diagnostic",
}

if TYPE_CHECKING:
    from smoadsl.calls.keys import Unbound
    from smoadsl.diagnostics.diagnostic import Diagnostic, Outcome
    from smoadsl.diagnostics.source import Source
    from smoadsl.language.check import Given
    from smoadsl.plan.plan import Plan
    from smoadsl.runtime.conversation import Conversation
    from smoadsl.runtime.events import Event
    from smoadsl.runtime.executor import Answer, RunError
    from smoadsl.tools.api import CompileError, compile, run, run_sync, stream

__all__ = [
    "Answer",
    "CompileError",
    "Conversation",
    "Diagnostic",
    "Event",
    "Given",
    "Outcome",
    "Plan",
    "RunError",
    "Source",
    "Unbound",
    "compile",
    "run",
    "run_sync",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'smoadsl' has no attribute {name!r}")
