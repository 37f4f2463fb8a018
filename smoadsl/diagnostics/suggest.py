"""Suggest, to guess what a misspelt word was meant to be."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

_MOST_LISTED = 30
_LONGEST = 100  # longer words, and more names, are no author's slips: comparing them would only cost time
_MOST_NAMES = 1_000
_MOST_COMPARED = 100  # of more names, those that begin alike


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most likely meant, or None when none is near."""
    names = known if isinstance(known, Collection) else list(known)
    if len(word) > _LONGEST or len(names) > _MOST_NAMES:
        return None
    near = [name for name in names if 2 * abs(len(name) - len(word)) <= len(word) + 2]
    if len(near) > _MOST_COMPARED:
        near = [name for name in near if name[:1].lower() == word[:1].lower()][:_MOST_COMPARED]
    by_lower = {name.lower(): name for name in sorted(near, reverse=True)}
    matches = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean `x`?`, or what there is to choose from, or nothing."""
    names = set(known)
    found = closest(word, names)
    if found:
        return f"did you mean `{found}`?"
    if 0 < len(names) <= _MOST_LISTED:
        return "known here: " + ", ".join(f"`{name}`" for name in sorted(names))
    return ""
