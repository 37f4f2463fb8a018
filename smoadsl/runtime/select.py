"""Select, to put the judges to work: who is asked, what is made of the verdict, and who decides without one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Literal, assert_never

from smoadsl.adapters.base import Message
from smoadsl.builtins import judges, measures
from smoadsl.builtins.verdicts import Question, Verdict, labels_for
from smoadsl.classes import dataclass
from smoadsl.plan.plan import FreeJudge, Judge, ModelJudge
from smoadsl.runtime import events
from smoadsl.runtime.asker import Asker, Place
from smoadsl.runtime.fitting import fitted
from smoadsl.runtime.prompts import Prompts, Response
from smoadsl.runtime.verdicts import ask_verdict, no_verdict, tell_no_word

Free = Literal["vote", "consensus", "cluster", "random", "first"]


class NoVerdict(Exception):
    """A judge whose `otherwise` is `fail` gave no verdict; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What goes on, in declared order, with scores and remarks; all responses best first; and the moderator's word.
    `votes` are counted by `vote()`: what goes on, and what only did not because it repeats it."""

    kept: tuple[Response, ...]
    ranking: tuple[Response, ...]
    votes: tuple[Response, ...]
    scores: Mapping[str, float] = field(default_factory=dict)
    stop: bool | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """The place of a selection: its layer, which round of how many, and the chance that belongs to it."""

    layer: str
    number: int
    rounds: int
    seed: str


@dataclass(frozen=True, slots=True)
class _Order:
    """How responses were ranked: their places best first, how many may go on, and who says so."""

    places: Sequence[int]
    keep: int
    by: str
    verdict: Verdict = field(default_factory=Verdict)


class Selector:
    """Puts the judges of a pipeline to work. `by_claim`: its `answer` is read out of the responses, not all of them."""

    def __init__(self, asker: Asker, prompts: Prompts, by_claim: bool) -> None:
        self._asker = asker
        self._prompts = prompts
        self._by_claim = by_claim

    async def select(self, judge: Judge, responses: Sequence[Response], at: Round, moderate: bool) -> Selection:
        """The judge's choice among the responses of a round. `moderate`: a fused judge is asked the stop question too,
        if it is asked at all. Raises `NoVerdict` when nobody may decide in its place."""
        keep = len(responses) if judge.keep is None else min(judge.keep, len(responses))
        spared = self._spared(judge, responses, keep, at)
        if spared:
            return self._settle(judge, responses, at, _Order(range(len(responses)), keep, spared))
        match judge.by:
            case FreeJudge() as free:
                seed = at.seed if free.seed is None else str(free.seed)
                return self._settle(judge, responses, at, self._free(free.kind, responses, keep, seed, "()"))
            case ModelJudge(kind="pairwise") as by:
                order = await self._pairwise(judge, by, responses, keep, at)
            case ModelJudge() as by:
                order = await self._listwise(judge, by, responses, keep, at, moderate)
            case _:
                assert_never(judge.by)
        if order is not None:
            return self._settle(judge, responses, at, order)
        selection = self._settle(judge, responses, at, self._otherwise(judge, by, responses, keep, at))
        if not moderate:
            return selection
        tell_no_word(self._asker, by.call, at.layer, at.number)  # it was asked in the same call
        return replace(selection, stop=False)

    def _spared(self, judge: Judge, responses: Sequence[Response], keep: int, at: Round) -> str:
        """Why nobody needs to be asked; empty when somebody must."""
        if isinstance(judge.by, FreeJudge) and judge.by.kind == "cluster":
            return ""  # it drops outliers even where all might go on
        if isinstance(judge.by, ModelJudge) and judge.read_in(at.number, at.rounds):
            return ""
        if isinstance(judge.by, ModelJudge) and not judge.spared and len(responses) > 1:
            return ""
        if len(responses) <= keep:
            return "nobody: all go on"
        return "nobody: all answers are equal" if all_equal(responses) else ""

    async def _listwise(
        self, judge: Judge, by: ModelJudge, responses: Sequence[Response], keep: int, at: Round, moderate: bool
    ) -> _Order | None:
        """One verdict on all responses, under neutral ids and in an order of chance."""
        order = judges.shuffled(len(responses), at.seed) if judge.shuffle else list(range(len(responses)))
        place_of = dict(zip(labels_for(order), order, strict=True))
        labelled = {label: responses[place] for label, place in place_of.items()}
        remarks = judge.feedback and at.number < at.rounds
        kind: Literal["rank", "score"] = "score" if by.kind == "score" else "rank"
        question = Question(kind, tuple(labelled), keep, moderate, remarks)

        def write(read: Sequence[Response]) -> tuple[Message, ...]:
            shown = dict(zip(labelled, read, strict=True))
            return self._prompts.judge(by.call, judge, shown, keep, at, moderate, remarks)

        read = list(labelled.values())
        messages = fitted(self._asker, at.layer, at.number, "the judge", by.call, read, write)
        place = Place("judge", "judge", at.layer, at.number, labels=_agents(labelled))
        verdict = await ask_verdict(self._asker, self._prompts, place, by.call, messages, question)
        if verdict is None:
            return None
        best = [place_of[label] for label in verdict.best]
        if kind == "score":  # ties go by declared order, not by the order that the judge saw
            by_place = {place_of[label]: score for label, score in verdict.scores.items()}
            best = sorted(by_place, key=lambda p: (-by_place[p], p))
        return _Order(best, keep, by.call.model, _renamed(verdict, labelled))

    async def _pairwise(
        self, judge: Judge, by: ModelJudge, responses: Sequence[Response], keep: int, at: Round
    ) -> _Order | None:
        """Each pair in both orders, all at once; ranked by won comparisons."""

        async def better(first: int, second: int) -> int | None:
            labelled = {"A": responses[first], "B": responses[second]}

            def write(read: Sequence[Response]) -> tuple[Message, ...]:
                shown = dict(zip(labelled, read, strict=True))
                return self._prompts.judge(by.call, judge, shown, 1, at, False, False)

            read = list(labelled.values())
            messages = fitted(self._asker, at.layer, at.number, "the judge", by.call, read, write)
            place = Place("judge", "judge", at.layer, at.number, labels=_agents(labelled))
            question = Question("rank", ("A", "B"), 1)
            verdict = await ask_verdict(self._asker, self._prompts, place, by.call, messages, question)
            return None if verdict is None else first if verdict.best[0] == "A" else second

        count = len(responses)
        pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
        winners = await asyncio.gather(*(better(i, j) for i, j in pairs))
        if None in winners:
            return None
        places = sorted(range(count), key=lambda p: (-winners.count(p), p))
        return _Order(places, keep, by.call.model)

    def _otherwise(self, judge: Judge, by: ModelJudge, responses: Sequence[Response], keep: int, at: Round) -> _Order:
        """Who decides in the place of a judge that gave no verdict; never silently. A spent budget is no reason to
        fail: it never costs the answer."""
        model, otherwise, spent = by.call.model, judge.otherwise, self._asker.spent
        why = no_verdict(self._asker)
        if otherwise == "fail" and not spent:
            raise NoVerdict(f"layer {at.layer}, round {at.number}: the judge {model} {why}")
        decides: Free = "consensus" if otherwise == "fail" else otherwise
        why = f"the judge {model} {why}; {decides} decided"
        self._asker.degrade(at.layer, at.number, why)
        return self._free(decides, responses, keep, at.seed)

    def _free(self, kind: Free, responses: Sequence[Response], keep: int, seed: str, shown: str = "") -> _Order:
        """Who decides without any call."""
        by = f"{kind}{shown}"
        values, texts = [r.value for r in responses], [r.text for r in responses]
        match kind:
            case "vote":
                return _Order(judges.vote(values), keep, by)
            case "random":
                return _Order(judges.shuffled(len(responses), f"random {seed}"), keep, by)
            case "cluster":
                places, size = judges.cluster(values, texts, self._by_claim)
                return _Order(places, min(keep, size), by)
            case "first":
                return _Order(range(len(responses)), keep, by)
            case "consensus":
                return _Order(judges.consensus(values, texts), keep, by)
            case _:
                assert_never(kind)

    def _settle(self, judge: Judge, responses: Sequence[Response], at: Round, order: _Order) -> Selection:
        """The first of an order go on, in declared order: without near-duplicates, and without those under `min_score`,
        but never without the best."""
        chosen: list[int] = []
        repeats: list[int] = []
        for place in order.places:
            if len(chosen) == order.keep:
                break
            (repeats if _repeats(responses, place, chosen, judge.dedupe) else chosen).append(place)
        verdict = order.verdict
        if judge.min_score is not None and verdict.scores:
            good = {p for p, r in enumerate(responses) if verdict.scores[r.agent] >= judge.min_score}
            chosen = [p for p in chosen if p in good] or chosen[:1]
            repeats = [p for p in repeats if p in good]
        marked = [
            replace(r, score=verdict.scores.get(r.agent), feedback=verdict.remarks.get(r.agent, "")) for r in responses
        ]
        ranking = [*chosen, *(p for p in order.places if p not in chosen)]
        kept = tuple(marked[place] for place in sorted(chosen))
        self._asker.tell(
            events.Judged,
            layer=at.layer,
            round=at.number,
            by=order.by,
            ranking=tuple(responses[p].agent for p in ranking),
            kept=tuple(r.agent for r in kept),
            dropped=tuple(r.agent for place, r in enumerate(responses) if place not in chosen),
            scores=dict(verdict.scores),
            remarks=dict(verdict.remarks),
            reason=verdict.reason,
        )
        return Selection(
            kept,
            ranking=tuple(marked[p] for p in ranking),
            votes=tuple(marked[p] for p in sorted([*chosen, *repeats])),
            scores=verdict.scores,
            stop=verdict.stop,
            reason=verdict.reason,
        )


def all_equal(responses: Sequence[Response]) -> bool:
    """Whether there are two responses at least, and all have the same final answer."""
    return measures.agreement([r.value for r in responses]) == 1.0


def _repeats(responses: Sequence[Response], place: int, chosen: Sequence[int], ratio: float | None) -> bool:
    if ratio is None:
        return False
    return any(measures.overlap(responses[place].text, responses[other].text) >= ratio for other in chosen)


def _agents(labelled: Mapping[str, Response]) -> dict[str, str]:
    return {label: response.agent for label, response in labelled.items()}


def _renamed(verdict: Verdict, labelled: Mapping[str, Response]) -> Verdict:
    """The verdict with agents' names in the place of the neutral ids."""
    return replace(
        verdict,
        best=tuple(labelled[label].agent for label in verdict.best),
        scores={labelled[label].agent: score for label, score in verdict.scores.items()},
        remarks={labelled[label].agent: text for label, text in verdict.remarks.items() if label in labelled},
    )
