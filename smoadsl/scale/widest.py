"""Widest, to say how many calls of one run can be under way at once."""

from smoadsl.plan.plan import Agent, Layer, ModelJudge, Pipeline, active, moderators


def widest(pipeline: Pipeline) -> int:
    """The most calls that are made and not yet answered at any moment of a run."""
    most = flowing = 0
    for layer in pipeline.layers:
        flowing = _at_once(layer) + (flowing if layer.joins else 0)  # without a barrier, layers overlap
        most = max(most, flowing)
    return max(most, 1)


def _at_once(layer: Layer) -> int:
    agents = sorted((_of_agent(agent) for agent in layer.agents), reverse=True)[: active(layer)]
    judge = layer.judge
    compared = active(layer) * (active(layer) - 1) if judge and isinstance(judge.by, ModelJudge) else 0
    asked = sum(len(moderators(stop.condition)) for stop in layer.stops)
    return max(sum(agents), compared, asked)


def _of_agent(agent: Agent) -> int:
    return widest(agent.does) if isinstance(agent.does, Pipeline) else 1
