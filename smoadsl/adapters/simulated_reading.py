"""Simulated reading, to find in a message the texts that are quoted there between markers, and what each claims."""

import re

from smoadsl.classes import dataclass

_QUOTED = re.compile(r"<<< ([^\n]+?) \[([0-9a-f]{10})\]\n(.*?)\n>>> end of \1 \[\2\]", re.DOTALL)
_CLAIM = re.compile(r"^answer: *(\S[^\n]*)$", re.IGNORECASE | re.MULTILINE)
_REMARKS = "remarks on "
CLAIM = "Answer: "
"""How the last line of a simulated answer begins."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """A text, and the name that stands on its markers."""

    name: str
    text: str


def quoted_in(message: str) -> tuple[Quoted, ...]:
    """The texts between markers, but for remarks; what is quoted inside one of them is a part of it."""
    found = (Quoted(name, text) for name, _, text in _QUOTED.findall(message))
    return tuple(piece for piece in found if not piece.name.startswith(_REMARKS))


def claim_of(text: str) -> str | None:
    """What a text says on its last line that begins with `Answer:`, in one spelling; None where it has no such line."""
    found = _CLAIM.findall(text)
    return " ".join(found[-1].split()) if found else None
