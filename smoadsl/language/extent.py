"""Extent, to refuse pipelines that would start too many agents, or ask them too often, before they are unfolded."""

from collections.abc import Sequence

from smoadsl.classes import dataclass
from smoadsl.language import checked, nodes, pipeline_problems
from smoadsl.language.agents import MOST_AGENTS_IN_ALL
from smoadsl.language.resolve import Names

MOST_PROPOSALS = 1_000_000  # of one run, all rounds together


@dataclass(frozen=True, slots=True)
class _Extent:
    """How many agents a pipeline has in all, and how often one run could ask them."""

    agents: int
    asked: int


_ONE = _Extent(1, 1)


class Extents:
    """The extents of the pipelines of a file set: those of pipelines that are agents multiply."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[str, _Extent] = {}

    def add(self, node: nodes.Pipeline, layers: Sequence[checked.Layer]) -> None:
        """Count a pipeline, whose inner ones were counted before, and say it if it is too large."""
        agents = asked = 0
        for layer in layers:
            targets = (agent.target for agent in layer.agents)
            extents = [self._known.get(t.name, _ONE) if isinstance(t, checked.Pipeline) else _ONE for t in targets]
            agents += sum(extent.agents for extent in extents)
            asked += layer.rounds * sum(extent.asked for extent in extents)
        name = node.name.text
        self._known[name] = _Extent(min(agents, MOST_AGENTS_IN_ALL), min(asked, MOST_PROPOSALS))
        if agents > MOST_AGENTS_IN_ALL:
            what = f"one run of `{name}` can start {agents:,} agents; {MOST_AGENTS_IN_ALL:,} are the most"
        elif asked > MOST_PROPOSALS:
            what = f"one run of `{name}` can ask agents {asked:,} times; {MOST_PROPOSALS:,} are the most"
        else:
            return
        self._names.said.append(pipeline_problems.too_large_to_run(node.name.span, what))
