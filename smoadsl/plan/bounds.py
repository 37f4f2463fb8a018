"""Bounds, to prove what one prompt can take: calls, tokens, money, and the longest chain of calls.

`least`: everything that can end early does, and every response has one token. `full`: nothing fails or ends early, and
every response is as long as it may be. `worst`: besides, every verdict must be asked for twice, and every call is tried
as often as it may be, on each of its routes. A budget holds in all three. `reserved` is what a budget must hold for a
run in which nothing fails: more than `full`, as a call is sent only if the budget holds all that it may take, and so
much is set aside for the aggregate.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal, assert_never

from smoadsl.adapters.base import Usage
from smoadsl.calls.budget import Limits
from smoadsl.calls.route import Provider, Route
from smoadsl.plan.cost import NONE, Cost, at_once
from smoadsl.plan.plan import (
    Agent,
    Bounds,
    Call,
    Layer,
    ModelAggregate,
    ModelJudge,
    Money,
    Pipeline,
    Plan,
    Range,
    Seconds,
    active,
    moderators,
    routes_of,
)
from smoadsl.plan.reading import NOTHING, Going, about, remarks_on, responses_of, text_tokens
from smoadsl.plan.template_size import Given, tokens_written
from smoadsl.plan.truth import can_hold, question

Mode = Literal["least", "full", "worst", "reserved"]
Latency = Mapping[str, float]  # seconds of one call, by model; `*` for all others

PROMPT_TOKENS = 1_000  # of a prompt that nobody has said anything of
_AROUND = 256  # tokens of the markers around a conversation that is quoted
_SCHEMA = 300  # tokens of a verdict's schema, or of the request for another, its ids aside
_ID = 64  # tokens of what a verdict's schema, or its second reading, says of each response


def bounds(plan: Plan, prompt_tokens: int = PROMPT_TOKENS, latency_s: Latency | None = None) -> Bounds:
    """What a conversation of so many tokens can take at most, and must take at least."""
    walks = [Walk(plan, mode, prompt_tokens, latency_s or {}) for mode in ("least", "full", "worst")]
    costs = [walk.cost() for walk in walks]
    unpriced = tuple(sorted({r.name for r in routes_of(plan) if r.price is None}))
    return Bounds(
        prompt_tokens=prompt_tokens,
        calls=_range([cost.calls for cost in costs]),
        tokens=_range([cost.tokens for cost in costs]),
        input_tokens=_range([cost.input_tokens for cost in costs]),
        output_tokens=_range([cost.output_tokens for cost in costs]),
        critical_path=_range([cost.path for cost in costs]),
        usd=None if unpriced else Money(least=costs[0].usd, full=costs[1].usd, worst=costs[2].usd),
        unpriced=unpriced,
        seconds=Seconds(least=costs[0].path_s, full=costs[1].path_s, worst=costs[2].path_s) if latency_s else None,
        binds=_binding(plan.pipeline.budget, walks[2]),
    )


def enough(plan: Plan, prompt_tokens: int) -> Cost:
    """What a budget must hold for a conversation of so many tokens, if nothing fails and every verdict can be read."""
    return Walk(plan, "reserved", prompt_tokens, {}).cost(capped=False)


def _range(figures: Sequence[int]) -> Range:
    least, full, worst = figures
    return Range(least=least, full=full, worst=worst)


def _binding(budget: Limits, walk: "Walk") -> tuple[str, ...]:
    """The limits of the outer budget that may end a run before its own worst case."""
    if budget == Limits():
        return ()
    worst = walk.cost(capped=False)
    pairs: list[tuple[str, float | Decimal | None, float | Decimal, str]] = [
        ("calls", budget.calls, worst.calls, "{:,}"),
        ("tokens", budget.tokens, worst.tokens, "{:,}"),
        ("usd", budget.usd, worst.usd, "${:.4f}"),
    ]
    return tuple(
        f"the budget of {unit} ({form.format(limit)}) may end a run before its worst case ({form.format(most)})"
        for unit, limit, most, form in pairs
        if limit is not None and limit < most
    )


class Walk:
    """One walk through a plan, in one mode. `longest` has what each call can read at most, by the call's identity."""

    def __init__(self, plan: Plan, mode: Mode, prompt_tokens: int, latency_s: Latency) -> None:
        self._plan = plan
        self._mode: Mode = mode
        self._prompt_tokens = prompt_tokens
        self._latency_s = latency_s
        self._texts = {name: text_tokens(text) for name, text in plan.templates.items()}
        self._times = 1 if mode in ("least", "full") else 2  # what a response's reader counts for a token of its writer
        self._capped = True
        self._inner: dict[object, Cost] = {}
        self._tries: dict[object, Cost] = {}
        self._written: dict[int, tuple[Going, Going]] = {}
        self.longest: dict[int, tuple[Call, int]] = {}

    def cost(self, capped: bool = True) -> Cost:
        """What the whole plan takes; without its outer budget when it is not `capped`."""
        self._capped = capped
        cost = self._pipeline(self._plan.pipeline, NOTHING, self._prompt_tokens, outer=True)
        if self._mode == "worst":
            for recipe in self._plan.recipes:  # roles that no lock has may have to be made first
                texts = text_tokens(recipe.dataset) + text_tokens(recipe.task)
                cost = self._verdict(recipe.call, NOTHING, 0, texts).then(cost)
        return cost

    # ---- pipelines and layers

    def _pipeline(self, pipeline: Pipeline, seen: Going, prompt: int, outer: bool = False) -> Cost:
        """A pipeline whose first layer sees these responses."""
        cost = NONE
        into = end = seen  # what may go into the next layer, and what may reach the aggregate
        read = NOTHING  # what a moderator of `when` may read of the last round that ran
        before: Layer | None = None
        may_have_ended = False
        for index, layer in enumerate(pipeline.layers):
            may_have_ended = may_have_ended or (before is not None and _may_end(before))
            before, last = layer, before
            if self._mode == "least" and (layer.when is not None or may_have_ended):
                continue
            cost = cost.then(self._when(layer, last, read, prompt))
            cost = cost.then(self._layer(layer, index + 1 < len(pipeline.layers), into, prompt))
            goes_on, everyone = self._responses(layer)
            is_sure = self._mode == "full" and layer.when is None
            into, read = (goes_on, everyone) if is_sure else (into.or_else(goes_on), read.or_else(everyone))
            end = goes_on if is_sure and not may_have_ended else end.or_else(goes_on)
        cost = cost.then(self._aggregate(pipeline, end, prompt))
        return cost if outer and not self._capped else cost.within(pipeline.budget)

    def _aggregate(self, pipeline: Pipeline, end: Going, prompt: int) -> Cost:
        match pipeline.aggregate:
            case ModelAggregate(call=call, output=None):
                return self._call(call, end, prompt)
            case ModelAggregate(call=call, output=output):
                return self._verdict(call, end, prompt, text_tokens(str(output)))
            case _:
                return NONE

    def _when(self, layer: Layer, before: Layer | None, read: Going, prompt: int) -> Cost:
        """The moderators that `when` may ask: of what the last round was asked too, the word is known, unless the layer
        before did not run."""
        cost = NONE
        known = _asked(before, before.rounds, follows=True) if before and self._mode == "full" else {}
        for asked in moderators(layer.when) if layer.when and self._mode != "least" else ():
            if question(asked) not in known:
                known[question(asked)] = asked.call
                cost = cost.then(self._verdict(asked.call, read, prompt))
        return cost

    def _layer(self, layer: Layer, follows: bool, into: Going, prompt: int) -> Cost:
        cost = NONE
        if layer.activate and layer.activate.router and active(layer) < len(layer.agents):
            cost = self._verdict(layer.activate.router, NOTHING, prompt, sum(map(about, layer.agents)))
        first = self._proposals(layer, into, 0, prompt)
        again = NONE
        if layer.rounds > 1:
            again = self._proposals(layer, self._responses(layer)[0], remarks_on(layer, self._times), prompt)
        rounds = self._rounds(layer)
        cost = cost.then(first).then(again.times(rounds - 1))
        if rounds < layer.rounds:
            return cost.then(self._after(layer, 1, follows, prompt).times(rounds))
        if rounds > 1:  # what comes after a round is the same in all but the layer's last
            cost = cost.then(self._after(layer, 1, follows, prompt).times(rounds - 1))
        return cost.then(self._after(layer, rounds, follows, prompt))

    def _rounds(self, layer: Layer) -> int:
        """All of them, or as few as the stop rules allow."""
        if self._mode != "least":
            return layer.rounds
        ends = (n for n in range(1, layer.rounds) if any(can_hold(stop.condition, n) for stop in layer.stops))
        return next(ends, layer.rounds)

    def _responses(self, layer: Layer) -> tuple[Going, Going]:
        """What can go on from a round of the layer, and all that is written in it."""
        if id(layer) not in self._written:
            self._written[id(layer)] = responses_of(layer, self._times)
        return self._written[id(layer)]

    # ---- what happens in a round

    def _proposals(self, layer: Layer, seen: Going, remarks: int, prompt: int) -> Cost:
        merged = {group[0]: len(group) for group in layer.merged}
        spared = {name for group in layer.merged for name in group[1:]}
        each = [
            self._agent(agent, seen, remarks, prompt, merged.get(agent.name, 1))
            for agent in layer.agents
            if agent.name not in spared
        ]
        return at_once(each, active(layer), cheapest=self._mode == "least")

    def _agent(self, agent: Agent, seen: Going, remarks: int, prompt: int, samples: int) -> Cost:
        role = 0 if self._mode == "least" else text_tokens(agent.role)
        sees = seen.seen(agent.view, agent.name)
        match agent.does:
            case Call():
                return self._call(agent.does, sees, prompt, role + (remarks if sees.count else 0), samples=samples)
            case Pipeline():  # the role joins the system prompt, and so every conversation inside
                key = id(agent.does), sees.most, tuple(sees.sizes.items()), prompt + role
                if key not in self._inner:  # pipelines of pipelines meet again and again
                    self._inner[key] = self._pipeline(agent.does, sees, prompt + role)
                return self._inner[key]
            case _:
                assert_never(agent.does)

    def _after(self, layer: Layer, number: int, follows: bool, prompt: int) -> Cost:
        """The judge and the moderators, after the proposals of a round."""
        judge = layer.judge
        read = self._responses(layer)[1]
        if self._mode == "least":
            if judge is None or not isinstance(judge.by, ModelJudge):
                return NONE
            is_asked = judge.read_in(number, layer.rounds) or (not judge.spared and active(layer) > 1)
            return self._judge(layer, read, prompt) if is_asked else NONE
        cost = NONE
        asked = _asked(layer, number, follows)
        if judge and isinstance(judge.by, ModelJudge) and _may_choose(layer, number):
            one = self._judge(layer, read, prompt)
            moderator = asked.pop((judge.by.call.model, "built-in moderator"), None) if judge.fused else None
            if moderator and self._mode == "worst":  # after failures it may be asked alone, where nobody need judge
                one = one.or_else(self._verdict(moderator, read, prompt))
            cost = cost.then(one)
        for call in asked.values():
            cost = cost.then(self._verdict(call, read, prompt))
        return cost

    def _judge(self, layer: Layer, read: Going, prompt: int) -> Cost:
        """One call, or one for each ordered pair."""
        judge = layer.judge
        assert judge is not None
        assert isinstance(judge.by, ModelJudge)
        criteria = text_tokens(judge.criteria)
        if judge.by.kind != "pairwise":
            return self._verdict(judge.by.call, read, prompt, criteria)
        pairs = active(layer) * (active(layer) - 1)
        one = self._verdict(judge.by.call, Going(read.sizes, 2), prompt, criteria)
        return at_once([one] * pairs, pairs)

    # ---- calls

    def _verdict(self, call: Call, read: Going, prompt: int, more: int = 0) -> Cost:
        """A verdict, which may be asked for once more, with the first reply before it."""
        more += _SCHEMA + _ID * read.count
        once = self._call(call, read, prompt, more, is_verdict=True)
        if self._mode != "worst":
            return once
        return once.then(self._call(call, read, prompt, 2 * (more + call.max_tokens), is_verdict=True))

    def _call(
        self, call: Call, read: Going, prompt: int, more: int = 0, is_verdict: bool = False, samples: int = 1
    ) -> Cost:
        """A call that reads the conversation, these responses, and so many tokens more, for so many answers."""
        if self._mode == "least":
            quotes = not is_verdict or call.built_in  # an author's template for a verdict may quote nothing
            return self._tried(call, prompt if quotes else 0, samples)
        size = prompt + _AROUND + more
        if call.built_in:
            size += self._texts[call.template] + read.tokens
        else:
            largest = max(read.sizes.values(), default=0) + _ID
            given = Given(read.tokens + more, read.count, largest + more, prompt + _AROUND, more + _ID)
            size += tokens_written(self._plan.templates[call.template], given)
        if size > self.longest.get(id(call), (call, -1))[1]:
            self.longest[id(call)] = (call, size)
        return self._tried(call, size, samples)

    def _tried(self, call: Call, input_tokens: int, samples: int) -> Cost:
        """A call with all its attempts. Those of one call follow each other and are one link of the chain."""
        key = id(call.routes), input_tokens, samples
        if key not in self._tries:  # many calls read as much by the same routes
            self._tries[key] = self._all_attempts(call, input_tokens, samples)
        return self._tries[key]

    def _all_attempts(self, call: Call, input_tokens: int, samples: int) -> Cost:
        if self._mode == "reserved":
            return _reserved(call, input_tokens, samples)
        seconds = self._latency_s.get(call.model, self._latency_s.get("*", 0.0))
        read = written = 0
        usd = Decimal(0)
        for route, times, each in self._attempts(call, samples):
            if route.written:
                continue  # nothing is read or written for it
            read, written = read + times * input_tokens, written + times * each
            if self._mode == "least":
                usd += times * route.price.of(Usage(input_tokens, each)) if route.price else 0
            else:
                usd += times * (route.usd_at_most(input_tokens, each) or 0)
        return Cost(1, read + written, read, written, usd, 1, seconds)

    def _attempts(self, call: Call, samples: int) -> Iterator[tuple[Route, int, int]]:
        """The routes of a call, how often each is billed, and for how many tokens of an answer."""
        own = call.routes[0]
        if self._mode == "least":
            yield own, 1, samples
        elif self._mode == "full":
            yield own, 1, samples * own.sampling.max_tokens
            if own.length == "grow":  # cut where it was, and asked for once more
                yield own, 1, 2 * own.sampling.max_tokens
        else:
            again = 2 if samples > 1 else 1  # what is missing of several answers is asked for once more
            copies = 0  # those that may come from the routes before
            for route in call.routes:
                most, grows = samples * route.sampling.max_tokens, route.length == "grow"
                each = 1 if route.hedge_s is None else 2
                times = tries(route, self._plan.providers[route.provider])
                yield route, again * each * times, most * (1 + grows)
                yield route, copies + each * grows, most  # with an answer that is cut, before it is twice as long
                copies += (times + grows) * (each - 1)


