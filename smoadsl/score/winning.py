"""Winning, to turn preferences over a reference into a win rate, and into the one that equal lengths would have had.

AlpacaEval's convention: the win rate is the mean preference in percent, a tie counting one half (arXiv 2305.14387). The
length-controlled rate follows arXiv 2404.04475: a logistic regression explains each preference by the pipeline and by
tanh of the difference in length, in units of its standard deviation; the rate is what it predicts for no difference.
The paper's third term, how hard each instruction is, comes of fits over many systems and is left out, as there is one
pair here; so rates are comparable within a comparison, and close to AlpacaEval's, not the same.
"""

import math
from collections.abc import Sequence

from smoadsl.classes import dataclass
from smoadsl.score.statistics import mean

_STEPS = 50
_RIDGE = 1e-2  # keeps both weights finite where length, or the pipeline, explains every preference
_CLOSE = 1e-10


@dataclass(frozen=True, slots=True)
class Preference:
    """How ours fared against the reference: 1 won, 0 lost, 1/2 tied; lengths in characters."""

    value: float
    ours: int
    theirs: int


def win_rate(preferences: Sequence[Preference]) -> float:
    """In percent. Raises `ValueError` for none."""
    return 100 * mean([one.value for one in preferences])


def length_controlled(preferences: Sequence[Preference]) -> float:
    """The win rate that answers of the reference's lengths would have, in percent. Raises `ValueError` for none."""
    gaps = [one.ours - one.theirs for one in preferences]
    centre = mean([float(gap) for gap in gaps])
    spread = math.sqrt(mean([(gap - centre) ** 2 for gap in gaps]))
    if spread == 0:
        return win_rate(preferences)  # where all differ alike, nothing tells length from the rest
    lengths = [math.tanh(gap / spread) for gap in gaps]
    own, _ = _fit(lengths, [one.value for one in preferences])
    return 100 * _logistic(own)


def _fit(lengths: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """The weights of a logistic regression on 1 and the length, by Newton's method, held back a little."""
    own = by_length = 0.0
    for _ in range(_STEPS):
        g0, g1 = -_RIDGE * own, -_RIDGE * by_length
        h00, h01, h11 = _RIDGE, 0.0, _RIDGE
        for length, value in zip(lengths, values, strict=True):
            p = _logistic(own + by_length * length)
            weight = p * (1 - p)
            g0, g1 = g0 + value - p, g1 + (value - p) * length
            h00, h01, h11 = h00 + weight, h01 + weight * length, h11 + weight * length * length
        det = h00 * h11 - h01 * h01
        step0, step1 = (h11 * g0 - h01 * g1) / det, (h00 * g1 - h01 * g0) / det
        longest = max(abs(step0), abs(step1))
        scale = min(1.0, 2 / longest) if longest else 1.0  # a long step may run past the top
        own, by_length = own + scale * step0, by_length + scale * step1
        if longest < _CLOSE:
            break
    return own, by_length


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
