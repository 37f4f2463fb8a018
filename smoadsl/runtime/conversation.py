"""Conversation, to hold what a run is asked: the caller's messages, the request last, and the fields of its row."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from smoadsl.adapters.base import Message
from smoadsl.classes import dataclass

PROMPTS = ("messages", "turns", "prompt", "instruction", "question")
"""The fields that a prompt is read from, the first that a row has."""
EMPTY = "the prompt is empty"


@dataclass(frozen=True, slots=True)
class Conversation:
    """`messages` end with the user's request; a system message of the caller may stand first."""

    messages: tuple[Message, ...]
    input: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, prompt: str) -> "Conversation":
        """Raises `ValueError` for half a character, which no request and no trace can hold."""
        prompt.encode()
        return cls((Message("user", prompt),))

    @property
    def prompt(self) -> str:
        return self.messages[-1].content

    @property
    def is_empty(self) -> bool:
        """Whether it asks nothing."""
        return not self.prompt.strip()

    @property
    def system(self) -> str:
        return "\n\n".join(m.content for m in self.messages if m.role == "system")

    @property
    def turns(self) -> tuple[Message, ...]:
        return tuple(m for m in self.messages if m.role != "system")


def asked_in(row: Mapping[str, Any]) -> tuple[Conversation, tuple[str, ...]]:
    """What a row asks first, and what once that is answered, as MT-Bench's `turns` have it. Raises `ValueError`, also
    where it asks nothing."""
    first, following = _read(row)
    if first.is_empty or not all(turn.strip() for turn in following):
        raise ValueError(EMPTY if not following else "`turns` has an empty text")
    return first, following


def _read(row: Mapping[str, Any]) -> tuple[Conversation, tuple[str, ...]]:
    name = next((name for name in PROMPTS if name in row), None)
    if name is None:
        raise ValueError("a row needs `messages`, `turns`, `prompt`, `instruction` or `question`")
    fields = {key: value for key, value in row.items() if key != "messages"}
    if name == "messages":
        return Conversation(_messages(row[name]), fields), ()
    texts = row[name] if name == "turns" else [row[name]]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"`{name}` must be a {'list of texts' if name == 'turns' else 'text'}")
    first, *following = texts
    return Conversation((Message("user", first),), fields), tuple(following)


def _messages(value: object) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("`messages` must be a list of messages")
    messages = []
    for number, item in enumerate(value, 1):
        role = item.get("role") if isinstance(item, dict) else None
        content = item.get("content") if isinstance(item, dict) else None
        if role not in ("system", "user", "assistant") or not isinstance(content, str):
            raise ValueError(f"message {number} needs a `role` (system, user or assistant) and a `content` text")
        messages.append(Message(role, content))
    if messages[-1].role != "user":
        raise ValueError("the last message must be the user's")
    return tuple(messages)
