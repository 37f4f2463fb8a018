"""Measures, to say how far the responses of a round are alike, without asking a model."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

_WORD = re.compile(r"\w+")


def classes(answers: Sequence[str | None]) -> list[int]:
    """For each response the size of its class: how many have the same final answer. One without an answer has 0."""
    sizes = Counter(answer for answer in answers if answer is not None)
    return [sizes[answer] if answer is not None else 0 for answer in answers]


def agreement(answers: Sequence[str | None]) -> float:
    """The largest share of responses whose final answers are equal; 0 for fewer than two responses."""
    if len(answers) < 2:
        return 0.0
    largest = max(classes(answers))
    return largest / len(answers) if largest > 1 else 0.0


def overlap(one: str, other: str) -> float:
    """How many words two texts share, of all that they have (Jaccard). It knows topics, not claims."""
    a, b = set(_WORD.findall(one.casefold())), set(_WORD.findall(other.casefold()))
    return len(a & b) / len(a | b) if a or b else 1.0


def similarity(texts: Sequence[str]) -> float:
    """The mean overlap of each pair; 0 for fewer than two texts."""
    pairs = list(combinations(texts, 2))
    return sum(overlap(a, b) for a, b in pairs) / len(pairs) if pairs else 0.0


def change(before: Sequence[str], now: Sequence[str]) -> float:
    """How far the kept responses have moved since the last round: 1 less the mean overlap of each with its nearest
    predecessor; 1 where there was no round before."""
    if not before or not now:
        return 1.0
    return 1.0 - sum(max(overlap(text, old) for old in before) for text in now) / len(now)
