"""Suggest, to guess what a misspelt word was meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

_MOST_LISTED = 30
_LONGEST = 100
_MOST_COMPARED = 300  # of more names, only those that begin alike


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most likely meant, or None when none is near."""
    if len(word) > _LONGEST:
        return None
    names = [name for name in known if len(name) <= _LONGEST]
    if len(names) > _MOST_COMPARED:
        names = [name for name in names if name[:1].lower() == word[:1].lower()][:_MOST_COMPARED]
    by_lower = {name.lower(): name for name in sorted(names, reverse=True)}
    matches = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean `x`?`, or what there is to choose from, or nothing."""
    names = sorted(set(known))
    found = closest(word, names)
    if found:
        return f"did you mean `{found}`?"
    if 0 < len(names) <= _MOST_LISTED:
        return "known here: " + ", ".join(f"`{name}`" for name in names)
    return ""
