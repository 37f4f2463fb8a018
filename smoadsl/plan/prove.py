"""Prove, to hold a plan against what its author promised or can not change: budgets, and what a model can read."""

from collections.abc import Iterator, Sequence
from decimal import ROUND_CEILING, Decimal

from smoadsl.adapters.base import Usage
from smoadsl.calls.budget import Cost
from smoadsl.calls.route import Route
from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.diagnostics.source import Span
from smoadsl.language import checked, pipeline_problems, problems, provider_problems
from smoadsl.plan.bounds import PROMPT_TOKENS, Walk, enough
from smoadsl.plan.lower import Lowered
from smoadsl.plan.plan import Call, ModelAggregate, Pipeline, Plan, active, routes_of


def prove(
    written: checked.Pipeline, lowered: Lowered, plan: Plan, prompt_tokens: int = PROMPT_TOKENS
) -> Iterator[Diagnostic]:
    """What can not hold, or might not, of the plan that was lowered and made cheaper, for so long a prompt."""
    yield from _budget(written, plan, prompt_tokens)
    if all(route.context is None for route in routes_of(plan)):
        return
    walk = Walk(plan, "full", prompt_tokens, {})
    walk.cost()
    told: set[tuple[str, str]] = set()
    for call, size in walk.longest.values():
        for diagnostic in _fit(call, size, lowered.span(call), prompt_tokens):
            once = (call.model, "" if diagnostic.severity is Severity.ERROR else call.origin)
            if once not in told:
                told.add(once)
                yield diagnostic


def _fit(call: Call, size: int, span: Span, prompt_tokens: int) -> Iterator[Diagnostic]:
    """Whether what a call can read, and what it may write, is more than its model can hold at once."""
    for route in call.routes:
        if route.context is None:
            continue
        write = route.sampling.max_tokens
        if write >= route.context:
            yield provider_problems.never_fits(span, call.model, write, route.context)
        elif size + write > route.context:
            yield problems.may_not_fit(span, call.model, prompt_tokens, size, write, route.context)


def _budget(written: checked.Pipeline, plan: Plan, prompt_tokens: int) -> Iterator[Diagnostic]:
    """A budget holds the smallest run when it has room for the first round's answers and the aggregate's at once: the
    aggregate's share is set aside before the others are asked, and all of a round are asked together. What is told
    instead holds a run of an ordinary prompt, with all that is read in it."""
    limits, needs = plan.pipeline.budget, smallest(plan.pipeline)
    pairs: list[tuple[str, float | Decimal | None, float | Decimal, str]] = [
        ("calls", limits.calls, needs.calls, "{:,} calls"),
        ("tokens", limits.tokens, needs.tokens, "{:,} tokens"),
        ("usd", limits.usd, needs.usd, "${:f}"),
    ]
    for name, limit, needed, form in pairs:
        if limit is not None and needed > limit:
            cost, at = enough(plan, prompt_tokens), written.budget_spans[name]
            most = {"calls": f"{cost.calls:_}", "tokens": f"{int(_up(cost.tokens)):_}", "usd": f"${_up(cost.usd):f}"}
            enough_for = 2 * prompt_tokens  # bytes: a budget counts a token for two
            yield pipeline_problems.budget_too_small(
                at, form.format(limit), form.format(needed), f"{name} = {most[name]}", enough_for
            )


def smallest(pipeline: Pipeline) -> Cost:
    """What a budget must have room for at least, to an empty prompt: the first answers and the last."""
    return _first_calls(pipeline) + _last_call(pipeline)


def _up(amount: int | Decimal) -> Decimal:
    """The amount, or a little more, in two digits."""
    exact = Decimal(amount)
    step = Decimal(1).scaleb(exact.adjusted() - 1)
    return (exact / step).to_integral_value(ROUND_CEILING) * step


def _first_calls(pipeline: Pipeline) -> Cost:
    """The least that the first round reserves: the cheapest of its agents that have to answer."""
    if not pipeline.layers:
        return Cost()
    layer = pipeline.layers[0]
    merged = {name: group for group in layer.merged for name in group}
    each = []
    for agent in layer.agents:
        group = merged.get(agent.name, (agent.name,))
        if not isinstance(agent.does, Call):
            each.append(_first_calls(agent.does))
        elif agent.name == group[0]:
            each.append(_reserved(agent.does.routes[:1], len(group)))
    count = min(layer.quorum.count, active(layer)) if layer.quorum else active(layer)
    return Cost(
        sum(sorted(cost.calls for cost in each)[:count]),
        sum(sorted(cost.tokens for cost in each)[:count]),
        sum(sorted(cost.usd for cost in each)[:count], Decimal(0)),
    )


def _last_call(pipeline: Pipeline) -> Cost:
    """What is set aside for the aggregate, whichever of its routes answers; where nobody is asked before, its first."""
    if not isinstance(pipeline.aggregate, ModelAggregate):
        return Cost()
    routes = pipeline.aggregate.call.routes
    return _reserved(routes if pipeline.layers else routes[:1])


def _reserved(routes: Sequence[Route], samples: int = 1) -> Cost:
    """What is reserved for a call at least: all that it may answer, to an empty prompt."""
    asked = [route for route in routes if not route.written]
    prices = [route.price.of(Usage(0, samples * route.sampling.max_tokens)) for route in asked if route.price]
    written = max((route.sampling.max_tokens for route in asked), default=0)
    return Cost(1, samples * written, max(prices, default=Decimal(0)))
