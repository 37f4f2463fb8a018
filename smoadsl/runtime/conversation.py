"""Conversation, to hold what a run is asked: the caller's messages, the request last, and the fields of its row."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from smoadsl.adapters.base import Message
from smoadsl.classes import dataclass


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
    def system(self) -> str:
        return "\n\n".join(m.content for m in self.messages if m.role == "system")

    @property
    def turns(self) -> tuple[Message, ...]:
        return tuple(m for m in self.messages if m.role != "system")


def conversation_from_row(row: Mapping[str, Any]) -> Conversation:
    """The conversation of a row: its `messages`, or its `prompt`, `instruction` or `question`. Raises `ValueError`."""
    fields = {key: value for key, value in row.items() if key != "messages"}
    if "messages" in row:
        return Conversation(_messages(row["messages"]), fields)
    for key in ("prompt", "instruction", "question"):
        if key in row:
            if not isinstance(row[key], str):
                raise ValueError(f"`{key}` must be a text")
            return Conversation((Message("user", row[key]),), fields)
    raise ValueError("a row needs `prompt`, `instruction`, `question` or `messages`")


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
