"""Mermaid, to write a picture as a Mermaid flowchart, which Git hosts and editors draw where it stands in Markdown."""

import re
from collections.abc import Iterator, Mapping, Sequence

from smoadsl.show.graph.depict import in_words
from smoadsl.show.graph.flow import Way, flow, groups_in
from smoadsl.show.graph.picture import Group, Node, Part, Picture, nodes_in
from smoadsl.show.safe import one_line

_MEANT = re.compile(
    r"(?<![A-Za-z0-9])[._]|[._](?![A-Za-z0-9])|(?![ \w,()=/%.])[\x00-\x7f]"
)  # more than itself, perhaps
_SHAPES: dict[Part, tuple[str, str]] = {
    "prompt": ("([", "])"),
    "answer": ("([", "])"),
    "agent": ("[", "]"),
    "activate": ("{{", "}}"),
    "quorum": ("{{", "}}"),
    "judge": ("{{", "}}"),
    "stop": ("{{", "}}"),
    "aggregate": ("[[", "]]"),
}
_STYLES = {  # readable on light and on dark pages alike
    "gate": "fill:#fff8e8,stroke:#dcb35c,color:#1f2328",
    "stop": "fill:#fff1f0,stroke:#e5a09b,color:#1f2328",
    "last": "fill:#ecf8ef,stroke:#7cc092,color:#1f2328",
    "agent": "fill:#ffffff,stroke:#8b949e,color:#1f2328",
    "io": "fill:#424a53,stroke:#424a53,color:#ffffff",
    "layer": "fill:#f6f8fa,stroke:#d0d7de,color:#1f2328",
    "inner": "fill:#fbf9ff,stroke:#d4c8f0,color:#1f2328",
    "hub": "fill:#8b949e,stroke:#8b949e",
}
_CLASSES: dict[Part, str] = {
    "prompt": "io",
    "answer": "io",
    "agent": "agent",
    "activate": "gate",
    "quorum": "gate",
    "judge": "gate",
    "stop": "stop",
    "aggregate": "last",
}
_GROUPS = {"layer": "layer", "pipeline": "inner"}
_MOST_WORDS = 1_000  # characters of the description


def mermaid(picture: Picture) -> str:
    """The picture as a flowchart from top to bottom."""
    lines = [
        "flowchart TB",
        f"  accTitle: {_plain(f'The pipeline {picture.title}')}",
        f"  accDescr: {_plain(one_line('. '.join(in_words(picture)), _MOST_WORDS))}",
    ]
    led = flow(picture)
    for part in picture.whole.parts:
        lines += [f"  {line}" for line in _part(part, led.hubs)]
    lines += [f"  {_way(way)}" for way in led.ways]
    used = {_CLASSES[node.part] for node in nodes_in(picture.whole)}
    used |= {_GROUPS[group.kind] for group in groups_in(picture.whole) if group.kind != "agents"}
    used |= {"hub"} if led.hubs else set()
    lines += [f"  classDef {name} {style}" for name, style in _STYLES.items() if name in used]
    return "\n".join(lines) + "\n"


def _part(part: Node | Group, hubs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if isinstance(part, Node):
        begin, end = _SHAPES[part.part]
        head = " ".join(filter(None, [part.lead, part.title]))
        yield f"{part.id}{begin}{_quoted(head, *part.lines)}{end}:::{_CLASSES[part.part]}"
        return
    inside = [line for inner in part.parts for line in _part(inner, hubs)]
    if part.kind == "agents":
        yield from (f'{hub}((" ")):::hub' for hub in hubs.get(part.id, ()))
        yield from inside
        return
    head = " · ".join(filter(None, [part.title, part.note, *part.lines]))  # a title has room for one line
    yield f"subgraph {part.id}[{_quoted(head)}]"
    yield from (f"  {line}" for line in inside)
    yield "end"
    yield f"class {part.id} {_GROUPS[part.kind]}"


def _way(way: Way) -> str:
    arrow = "-->" if way.kind == "next" else "-.->"
    label = f"|{_quoted(way.label)}|" if way.label else ""
    return f"{' & '.join(way.sources)} {arrow}{label} {' & '.join(way.targets)}"


def _quoted(*lines: str) -> str:
    """A label: each line escaped, so that no word of it is read as Mermaid, Markdown or HTML."""
    return f'"{"<br>".join(map(_escaped, lines)) or " "}"'


def _escaped(text: str) -> str:
    """Entities as Mermaid spells them. They are decoded before `$$` and `\\n` are sought, so these are kept apart."""
    coded = _MEANT.sub(lambda found: f"#{ord(found[0])};", text)
    return re.sub(r"#36;(?=#36;)|#92;(?=n)", r"\g<0>#8203;", coded)


def _plain(text: str) -> str:
    """For the title and the description, which are no labels and go into a page as they are: what could have a meaning
    there is left out or, where it is a comparison, put in other characters."""
    told = text.replace("<", "‹").replace(">", "›")
    return "".join(c if c.isalnum() or c in " ,.:()=/_-" or not c.isascii() else " " for c in told)
