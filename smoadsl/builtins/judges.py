"""Judges, to rank responses without asking a model. Every tie goes by declared order."""

from collections.abc import Sequence
from random import Random

from smoadsl.builtins.measures import classes, overlap


def vote(answers: Sequence[str | None]) -> list[int]:
    """Places, best first: those with the most frequent final answer, then the rest."""
    sizes = classes(answers)
    first = {answer: place for place, answer in reversed(list(enumerate(answers)))}
    return sorted(range(len(answers)), key=lambda i: (-sizes[i], first[answers[i]], i))


def consensus(answers: Sequence[str | None], texts: Sequence[str]) -> list[int]:
    """Places, best first: by the size of the answer's class, then by how much a text shares with all others."""
    sizes = classes(answers)
    shared = [sum(overlap(text, other) for j, other in enumerate(texts) if j != i) for i, text in enumerate(texts)]
    return sorted(range(len(texts)), key=lambda i: (-sizes[i], -shared[i], i))


def cluster(answers: Sequence[str | None], texts: Sequence[str], by_claim: bool) -> tuple[list[int], int]:
    """Places, best first, and how many of them form the largest group; the rest are outliers.

    Two responses belong together when their final answers are equal; where the answer is the whole text, also when
    they share as much as the mean pair does (after the cluster filter of arXiv 2503.05856, with words in the place of
    embeddings).
    """
    count = len(texts)
    shared = [[overlap(a, b) for b in texts] for a in texts]
    pairs = [shared[i][j] for i in range(count) for j in range(i)]
    mean = sum(pairs) / len(pairs) if pairs else 0.0

    def together(i: int, j: int) -> bool:
        if answers[i] is not None and answers[i] == answers[j]:
            return True
        return not by_claim and shared[i][j] >= mean

    groups: list[list[int]] = []
    for place in range(count):
        near = [group for group in groups if any(together(place, other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*(member for group in near for member in group), place])
    largest = max(groups, key=lambda group: (len(group), -min(group)))
    best = sorted(largest, key=lambda i: (-sum(shared[i][j] for j in largest if j != i), i))
    return [*best, *(place for place in range(count) if place not in largest)], len(largest)


def shuffled(count: int, seed: str) -> list[int]:
    """Places in an order drawn from the seed."""
    places = list(range(count))
    Random(seed).shuffle(places)
    return places
