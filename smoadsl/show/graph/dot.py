"""Dot, to write a picture in Graphviz's language, for those who lay it out and style it on their own."""

from collections.abc import Iterator, Mapping, Sequence

from smoadsl.show.graph.depict import in_words
from smoadsl.show.graph.flow import Way, flow
from smoadsl.show.graph.picture import Group, Node, Part, Picture

_FILLS: dict[Part, str] = {
    "prompt": "#424a53",
    "answer": "#424a53",
    "agent": "#ffffff",
    "activate": "#eef6fc",
    "quorum": "#eef6fc",
    "judge": "#fff8e8",
    "stop": "#fff1f0",
    "aggregate": "#ecf8ef",
}
_LEFT = "\\l"


def dot(picture: Picture) -> str:
    """The picture as a directed graph. Clusters are the frames."""
    lines = [
        f"digraph {_quoted(picture.title)} {{",
        f"  tooltip={_quoted('. '.join(in_words(picture)))}",
        "  rankdir=TB labeljust=l ordering=out nodesep=0.25 ranksep=0.45",
        '  fontname="Helvetica" fontsize=11',
        '  node [fontname="Helvetica" fontsize=11 shape=box style="rounded,filled" color="#8b949e"]',
        '  edge [fontname="Helvetica" fontsize=10 color="#6e7781" arrowsize=0.7]',
    ]
    led = flow(picture)
    for part in picture.whole.parts:
        lines += [f"  {line}" for line in _part(part, led.hubs)]
    lines += [f"  {_way(way, led.hubs)}" for way in led.ways]
    return "\n".join([*lines, "}\n"])


def _part(part: Node | Group, hubs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if isinstance(part, Node):
        head = " ".join(filter(None, [part.lead, part.title]))
        more = " fontcolor=white" if part.part in ("prompt", "answer") else ""
        more += f" tooltip={_quoted(part.about)}" if part.about else ""
        yield f'{part.id} [label={_quoted(head, *part.lines)} fillcolor="{_FILLS[part.part]}"{more}]'
        return
    inside = [line for inner in part.parts for line in _part(inner, hubs)]
    if part.kind == "agents":
        yield from (f"{hub} [shape=point width=0.05]" for hub in hubs.get(part.id, ()))
        yield from inside
        return
    head = " · ".join(filter(None, [part.title, part.note]))
    style = "rounded,filled,dashed" if part.is_optional else "rounded,filled"
    fill = "#fbf9ff" if part.kind == "pipeline" else "#f6f8fa"
    yield f"subgraph cluster_{part.id} {{"
    yield f'  label={_quoted(head, *part.lines, end=_LEFT)} style="{style}" color="#d0d7de" fillcolor="{fill}"'
    yield from (f"  {line}" for line in inside)
    yield "}"


def _way(way: Way, hubs: Mapping[str, Sequence[str]]) -> str:
    """An edge into a hub has no head: the way goes on there."""
    ends_in_hub = any(way.targets[0] in pair for pair in hubs.values())
    settings = [f"label={_quoted(f' {way.label} ')}"] * bool(way.label)
    settings += ["arrowhead=none"] * (ends_in_hub and way.kind == "next")
    settings += ["style=dashed"] * (way.kind != "next") + ["constraint=false"] * (way.kind == "again")
    told = f" [{' '.join(settings)}]" if settings else ""
    return f"{_nodes(way.sources)} -> {_nodes(way.targets)}{told}"


def _nodes(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{{{' '.join(ids)}}}"


def _quoted(*lines: str, end: str = "") -> str:
    """A string of the language: its special characters escaped, also the one that begins entities; `end` says how
    each line stands, else they are centred."""
    escaped = [line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    text = "".join(line + end for line in escaped) if end else "\\n".join(escaped)
    return f'"{text}"'
