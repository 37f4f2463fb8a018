"""Matching, to tell which layer or agent of one plan became which of another: by name, else by what it is."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Alike = Callable[[T, T], bool]


def matched(
    before: Sequence[T], after: Sequence[T], name: Callable[[T], str], same: Alike[T], near: Alike[T]
) -> list[tuple[T | None, T | None]]:
    """Each with what became of it, in the later order; what is gone stands at the end.

    Equal names are the same thing; of the others, those which are the `same` but for the name; of what is then left,
    those in the same place among the matched, where there are as many before as after, and each is `near` its other.
    """
    became: dict[int, int] = {}
    places = {name(one): place for place, one in enumerate(after)}
    for old, one in enumerate(before):
        if name(one) in places:
            became[old] = places[name(one)]
    left = [new for new in range(len(after)) if new not in became.values()]
    for old, one in enumerate(before):
        fitting = next((new for new in left if same(one, after[new])), None) if old not in became else None
        if fitting is not None:
            became[old] = fitting
            left.remove(fitting)
    for olds, news in _gaps(len(before), len(after), became):
        if len(olds) == len(news) and all(near(before[o], after[n]) for o, n in zip(olds, news, strict=True)):
            became |= dict(zip(olds, news, strict=True))
    came_of = {new: old for old, new in became.items()}
    kept: list[tuple[T | None, T | None]] = [
        (before[came_of[new]] if new in came_of else None, one) for new, one in enumerate(after)
    ]
    return kept + [(one, None) for old, one in enumerate(before) if old not in became]


def _gaps(before: int, after: int, became: dict[int, int]) -> list[tuple[list[int], list[int]]]:
    """What is left on both sides behind the same matched thing."""
    came_of = {new: old for old, new in became.items()}
    gaps: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    last = -1
    for old in range(before):
        if old in became:
            last = old
        else:
            gaps[last][0].append(old)
    last = -1
    for new in range(after):
        if new in came_of:
            last = came_of[new]
        else:
            gaps[last][1].append(new)
    return list(gaps.values())
