"""Reading, to bound the responses that go on and are read: whose they can be, how many, and how long.

Sizes are tokens. A text that is there counts one token for two bytes; one that is not yet written counts twice its
`max_tokens`, since whoever reads it may cut it into other tokens than whoever wrote it.
"""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from heapq import nlargest
from typing import assert_never

from smoadsl.classes import dataclass
from smoadsl.plan.plan import Agent, Call, Layer, ModelAggregate, ModelJudge, Pipeline, View, active

_MARKERS = 64  # around a text that is quoted, its author's name aside


@dataclass(frozen=True)
class Going:
    """Responses of which `most` can be read at once: by agent, the size of each."""

    sizes: Mapping[str, int]
    most: int

    @property
    def count(self) -> int:
        return min(self.most, len(self.sizes))

    @cached_property
    def tokens(self) -> int:
        """All that can be read of them, the markers and names around each included."""
        each = self.sizes.values() if self.most >= len(self.sizes) else nlargest(self.most, self.sizes.values())
        around = _MARKERS + max(map(len, self.sizes), default=0)
        return sum(each) + self.count * around

    def seen(self, view: View, own: str) -> "Going":
        """What an agent sees of them."""
        match view.kind:
            case "all" | "peers":
                return self
            case "none":
                return NOTHING
            case "own":
                return self._only(lambda name: name == own)
            case "ring":
                return Going(self.sizes, min(self.most, 2 * view.distance + 1))
            case "named":
                return self._only(view.is_of)
            case _:
                assert_never(view.kind)

    def _only(self, is_seen: Callable[[str], bool]) -> "Going":
        return Going({name: size for name, size in self.sizes.items() if is_seen(name)}, self.most)

    def or_else(self, other: "Going") -> "Going":
        """The one or the other: each response at its longest, as many as there can be of either."""
        names = {**self.sizes, **other.sizes}
        longest = {name: max(self.sizes.get(name, 0), other.sizes.get(name, 0)) for name in names}
        return Going(longest, max(self.most, other.most))


NOTHING = Going({}, 0)


def responses_of(layer: Layer, times: int) -> tuple[Going, Going]:
    """The responses that can go on from a round, and all that it can have, before anything is dropped. Each counts so
    many times its `max_tokens`."""
    sizes = {agent.name: times * response_tokens(agent.does) for agent in layer.agents}
    return Going(sizes, _kept(layer)), Going(sizes, active(layer))


def remarks_on(layer: Layer, times: int) -> int:
    """The most tokens of a judge's remarks on what went on from a round."""
    judge = layer.judge
    if judge is None or not judge.feedback or not isinstance(judge.by, ModelJudge):
        return 0
    return times * judge.by.call.max_tokens + _MARKERS * len(layer.agents)


def may_go_on(layer: Layer, team: Collection[str], arrived: Mapping[str, int]) -> dict[str, int]:
    """The largest responses that can go on from a round of this team, of which some have arrived."""
    agents = [agent for agent in layer.agents if not team or agent.name in team]
    sizes = {agent.name: arrived.get(agent.name, 2 * response_tokens(agent.does)) for agent in agents}
    largest = nlargest(_kept(layer), sizes, key=lambda name: sizes[name])
    return {name: sizes[name] for name in largest}


def response_tokens(does: Call | Pipeline) -> int:
    """The most that an agent can answer; in the place of a pipeline's aggregate one of its agents may."""
    match does:
        case Call():
            return does.max_tokens
        case Pipeline():
            agents = max((response_tokens(a.does) for layer in does.layers for a in layer.agents), default=0)
            return max(agents, does.aggregate.call.max_tokens if isinstance(does.aggregate, ModelAggregate) else 0)
        case _:
            assert_never(does)


def _kept(layer: Layer) -> int:
    keep = layer.judge.keep if layer.judge else None
    return active(layer) if keep is None else min(keep, active(layer))


def text_tokens(text: str) -> int:
    """The most tokens of a text that is there."""
    return len(text.encode("utf-8", "surrogatepass")) // 2 + 1 if text else 1


def about(agent: Agent) -> int:
    """The most tokens that a router is told of an agent."""
    return text_tokens(agent.about) + _MARKERS
