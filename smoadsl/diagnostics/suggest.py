"""Suggest, to guess what a misspelt word was meant to be."""

from collections.abc import Iterable

_MOST_LISTED = 30
_LONGEST = 100
_MOST_COMPARED = 100  # of more names, those that begin alike and are as long


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most likely meant, or None when none is near."""
    if len(word) > _LONGEST:
        return None
    names = [name for name in known if len(name) <= _LONGEST]
    if len(names) > _MOST_COMPARED:
        begin = word[:3].lower()
        names.sort(
            key=lambda name: (name[:3].lower() != begin, name[:1].lower() != begin[:1], abs(len(name) - len(word)))
        )
        del names[_MOST_COMPARED:]
    by_lower = {name.lower(): name for name in sorted(names, reverse=True)}
    from difflib import get_close_matches  # most files have nothing to guess

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
