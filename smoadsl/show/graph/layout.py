"""Layout, to give every part of a picture its place: blocks in blocks, each placed in the one around it.

Lengths are in the pixels of an SVG. All that follows each other stands on one axis, the middle of the block around it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

from smoadsl.show.graph.metrics import Face, cut, width, wrapped
from smoadsl.show.graph.picture import Edge, Group, Node, Picture

SIZE = 12.0  # of the font
SMALL = 10.5
LARGE = 16.0
LINE = 14.0  # from one line of small text to the next
PAD = 12.0
MARGIN = 24.0
BETWEEN = 5.0  # between two runs of a line

_SHORT_GAP = 16.0  # where several ways become one
_GAP = 22.0  # of an arrow between what follows each other in a layer
_LONG_GAP = 38.0  # and between layers, where a label stands beside it
_FAN = 30.0  # from where a round begins to its agents, and back
_SIDE = 14.0  # between what stands side by side
_BYPASS = 20.0  # from a layer to the way past it
_BAR = 30.0  # the bar on top of a group, with its title
_AGENT_TEXT = 150.0  # the widest text of an agent's node, which stands beside others
_WIDE_TEXT = 290.0  # and of other nodes
_AGENT_LINES, _MOST_LINES = 3, 6  # of one text
_MOST_IN_ROW = 6
_WIDEST_ROW = 1080.0


@dataclass(frozen=True, slots=True)
class Run:
    """Text in one face. `tone` says what it is: it has a colour, not a place."""

    words: str
    size: float
    face: Face = "plain"
    tone: str = "detail"

    @property
    def width(self) -> float:
        return width(self.words, self.size, self.face)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text that begins at `x`, or has its middle there; `y` is its baseline."""

    x: float
    y: float
    runs: tuple[Run, ...]
    is_centred: bool = False

    @property
    def width(self) -> float:
        return sum(run.width for run in self.runs) + BETWEEN * (len(self.runs) - 1)


