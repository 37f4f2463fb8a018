"""Picture, to hold what a drawing of a plan shows, before it is known how it is drawn: groups, nodes and edges.

Every word in a picture is printable and on one line. What a language of drawings gives a meaning of its own is escaped
where that language is written.
"""

from collections.abc import Iterator
from typing import Literal

from smoadsl.classes import dataclass

Part = Literal["prompt", "agent", "activate", "quorum", "judge", "stop", "aggregate", "answer"]


@dataclass(frozen=True, slots=True)
class Node:
    """One thing that acts. `lead` is the word for its part, `title` who or what it is, `about` what there is no room
    for. `model` is the declared model that is asked, if one is; `copies` says how many the node stands for."""

    id: str
    part: Part
    lead: str
    title: str
    lines: tuple[str, ...] = ()
    about: str = ""
    model: str = ""
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """What belongs together. The parts of a pipeline and of a layer follow each other, the agents of a layer stand side
    by side. `note` stands beside the title, the lines below it; `is_optional`: a condition may leave it out."""

    id: str
    kind: Literal["pipeline", "layer", "agents"]
    title: str
    note: str
    lines: tuple[str, ...]
    parts: "tuple[Node | Group, ...]"
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """From one node or group to another: what comes `next`, another round (`again`), or `past` what is left out."""

    source: str
    target: str
    label: str = ""
    kind: Literal["next", "again", "past"] = "next"


@dataclass(frozen=True, slots=True)
class Picture:
    """The outer pipeline as a group, from the prompt to the answer, and the edges in it, a group's own last.
    `models` are all that are asked, in the order in which they appear."""

    title: str
    caption: str
    whole: Group
    edges: tuple[Edge, ...]
    models: tuple[str, ...]


def nodes_in(group: Group) -> Iterator[Node]:
    """The nodes of a group and of the groups in it, in the order in which they are read."""
    for part in group.parts:
        if isinstance(part, Node):
            yield part
        else:
            yield from nodes_in(part)
