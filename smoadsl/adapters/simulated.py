"""Simulated, to let models that are numbers answer: right so often, so long, so late, copying so much, by a seed.

What a call is answered depends on the request alone: its model, seed, messages and the fields it is given. So caches,
recordings and a run that goes on all agree. The right answer is the field `answer` of the row, and `wrong` the answers
that may be given instead; a request without a row has a right answer too, which nobody knows.
"""

import asyncio
import math
from collections import Counter
from dataclasses import fields
from random import Random

from smoadsl.adapters.base import JSON, Choice, Connection, Fault, FaultKind, OnText, Reply, Request
from smoadsl.adapters.simulated_reading import claim_of, quoted_in
from smoadsl.adapters.simulated_verdict import Opinion, instance_of
from smoadsl.adapters.simulated_words import Truth, drawn, prose, truth_of
from smoadsl.adapters.usage import Counts, usage_of
from smoadsl.classes import dataclass

_PIECES = 16  # in which an answer is streamed
_BYTES_A_TOKEN = 4
_MOST_WORDS = 20_000


@dataclass(frozen=True, slots=True)
class Traits:
    """What a simulated model is like.

    `skill`: how often it is right by itself, and sees whether a response is. `words`: how long an answer is in the
    mean, and `spread` how much that varies (the standard deviation of its logarithm). `latency_s`: how long an answer
    of that length takes. `copies`: how often it takes over the answer that most of the responses it reads
    give. `alike`: how often its luck is that of all models with this question, so that they are right and wrong
    together. `agree`: the share of the responses that have to say the same before it says that a discussion may stop.
    """

    skill: float = 0.6
    words: int = 80
    spread: float = 0.4
    latency_s: float = 0.0
    copies: float = 0.5
    alike: float = 0.0
    agree: float = 0.75


_RANGES = {
    "skill": (0, 1), "words": (1, _MOST_WORDS), "spread": (0, 2), "latency_s": (0, 7 * 86_400), "copies": (0, 1),
    "alike": (0, 1), "agree": (0, 1),
}  # fmt: skip
TRAITS = tuple(_RANGES)


class Simulated:
    """Answers in this process, without key, network or weights. Any name is a model of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Make one attempt, which takes as long as the model does, on the loop's own clock."""
        traits = _traits(request.sampling.extra)
        texts = [_written(request, traits, sample) for sample in range(request.n)]
        cut = [_cut(text, request.sampling.max_tokens) for text in texts]
        took_s = max(_took_s(traits, text) for text, _ in cut)
        if took_s > self._connection.total_timeout_s:
            await asyncio.sleep(self._connection.total_timeout_s)
            raise Fault(FaultKind.TIMEOUT, f"{request.model} did not finish in time", billed=True)
        await _said(cut[0][0], took_s, on_text)
        first, *others = (Choice(text, "length" if is_cut else "stop") for text, is_cut in cut)
        read = sum(_tokens(message.content) for message in request.messages)
        written = sum(_tokens(text) for text, _ in cut)
        usage = usage_of(request, lambda: first.text, Counts(read, written))
        return Reply(first.text, first.finish, usage, request.model, others=tuple(others))

    async def models(self) -> tuple[str, ...]:
        """Any name will do; these are two."""
        return ("able", "plain")

    async def aclose(self) -> None:
        """There is nothing to give back."""


def _traits(extra: JSON) -> Traits:
    """The traits among a model's settings. Raises `Fault` for what is none."""
    known = {field.name for field in fields(Traits)}
    for name, value in extra.items():
        if name not in known:
            raise Fault(FaultKind.LOCAL, f"a simulated model has no setting `{name}`: there are {', '.join(TRAITS)}")
        low, high = _RANGES[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise Fault(FaultKind.LOCAL, f"a simulated model's `{name}` is a number from {low} to {high:,}")
    return Traits(**extra)


def _written(request: Request, traits: Traits, sample: int) -> str:
    """What the model answers: a verdict where a form is asked for, else a text that ends with its claim."""
    asked = [f"{message.role}\x00{message.content}" for message in request.messages]
    own = drawn("own", request.model, str(request.sampling.seed), str(sample), *asked)
    question = request.messages[-1].content if request.messages else ""
    truth = truth_of(question, request.given)
    if request.schema is not None:
        quoted = quoted_in(request.messages[0].content if request.messages else "")
        opinion = Opinion(quoted, truth if request.given.get("answer") is not None else None, traits.skill, own)
        return instance_of(request.schema, opinion, traits.agree, truth)
    claim = _claim(request, traits, own, truth, question)
    words = round(traits.words * math.exp(own.gauss(0, traits.spread) - traits.spread**2 / 2))
    return prose(min(max(words, 1), _MOST_WORDS), own, claim)


def _claim(request: Request, traits: Traits, own: Random, truth: Truth, question: str) -> str:
    """What the model holds to be the answer: taken over from what it reads, or its own."""
    read = [piece.text for message in request.messages[:-1] for piece in quoted_in(message.content)]
    claims = [claim for text in read if (claim := claim_of(text)) is not None]
    copies, with_all = own.random() < traits.copies, own.random() < traits.alike
    if claims and copies:
        counts = Counter(claims)
        most = max(counts.values())
        return own.choice([claim for claim, count in counts.items() if count == most])
    luck = drawn("all", question) if with_all else own
    return truth.right if luck.random() < traits.skill else luck.choice(truth.wrong)


def _cut(text: str, max_tokens: int) -> tuple[str, bool]:
    """The text within `max_tokens`, and whether that cut it."""
    most = _BYTES_A_TOKEN * max_tokens
    whole = text.encode("utf-8", "surrogatepass")
    if len(whole) <= most:
        return text, False
    return whole[:most].decode("utf-8", "ignore") or text[:1], True


def _tokens(text: str) -> int:
    return max(1, -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN))


def _took_s(traits: Traits, text: str) -> float:
    """As long as it takes to write so many words, where `words` of them take `latency_s`."""
    return traits.latency_s * len(text.split()) / traits.words


async def _said(text: str, took_s: float, on_text: OnText | None) -> None:
    """Hand the text over, in pieces where it is streamed, as the time goes by."""
    if on_text is None:
        if took_s:
            await asyncio.sleep(took_s)
        return
    size = max(1, -(-len(text) // _PIECES))
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    for piece in pieces:
        if took_s:
            await asyncio.sleep(took_s / len(pieces))
        on_text(piece)