def _reserved(call: Call, input_tokens: int, samples: int) -> Cost:
    """The most that one attempt may take, on whichever route; twice as much besides where its cut answer may grow."""
    asked = [route for route in call.routes if not route.written]
    read = [input_tokens * (2 if route.length == "grow" else 1) for route in asked]
    most = [route.sampling.max_tokens * (samples + 2 * (route.length == "grow")) for route in asked]
    usd = [route.usd_at_most(r, m) or Decimal(0) for route, r, m in zip(asked, read, most, strict=True)]
    tokens = max(map(sum, zip(read, most, strict=True)), default=0)
    return Cost(1, tokens, max(read, default=0), max(most, default=0), max(usd, default=Decimal(0)), 1)


def tries(route: Route, provider: Provider) -> int:
    """How often a route is tried at most, those attempts aside that are never billed."""
    return 1 + (provider.retries if route.retries is None else route.retries)


def _may_end(layer: Layer) -> bool:
    return any(stop.whole_pipeline and can_hold(stop.condition, None) for stop in layer.stops)


def _asked(layer: Layer, number: int, follows: bool) -> dict[tuple[str, str], Call]:
    """The moderators that a round's stop rules may ask, each question once."""
    stops = [stop for stop in layer.stops if number < layer.rounds or (stop.whole_pipeline and follows)]
    return {question(m): m.call for stop in stops for m in moderators(stop.condition)}


def _may_choose(layer: Layer, number: int) -> bool:
    """Whether the model that judges is ever asked: something may be dropped, or its scores or remarks are read."""
    judge = layer.judge
    if judge is None:
        return False
    return not judge.spared or (judge.keep or active(layer)) < active(layer) or judge.read_in(number, layer.rounds)
