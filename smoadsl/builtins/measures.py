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
    return _shared(_words(one), _words(other))


def similarity(texts: Sequence[str]) -> float:
    """The mean overlap of each pair; 0 for fewer than two texts."""
    pairs = list(combinations(map(_words, texts), 2))
    return sum(_shared(a, b) for a, b in pairs) / len(pairs) if pairs else 0.0


def change(before: Sequence[str], now: Sequence[str]) -> float:
    """How far the kept responses have moved since the last round: 1 less the mean overlap of each with its nearest
    predecessor; 1 where there was no round before."""
    if not before or not now:
        return 1.0
    earlier = [_words(text) for text in before]
    return 1.0 - sum(max(_shared(words, old) for old in earlier) for words in map(_words, now)) / len(now)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _shared(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a or b else 1.0
