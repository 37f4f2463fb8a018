"""Views, to choose which of the responses that went on an agent reads, and which of them is its own."""

from collections.abc import Sequence
from typing import assert_never

from smoadsl.plan.plan import Agent
from smoadsl.runtime.prompts import Response


def seen_by(
    agent: Agent, names: Sequence[str], carried: Sequence[Response]
) -> tuple[Sequence[Response], Response | None]:
    """The references of an agent, and its own last response where the view sets it apart.

    `names` are the layer's agents in declared order. Own is who has the same name; what a judge dropped is gone.
    """
    kind = agent.view.kind
    if kind == "all" or not carried:
        return carried, None
    own = next((r for r in carried if r.agent == agent.name), None)
    others = [r for r in carried if r.agent != agent.name]
    match kind:
        case "none":
            return [], None
        case "own":
            return [], own
        case "peers":
            return others, own
        case "ring":
            near = _neighbours(agent, names)
            return [r for r in others if r.agent in near], own
        case "named":
            return [r for r in carried if agent.view.is_of(r.agent)], None
        case _:
            assert_never(kind)


def needed_by(agent: Agent, names: Sequence[str], carried: Sequence[str]) -> frozenset[str]:
    """Of the agents whose responses go on, those whom an agent has to wait for."""
    responses = [Response(name, "", None) for name in carried]
    references, own = seen_by(agent, names, responses)
    return frozenset(response.agent for response in (*references, own) if response)


def _neighbours(agent: Agent, names: Sequence[str]) -> set[str]:
    """Up to `distance` places to both sides, around the ring that the layer's agents form; all around, itself too."""
    at = names.index(agent.name)
    reach = range(1, min(agent.view.distance, len(names)) + 1)
    return {names[(at + step * side) % len(names)] for step in reach for side in (1, -1)}
