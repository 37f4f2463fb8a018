"""Money, to bound what one prompt can cost, where every price is known.

Input counts one token for two bytes, a response that is not yet written twice its `max_tokens`. Retries do not count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from smoadsl.adapters.base import Usage
from smoadsl.plan.bounds import may_go_on, question
from smoadsl.plan.plan import (
    Agent,
    Call,
    Judge,
    Layer,
    ModelAggregate,
    ModelJudge,
    Pipeline,
    Plan,
    active,
    calls_of,
    moderators,
)

_MARKERS = 64  # tokens of the markers around a text, its name aside
_QUESTION = 300  # tokens of a verdict's schema, or of the request for another, its ids aside


def usd_at_most(plan: Plan, prompt_bytes: int) -> Decimal | None:
    """The most dollars that a run can take for a conversation of so many bytes; None where a price is not known.

    Where a judge quotes the conversation each of its messages has markers of its own: they are to be counted too."""
    if any(route.price is None for call in calls_of(plan.pipeline) for route in call.routes):
        return None
    return _Pricing(plan.templates, prompt_bytes // 2 + 1).pipeline(plan.pipeline, {})


@dataclass(frozen=True, slots=True)
class _Pricing:
    templates: Mapping[str, str]
    prompt: int  # tokens

    def pipeline(self, pipeline: Pipeline, seen: Mapping[str, int]) -> Decimal:
        """A pipeline whose first layer sees responses of these sizes."""
        usd = Decimal(0)
        most: Mapping[str, int] = seen  # what may go on
        read: Mapping[str, int] = {}  # what a moderator may read of the last round that ran
        for layer in pipeline.layers:
            asked = {question(m): m.call for m in moderators(layer.when)} if layer.when else {}
            usd += sum(self.verdict(call, read) for call in asked.values())
            if layer.activate and layer.activate.router and active(layer) < len(layer.agents):
                about = {agent.name: len(agent.about.encode()) for agent in layer.agents}
                usd += self.verdict(layer.activate.router, about)
            everyone = _everyone(layer)
            for number in range(1, layer.rounds + 1):
                seen = most if number == 1 else {**most, **_remarks(layer)}
                each = sorted((self.agent(agent, seen) for agent in layer.agents), reverse=True)
                usd += sum(each[: active(layer)]) + self.after(layer, everyone)
                most = max(most, may_go_on(layer), key=_size)
            read = max(read, everyone, key=_size)
        if isinstance(pipeline.aggregate, ModelAggregate):
            end = pipeline.aggregate
            usd += (
                self.call(end.call, most) if end.output is None else self.verdict(end.call, most, len(str(end.output)))
            )
        limit = pipeline.budget.usd
        return usd if limit is None else min(usd, limit)

    def agent(self, agent: Agent, seen: Mapping[str, int]) -> Decimal:
        role = len(agent.role.encode()) // 2 + 1
        match agent.does:
            case Call():
                return self.call(agent.does, seen, role)
            case Pipeline():  # the role joins the system prompt, and so every conversation inside
                return _Pricing(self.templates, self.prompt + role).pipeline(agent.does, seen)
            case _:
                assert_never(agent.does)

    def after(self, layer: Layer, everyone: Mapping[str, int]) -> Decimal:
        """The judge and the moderators of a round."""
        asked = {question(m): m.call for stop in layer.stops for m in moderators(stop.condition)}
        usd = sum((self.verdict(call, everyone) for call in asked.values()), Decimal(0))
        return usd + (self.judge(layer, layer.judge, everyone) if layer.judge else 0)

    def judge(self, layer: Layer, judge: Judge, everyone: Mapping[str, int]) -> Decimal:
        if not isinstance(judge.by, ModelJudge):
            return Decimal(0)
        criteria = len(judge.criteria.encode())
        if judge.by.kind != "pairwise":
            return self.verdict(judge.by.call, everyone, criteria)
        largest = sorted(everyone, key=lambda name: -everyone[name])[:2]
        pairs = active(layer) * (active(layer) - 1)
        return pairs * self.verdict(judge.by.call, {name: everyone[name] for name in largest}, criteria)

    def verdict(self, call: Call, read: Mapping[str, int], more: int = 0) -> Decimal:
        """A verdict, asked for once more with the first reply before it."""
        more += _QUESTION + _MARKERS * len(read)
        return self.call(call, read, more) + self.call(call, read, 2 * more + 2 * call.max_tokens)

    def call(self, call: Call, read: Mapping[str, int], more: int = 0) -> Decimal:
        """A call that reads the conversation and these responses."""
        template = len(self.templates[call.template].encode())
        if not call.built_in:  # an author's may say all of it for each
            template *= 1 + len(read)
        names = sum(len(name) for name in read)
        markers = _MARKERS * (len(read) + 4)
        input_tokens = self.prompt + template // 2 + _size(read) + names + markers + more
        times = [(r, r.price, 2 if r.length == "grow" else 1) for r in call.routes if r.price]
        usages = [(price, Usage(n * input_tokens, (2 * n - 1) * r.sampling.max_tokens)) for r, price, n in times]
        return max(price.of(usage) for price, usage in usages)


def _everyone(layer: Layer) -> dict[str, int]:
    """The responses of a round, the largest that can be."""
    kept_all = layer.model_copy(update={"judge": None})
    return may_go_on(kept_all)


def _remarks(layer: Layer) -> dict[str, int]:
    """What a judge may have said of the round before."""
    judge = layer.judge
    if judge is None or not judge.feedback or not isinstance(judge.by, ModelJudge):
        return {}
    return {"remarks": 2 * judge.by.call.max_tokens + _MARKERS * len(layer.agents)}


def _size(responses: Mapping[str, int]) -> int:
    return sum(responses.values())
