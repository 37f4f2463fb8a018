"""Widest, to say how many answers of one run can be under way at once."""

from smoadsl.plan.plan import Agent, Call, Layer, ModelAggregate, ModelJudge, Pipeline, active, moderators


def widest(pipeline: Pipeline) -> int:
    """The most answers that are asked for and not yet there at any moment of a run."""
    aggregate = pipeline.aggregate
    most = _of_call(aggregate.call) if isinstance(aggregate, ModelAggregate) else 1
    flowing = 0
    for layer in pipeline.layers:
        flowing = _at_once(layer) + (flowing if layer.joins else 0)  # without a barrier, layers overlap
        most = max(most, flowing)
    return most


def _at_once(layer: Layer) -> int:
    agents = sum(sorted((_of_agent(agent) for agent in layer.agents), reverse=True)[: active(layer)])
    judge, compared = layer.judge, 0
    if judge and isinstance(judge.by, ModelJudge):
        times = active(layer) * (active(layer) - 1) if judge.by.kind == "pairwise" else 1
        compared = times * _of_call(judge.by.call)
    asked = sum(_of_call(moderator.call) for stop in layer.stops for moderator in moderators(stop.condition))
    return layer.rounds * agents + compared + asked if layer.flows else max(agents, compared, asked)


def _of_agent(agent: Agent) -> int:
    return widest(agent.does) if isinstance(agent.does, Pipeline) else _of_call(agent.does)


def _of_call(call: Call) -> int:
    """A slow answer is asked for twice where it is hedged."""
    return 2 if any(route.hedge_s is not None for route in call.routes) else 1