@dataclass(frozen=True, slots=True)
class Wire:
    """A way through points. A curve has four, those of a Bézier; `ends` in an arrowhead or not."""

    points: tuple[tuple[float, float], ...]
    ends: bool = True
    is_curve: bool = False
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A part in its place: `x` and `y` are those of its corner in the block around it, all else is told from there."""

    part: Node | Group
    width: float
    height: float
    lines: tuple[Line, ...] = ()
    wires: tuple[Wire, ...] = ()
    blocks: "tuple[Block, ...]" = ()
    bar: float = 0.0  # how high the bar with the title is
    is_framed: bool = True
    x: float = 0.0
    y: float = 0.0

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height


def laid_out(picture: Picture) -> Block:
    """The whole picture, with its title and caption at the top."""
    again = {edge.source: edge for edge in picture.edges if edge.kind == "again"}
    edges = {edge.source: edge for edge in picture.edges if edge.kind == "next"}
    body = _stack(picture.whole, _Edges(edges, again))
    title = Run(cut(picture.title, LARGE, 420, "bold"), LARGE, "bold", "title")
    head = Line(MARGIN, MARGIN + LARGE * 0.75, (title,))
    below = Line(MARGIN, head.y + 18, (Run(picture.caption, SMALL),))
    wide = max(body.width, head.width, below.width) + 2 * MARGIN
    top = below.y + 8 if picture.caption else head.y + 8
    body = replace(body, x=(wide - body.width) / 2, y=top)
    return Block(picture.whole, wide, body.bottom + MARGIN, (head, below), blocks=(body,), is_framed=False)


@dataclass(frozen=True, slots=True)
class _Edges:
    """The edges by the ids of their sources."""

    next: dict[str, Edge]
    again: dict[str, Edge]


# ---- nodes


def _node(node: Node) -> Block:
    if node.part in ("prompt", "answer"):
        run = Run(cut(node.title, SIZE, _WIDE_TEXT, "bold"), SIZE, "bold", "pill")
        wide = max(84.0, run.width + 2 * PAD + 8)
        return Block(node, wide, 28.0, (Line(wide / 2, 18.5, (run,), is_centred=True),))
    most, count = (_AGENT_TEXT, _AGENT_LINES) if node.part == "agent" else (_WIDE_TEXT, _MOST_LINES)
    heads = _head(node, most)
    face: Face = "code" if node.part == "stop" else "plain"
    texts = [Run(text, SMALL, face) for line in node.lines for text in wrapped(line, SMALL, most, count, face)]
    rows = [*heads, *((run,) for run in texts)]
    y, lines = 4.0, []
    for number, runs in enumerate(rows):
        y += LINE + (2.0 if number == 0 else 0.0)
        lines.append(Line(PAD + 4, y, runs))
    widest = max(line.width for line in lines)
    return Block(node, max(96.0, widest + 2 * PAD + 4), y + 10, tuple(lines))


def _head(node: Node, most: float) -> list[tuple[Run, ...]]:
    """The first lines of a node: its part and its name on one, where both have room."""
    lead = [Run(node.lead, SIZE, "bold", f"{node.part}-word")] if node.lead else []
    if not node.title:
        return [tuple(lead)]
    room = most - sum(run.width + BETWEEN for run in lead)
    return [(*lead, Run(cut(node.title, SIZE, room, "bold"), SIZE, "bold", "name"))]


# ---- groups


def _block(part: Node | Group, edges: _Edges) -> Block:
    if isinstance(part, Node):
        return _node(part)
    if part.kind == "agents":
        return _agents(part, edges)
    inside = _column(part, edges) if part.kind == "layer" else _stack(part, edges)
    return _framed(part, inside)


def _framed(group: Group, inside: Block) -> Block:
    """A group with its bar on top: title, note, and what else is said of it."""
    name = Run(cut(group.title, SIZE, 260, "bold"), SIZE, "bold", "name")
    note = (Run(cut(group.note, SMALL, 200), SMALL),) if group.note else ()
    most = max(inside.width - 2 * PAD, _WIDE_TEXT)
    said = [text for line in group.lines for text in wrapped(line, SMALL, most, _MOST_LINES)]
    lines = [Line(PAD, 19.0, (name, *note))]
    lines += [Line(PAD, 19.0 + LINE * number, (Run(text, SMALL),)) for number, text in enumerate(said, 1)]
    bar = _BAR + LINE * len(said)
    wide = max(inside.width + 2 * PAD, *(line.width + 2 * PAD for line in lines))
    inside = replace(inside, x=(wide - inside.width) / 2, y=bar)
    return Block(group, wide, bar + inside.height, tuple(lines), blocks=(inside,), bar=bar)


def _column(layer: Group, edges: _Edges) -> Block:
    """What happens in a round, from top to bottom, and the way back to its agents where there are several rounds."""
    blocks: list[Block] = []
    y = 0.0
    for part in layer.parts:
        block = _block(part, edges)
        is_agents = _is_agents(block)
        y += _SHORT_GAP if is_agents or (blocks and _is_agents(blocks[-1])) else _GAP if blocks else _SHORT_GAP
        blocks.append(replace(block, y=y))
        y = blocks[-1].bottom
    loop = next((edges.again[part.id] for part in layer.parts if part.id in edges.again), None)
    label = Run(loop.label, SMALL) if loop else None
    content = max(block.width for block in blocks)
    side = label.width + 20 if label else 0.0
    wide = content + 2 * side
    blocks = [replace(block, x=(wide - block.width) / 2) for block in blocks]
    axis, end = wide / 2, y + 14
    wires = [Wire(((axis, 0), (axis, blocks[0].y)), ends=not _is_agents(blocks[0]))]
    wires += [Wire(((axis, one.bottom), (axis, two.y)), ends=not _is_agents(two)) for one, two in pairwise(blocks)]
    wires.append(Wire(((axis, y), (axis, end)), ends=False))
    lines: tuple[Line, ...] = ()
    if label:
        agents = next(block for block in blocks if _is_agents(block))
        last, right, joins = blocks[-1], side + content + 10, agents.y - 4
        begin = (axis, last.bottom + 5) if last is agents else (last.x + last.width, last.y + last.height / 2)
        wires.append(Wire((begin, (right, begin[1]), (right, joins), (axis, joins))))
        lines = (Line(right + 6, (begin[1] + joins) / 2 + 4, (label,)),)
    return Block(layer, wide, end, lines, tuple(wires), tuple(blocks), is_framed=False)


def _is_agents(block: Block) -> bool:
    return isinstance(block.part, Group) and block.part.kind == "agents"


def _agents(group: Group, edges: _Edges) -> Block:
    """Agents side by side, in rows that are about equally long; the ways to them and from them end in one point."""
    blocks = [_block(part, edges) for part in group.parts]
    card = max((block.width for block in blocks if isinstance(block.part, Node)), default=0.0)
    blocks = [replace(block, width=card) if isinstance(block.part, Node) else block for block in blocks]
    rows = _rows(blocks)
    wide = max(sum(block.width + _SIDE for block in row) - _SIDE for row in rows)
    panel = PAD if len(rows) > 1 else 0.0
    fan = _FAN if len(blocks) > 1 and not panel else _SHORT_GAP
    placed: list[Block] = []
    y = fan + panel
    for row in rows:
        high = max(block.height for block in row)
        tall = max((block.height for block in row if isinstance(block.part, Node)), default=0.0)
        row = [replace(block, height=tall) if isinstance(block.part, Node) else block for block in row]
        x = panel + (wide - sum(block.width + _SIDE for block in row) + _SIDE) / 2
        for block in row:
            placed.append(replace(block, x=x, y=y + (high - block.height) / 2))
            x += block.width + _SIDE
        y += high + _SIDE
    bottom = y - _SIDE + panel
    wide += 2 * panel
    axis, end = wide / 2, bottom + fan
    if panel:
        wires = [Wire(((axis, 0), (axis, fan))), Wire(((axis, bottom), (axis, end)), ends=False)]
    else:
        wires = [wire for block in placed for wire in _fan(block, axis, (0, fan), (bottom, end))]
    return Block(group, wide, end, (), tuple(wires), tuple(placed), bar=fan if panel else 0.0, is_framed=bool(panel))


def _rows(blocks: Sequence[Block]) -> list[Sequence[Block]]:
    """As few rows as have room, each about as long as the others."""
    for count in range(ceil(len(blocks) / _MOST_IN_ROW), len(blocks) + 1):
        most = ceil(len(blocks) / count)
        rows = [blocks[begin : begin + most] for begin in range(0, len(blocks), most)]
        if all(len(row) == 1 or sum(block.width + _SIDE for block in row) <= _WIDEST_ROW for row in rows):
            return rows
    raise AssertionError("a block alone always has room")


def _fan(block: Block, axis: float, above: tuple[float, float], below: tuple[float, float]) -> Iterator[Wire]:
    """The way from the axis to a block and back: no nearer to others than the highest of the row lets it come."""
    (begin, top), (bottom, end), x = above, below, block.middle
    is_high = block.y - top < 1
    yield _curve((axis, begin), (x, top), ends=is_high)
    yield _curve((x, bottom), (axis, end), ends=False)
    if not is_high:
        yield Wire(((x, top), (x, block.y)))
        yield Wire(((x, block.bottom), (x, bottom)), ends=False)


def _curve(begin: tuple[float, float], end: tuple[float, float], *, ends: bool) -> Wire:
    half = (begin[1] + end[1]) / 2
    return Wire((begin, (begin[0], half), (end[0], half), end), ends, is_curve=begin[0] != end[0])


def _stack(group: Group, edges: _Edges) -> Block:
    """What follows each other in a pipeline, equally wide layers, with what goes on written beside the ways."""
    blocks = [_block(part, edges) for part in group.parts]
    widest = max((block.width for block in blocks if isinstance(block.part, Group)), default=0.0)
    blocks = [_widened(b, widest) if isinstance(b.part, Group) else b for b in blocks]
    labels = [Run(edges.next[b.part.id].label, SMALL) if b.part.id in edges.next else None for b in blocks]
    optional = any(isinstance(b.part, Group) and b.part.is_optional for b in blocks)
    beside = max((label.width + 8 for label in labels if label), default=0.0)
    wide = max(max(b.width for b in blocks) + 2 * (_BYPASS + 6) * optional, 2 * beside)
    axis = wide / 2
    is_outer = isinstance(group.parts[0], Node) and group.parts[0].part == "prompt"
    y = 12.0 if is_outer else _GAP
    wires = [] if is_outer else [Wire(((axis, 0), (axis, y)))]
    lines: list[Line] = []
    placed: list[Block] = []
    for block in blocks:
        if placed:
            label = labels[len(placed) - 1]
            wires.append(Wire(((axis, y), (axis, y + _LONG_GAP))))
            if label and label.words:
                lines.append(Line(axis + 8, y + _LONG_GAP / 2 + 3.5, (label,)))
            y += _LONG_GAP
        placed.append(replace(block, x=(wide - block.width) / 2, y=y))
        y = placed[-1].bottom
    wires += [_bypass(b, axis) for b in placed if isinstance(b.part, Group) and b.part.is_optional]
    wires += [] if is_outer else [Wire(((axis, y), (axis, y + 14)), ends=False)]
    return Block(group, wide, y + (0 if is_outer else 14), tuple(lines), tuple(wires), tuple(placed), is_framed=False)


def _bypass(block: Block, axis: float) -> Wire:
    """The way past a layer, beside it on the left."""
    left, above, below = block.x - _BYPASS, block.y - _LONG_GAP * 0.62, block.bottom + _LONG_GAP * 0.45
    return Wire(((axis, above), (left, above), (left, below), (axis, below)), is_dashed=True)


def _widened(block: Block, wide: float) -> Block:
    """A framed group, as wide as others, with what is in it in its middle."""
    by = (wide - block.width) / 2
    return replace(block, width=wide, blocks=tuple(replace(inner, x=inner.x + by) for inner in block.blocks))
