"""Stopping, to decide stop rules and `when`: by what is known first, by asking moderators only while it is open."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field

from smoadsl.builtins import measures
from smoadsl.classes import dataclass
from smoadsl.plan.plan import Condition, Judge, ModelJudge, Stop, moderators
from smoadsl.runtime import events
from smoadsl.runtime.asker import Asker
from smoadsl.runtime.conditions import Question, evaluate, first_open, question
from smoadsl.runtime.conditions import measures as measures_of
from smoadsl.runtime.events import Totals
from smoadsl.runtime.prompts import Prompts, Response
from smoadsl.runtime.select import Selection, all_equal
from smoadsl.runtime.verdicts import ask_moderator

Value = float | None


class Measured(Mapping[str, Value]):
    """Measures by name, each of which is taken when somebody first asks for it: most of them nobody does."""

    def __init__(self) -> None:
        self._ways: dict[str, Callable[[], Value]] = {}
        self._values: dict[str, Value] = {}

    def know(self, **values: Value) -> None:
        self._values |= values

    def can_take(self, name: str, way: Callable[[], Value]) -> None:
        self._ways[name] = way

    def __getitem__(self, name: str) -> Value:
        if name not in self._values:
            self._values[name] = self._ways[name]()
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._ways

    def __iter__(self) -> Iterator[str]:
        return iter({**self._ways, **self._values})

    def __len__(self) -> int:
        return len({**self._ways, **self._values})


@dataclass
class Standing:
    """What is known of a round: its measures, the moderators' words, and the responses that they read."""

    layer: str
    number: int
    responses: Sequence[Response] = ()
    known: Measured = field(default_factory=Measured)
    said: dict[Question, bool] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def before_judging(cls, layer: str, number: int, responses: Sequence[Response]) -> "Standing":
        """What is known as soon as the responses are there, and stays so."""
        standing = cls(layer, number, responses)
        standing.known.can_take("agreement", lambda: measures.agreement([r.value for r in responses]))
        standing.known.can_take("similarity", lambda: measures.similarity([r.text for r in responses]))
        standing.known.know(round=number)
        return standing

    def after_judging(self, selection: Selection, before: Sequence[Response]) -> None:
        """What the verdict adds. `before` is what went on from the layer's round before; the first has none."""
        earlier = before if self.number > 1 else ()
        self.known.can_take(
            "change", lambda: measures.change([r.text for r in earlier], [r.text for r in selection.kept])
        )
        scores = list(selection.scores.values())
        self.known.know(
            **{
                "score.best": max(scores, default=None),
                "score.worst": min(scores, default=None),
                "score.mean": sum(scores) / len(scores) if scores else None,
            }
        )

    def spent(self, totals: Totals) -> None:
        """What the run has taken by now."""
        self.known.know(
            **{
                "spent.calls": totals.calls,
                "spent.tokens": totals.input_tokens + totals.output_tokens,
                "spent.usd": totals.usd,
                "spent.time": totals.seconds,
            }
        )

    def said_by_all(self, condition: Condition) -> None:
        """Equal answers count as the yes of every moderator that a condition asks."""
        if all_equal(self.responses):
            self.said |= {question(moderator): True for moderator in moderators(condition)}

    def asks_judge(self, judge: Judge, stops: Sequence[Stop]) -> Question | None:
        """The moderator's question that a fused judge should answer too, while a stop rule is open on it."""
        if not judge.fused or not isinstance(judge.by, ModelJudge):
            return None
        fused = (judge.by.call.model, "built-in moderator")
        for stop in stops:
            self.said_by_all(stop.condition)
            mentioned = fused in map(question, moderators(stop.condition))
            if mentioned and evaluate(stop.condition, self.known, self.said) is None:
                return fused
        return None

    def values(self, condition: Condition) -> events.Values:
        """What a condition was decided by; None for what had no value."""
        found: events.Values = {}
        for name in sorted(measures_of(condition)):
            value = self.known.get(name)
            found[name] = None if value is None else float(value)  # a round's number and the like are whole
        asked = {question(m) for m in moderators(condition)}
        return found | {f"moderator({q[0]})": word for q, word in self.said.items() if q in asked}


async def decide(condition: Condition, standing: Standing, asker: Asker, prompts: Prompts) -> bool:
    """Whether a condition holds. Moderators are asked from left to right, and only while it is open."""
    standing.spent(asker.totals)
    standing.said_by_all(condition)
    while (held := evaluate(condition, standing.known, standing.said)) is None:
        moderator = first_open(condition, standing.known, standing.said)
        if moderator is None:
            return False
        verdict = await ask_moderator(
            asker, prompts, moderator.call, standing.responses, standing.layer, standing.number
        )
        standing.said[question(moderator)] = bool(verdict.stop)
        standing.reason = verdict.reason
    return held


async def first_that_holds(stops: Sequence[Stop], standing: Standing, asker: Asker, prompts: Prompts) -> Stop | None:
    """The first stop rule that holds; each that was looked at is told with the values that decided it."""
    for stop in stops:
        held = await decide(stop.condition, standing, asker, prompts)
        asker.tell(
            events.StopChecked,
            layer=standing.layer,
            round=standing.number,
            held=held,
            whole_pipeline=stop.whole_pipeline,
            origin=stop.origin,
            values=standing.values(stop.condition),
            reason=standing.reason,
        )
        if held:
            return stop
    return None
