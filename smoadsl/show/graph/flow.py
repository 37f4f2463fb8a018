"""Flow, to lead the edges of groups to nodes, for languages that lay out nodes on their own and know groups as frames.

Agents side by side get a hub before them, and one behind them where no gate follows: a layer of n agents has 2 n edges,
whatever comes before and after it.
"""

from collections.abc import Iterator

from smoadsl.classes import dataclass
from smoadsl.show.graph.picture import Edge, Group, Node, Picture


@dataclass(frozen=True, slots=True)
class Way:
    """The edges from each of some nodes to each of others; on one side there is always one node alone."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    label: str = ""
    kind: str = "next"


@dataclass(frozen=True, slots=True)
class Flow:
    """`hubs` has, by the id of a group of agents, the ids of the hub before it and of the one behind it, if any."""

    ways: tuple[Way, ...]
    hubs: dict[str, tuple[str, ...]]


def flow(picture: Picture) -> Flow:
    groups = {group.id: group for group in groups_in(picture.whole)}
    followed = {edge.source for edge in picture.edges if edge.kind == "next"}
    agents = [group for group in groups.values() if group.kind == "agents" and len(group.parts) > 1]
    hubs = {group.id: (f"{group.id}in", f"{group.id}out")[: 1 + (group.id not in followed)] for group in agents}

    def entry(id_: str) -> str:
        if id_ not in groups:
            return id_
        return hubs[id_][0] if id_ in hubs else entry(groups[id_].parts[0].id)

    def exits(id_: str) -> tuple[str, ...]:
        if id_ not in groups:
            return (id_,)
        if id_ not in hubs:
            return exits(groups[id_].parts[-1].id)
        return hubs[id_][1:] or tuple(exit_ for part in groups[id_].parts for exit_ in exits(part.id))

    def led(edge: Edge) -> Way:
        return Way(exits(edge.source), (entry(edge.target),), edge.label, edge.kind)

    fans = [Way((hubs[group.id][0],), tuple(entry(part.id) for part in group.parts)) for group in agents]
    fans += [
        Way(tuple(exit_ for part in group.parts for exit_ in exits(part.id)), hubs[group.id][1:])
        for group in agents
        if len(hubs[group.id]) > 1
    ]
    return Flow((*fans, *map(led, picture.edges)), hubs)


def groups_in(group: Group) -> Iterator[Group]:
    """The groups in a group, at every depth."""
    for part in group.parts:
        if not isinstance(part, Node):
            yield part
            yield from groups_in(part)
