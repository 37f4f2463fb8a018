"""Starter, to write a first pipeline for a provider whose key is at hand, else for the model that needs none."""

from collections.abc import Mapping

from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.classes import dataclass

LOCAL = "local/smollm2-135m"
MODELS = {  # of each provider one that is cheap and quick; who has several keys gets the first of these
    "groq": "llama-3.1-8b-instant",
    "openai": "gpt-4o-mini",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
    "mistral": "mistral-small-latest",
    "together": "Qwen/Qwen2.5-7B-Instruct-Turbo",
    "openrouter": "meta-llama/llama-3.3-70b-instruct",
    "deepseek": "deepseek-chat",
    "cerebras": "llama3.1-8b",
    "fireworks": "accounts/fireworks/models/llama-v3p3-70b-instruct",
    "xai": "grok-3-mini",
    "cohere": "command-r7b-12-2024",
    "deepinfra": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "huggingface": "meta-llama/Llama-3.3-70B-Instruct",
    "moonshot": "moonshot-v1-8k",
    "nvidia": "meta/llama-3.3-70b-instruct",
    "perplexity": "sonar",
    "sambanova": "Meta-Llama-3.3-70B-Instruct",
}


@dataclass(frozen=True, slots=True)
class Starter:
    """The text of a file, the model it asks, and the variable that holds its provider's key, if it needs one."""

    text: str
    model: str
    key: str


def starter(environ: Mapping[str, str]) -> Starter:
    """A first pipeline for this environment, of which no more is looked at than which keys are set."""
    for provider, id_ in MODELS.items():
        key = WELL_KNOWN[provider].key
        if environ.get(key, "").strip():
            model = f"{provider}/{id_}"
            about = f'# Any model of any provider can stand here: "provider/id".\n# The key of this one is in {key}.'
            return Starter(_file(about, model, 600, _SPARSE), model, key)
    return Starter(_file(_ABOUT_LOCAL, LOCAL, 160, _FREE), LOCAL, "")


def _file(about: str, model: str, max_tokens: int, rest: str) -> str:
    settings = f"  temperature = 0.7\n  max_tokens  = {max_tokens}\n"
    return f'{_HEAD}{about}\nmodel writer = "{model}" {{\n{settings}}}\n{_PANEL}{rest}'


_HEAD = """\
# A first mixture of agents: three drafts in three roles, the best two of them,
# and one answer made of those.
#
#   smoadsl check FILE   says what is wrong with this file
#   smoadsl plan FILE    what it will do, and the most that can take
#   smoadsl test FILE    runs the test at its end: no network, no key
#   smoadsl run FILE     runs it
#   smoadsl fmt FILE     gives it its layout

"""

_ABOUT_LOCAL = """\
# A small model inside the process, for demonstration: no key, no server, and
# little sense. With a key of your own, swap it without an edit, by
# `--model writer=groq/llama-3.1-8b-instant`, or here: "provider/id"."""

_PANEL = """
roles panel = [
  "You are an expert. You explain causes, step by step.",
  "You are a teacher. You explain with examples from everyday life.",
  "You are a sceptic. You say what is often got wrong.",
]
"""

_SPARSE = """
pipeline first {
  layer drafts repeat 2 {           # two rounds at most: the second reads the
    propose writer * 3 as panel     # first; three drafts at once, a role each
    judge   writer keep 2           # the best two go on
    stop    when moderator(writer)  # is another round worth it? (the same call)
  }

  aggregate writer                  # one answer out of what went on
}

test "the judge keeps two, and the moderator ends it" for first {
  prompt "Why is the sky blue?"
  reply writer.1  "Air scatters blue light the most."
  reply writer.2  "It mirrors the sea."
  reply writer.3  "It does not mirror the sea."
  reply judge     ["writer.3", "writer.1"]
  reply moderator true
  reply aggregate "Air scatters blue light the most; it mirrors nothing."
  expect rounds == 1
  expect calls == 5                 # three drafts, judge and moderator, answer
  expect kept == ["writer.1", "writer.3"]
  expect answer contains "scatters"
}
"""

_FREE = """
pipeline first {
  layer drafts {
    propose writer * 3 as panel  # three drafts at once, a role for each
    judge   consensus() keep 2   # the two that share the most, without a call
  }

  # One answer out of what went on. The settings keep a small model from saying
  # everything twice.
  aggregate writer {
    temperature       = 0.3
    frequency_penalty = 0.8
    max_tokens        = 320
  }
}

test "the two that are most alike go on" for first {
  prompt "Why is the sky blue?"
  reply writer.1  "Air scatters blue light the most."
  reply writer.2  "Ask the sea."
  reply writer.3  "The air scatters blue light."
  reply aggregate "Because air scatters blue light the most."
  expect calls == 4              # three drafts and the answer
  expect kept == ["writer.1", "writer.3"]
  expect answer contains "scatters"
}
"""
