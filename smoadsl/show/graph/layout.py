"""Layout, to give every part of a picture its place: blocks in blocks, each placed in the one around it.

Lengths are in the pixels of an SVG. All that follows each other stands on one axis, the middle of the block around it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil

from smoadsl.classes import dataclass
from smoadsl.show.graph.blocks import Block, Line, Point, Run, Wire
from smoadsl.show.graph.cards import LINE, PAD, SIZE, SMALL, card
from smoadsl.show.graph.metrics import cut, wrapped
from smoadsl.show.graph.picture import Edge, Group, Node, Picture

_LARGE = 16.0  # of the font of the picture's title
_MARGIN = 24.0  # around all
_MOST_TITLE, _MOST_NAME, _MOST_NOTE, _LEAST_BAR_TEXT = 420.0, 260.0, 200.0, 290.0  # widths
_MOST_LINES = 6  # of one text in a bar
_BAR = 30.0  # the bar on top of a group, with its title
_BAR_BASE = 19.0  # where its text stands
_SHORT_GAP = 16.0  # of a way where several become one
_GAP = 22.0  # of an arrow between what follows each other in a layer
_LONG_GAP = 38.0  # and between layers, where a label stands beside it
_TAIL = 14.0  # of the way out of a frame
_FAN = 30.0  # from where a round begins to its agents, and back
_SIDE = 14.0  # between what stands side by side
_BYPASS = 20.0  # from a layer to the way past it
_LOOP = 10.0  # from what is in a layer to the way back, and half of that on to its label
_BESIDE = 8.0  # from a way to its label
_MIDDLE = 3.5  # from the middle of a line of small text to its base
_MOST_IN_ROW = 6
_WIDEST_ROW = 1080.0


def laid_out(picture: Picture) -> Block:
    """The whole picture, with its title and caption at the top."""
    again = {edge.source: edge for edge in picture.edges if edge.kind == "again"}
    following = {edge.source: edge for edge in picture.edges if edge.kind == "next"}
    body = _stack(picture.whole, _Edges(following, again))
    title = Run(cut(picture.title, _LARGE, _MOST_TITLE, "bold"), _LARGE, "bold", "title")
    lines = [Line(_MARGIN, _MARGIN + _LARGE * 0.75, (title,))]
    if picture.caption:
        lines.append(Line(_MARGIN, lines[0].y + 18, (Run(picture.caption, SMALL),)))
    wide = max(body.width, *(line.width for line in lines)) + 2 * _MARGIN
    body = replace(body, x=(wide - body.width) / 2, y=lines[-1].y + 20)
    return Block(picture.whole, wide, body.bottom + _MARGIN, tuple(lines), blocks=(body,), is_framed=False)


@dataclass(frozen=True, slots=True)
class _Edges:
    """The edges by the ids of their sources."""

    next: dict[str, Edge]
    again: dict[str, Edge]


def _block(part: Node | Group, edges: _Edges) -> Block:
    if isinstance(part, Node):
        return card(part)
    if part.kind == "agents":
        return _agents(part, edges)
    inside = _column(part, edges) if part.kind == "layer" else _stack(part, edges)
    return _framed(part, inside)


def _framed(group: Group, inside: Block) -> Block:
    """A group with its bar on top: title, note, and what else is said of it."""
    name = Run(cut(group.title, SIZE, _MOST_NAME, "bold"), SIZE, "bold", "name")
    note = (Run(cut(group.note, SMALL, _MOST_NOTE), SMALL),) if group.note else ()
    most = max(inside.width, _LEAST_BAR_TEXT)
    said = [(Run(text, SMALL),) for line in group.lines for text in wrapped(line, SMALL, most, _MOST_LINES)]
    lines = [Line(PAD, _BAR_BASE + LINE * number, runs) for number, runs in enumerate([(name, *note), *said])]
    bar = _BAR + LINE * len(said)
    wide = max(inside.width, *(line.width for line in lines)) + 2 * PAD
    inside = replace(inside, x=(wide - inside.width) / 2, y=bar)
    return Block(group, wide, bar + inside.height, tuple(lines), blocks=(inside,), bar=bar)


def _column(layer: Group, edges: _Edges) -> Block:
    """What happens in a round, from top to bottom, and the way back to its agents where there are several rounds."""
    blocks: list[Block] = []
    y = 0.0
    for block in (_block(part, edges) for part in layer.parts):
        is_short = not blocks or _is_agents(block) or _is_agents(blocks[-1])
        blocks.append(replace(block, y=y + (_SHORT_GAP if is_short else _GAP)))
        y = blocks[-1].bottom
    loop = next((edges.again[part.id] for part in layer.parts if part.id in edges.again), None)
    label = Run(loop.label, SMALL) if loop else None
    content = max(block.width for block in blocks)
    side = label.width + 2 * _LOOP if label else 0.0
    wide = content + 2 * side
    axis, end = wide / 2, y + _TAIL
    blocks = [replace(block, x=axis - block.width / 2) for block in blocks]
    wires = [Wire(((axis, 0), (axis, blocks[0].y)), ends=not _is_agents(blocks[0]))]
    wires += [Wire(((axis, one.bottom), (axis, two.y)), ends=not _is_agents(two)) for one, two in pairwise(blocks)]
    wires.append(Wire(((axis, y), (axis, end)), ends=False))
    lines: tuple[Line, ...] = ()
    if label:
        wires.append(back := _way_back(blocks, axis, side + content + _LOOP))
        (_, begin), (right, _), (_, joins), _ = back.points
        lines = (Line(right + _LOOP / 2, (begin + joins) / 2 + _MIDDLE, (label,)),)
    return Block(layer, wide, end, lines, tuple(wires), tuple(blocks), is_framed=False)


def _way_back(blocks: Sequence[Block], axis: float, right: float) -> Wire:
    """From the last thing in a round to shortly before its agents; `right` is where it goes up."""
    agents, last = next(block for block in blocks if _is_agents(block)), blocks[-1]
    joins = agents.y - 4
    x, y = (axis, last.bottom + 5) if last is agents else (last.x + last.width, last.y + last.height / 2)
    return Wire(((x, y), (right, y), (right, joins), (axis, joins)))


def _is_agents(block: Block) -> bool:
    return isinstance(block.part, Group) and block.part.kind == "agents"


def _agents(group: Group, edges: _Edges) -> Block:
    """Agents side by side, in rows that are about equally long; the ways to them and from them end in one point."""
    blocks = [_block(part, edges) for part in group.parts]
    broad = max((block.width for block in blocks if isinstance(block.part, Node)), default=0.0)
    rows = _rows([replace(block, width=broad) if isinstance(block.part, Node) else block for block in blocks])
    pad = PAD if len(rows) > 1 else 0.0  # of the panel around several rows, to which the ways lead
    fan = _FAN if len(blocks) > 1 and not pad else _SHORT_GAP
    wide = max(map(_breadth, rows)) + 2 * pad
    axis, y = wide / 2, fan + pad
    placed: list[Block] = []
    for row in rows:
        placed += _in_row(row, axis - _breadth(row) / 2, y)
        y = max(block.bottom for block in placed) + _SIDE
    bottom = y - _SIDE + pad
    end = bottom + fan
    if pad:
        wires = [Wire(((axis, 0), (axis, fan))), Wire(((axis, bottom), (axis, end)), ends=False)]
    else:
        wires = [wire for block in placed for wire in _fan(block, axis, (0, fan), (bottom, end))]
    return Block(group, wide, end, (), tuple(wires), tuple(placed), bar=fan if pad else 0.0, is_framed=bool(pad))


def _breadth(row: Sequence[Block]) -> float:
    return sum(block.width + _SIDE for block in row) - _SIDE


def _in_row(row: Sequence[Block], x: float, y: float) -> Iterator[Block]:
    """Blocks from a corner on to the right: cards equally high, and all with their middles on one line."""
    high = max(block.height for block in row)
    tall = max((block.height for block in row if isinstance(block.part, Node)), default=0.0)
    for block in row:
        height = tall if isinstance(block.part, Node) else block.height
        yield replace(block, height=height, x=x, y=y + (high - height) / 2)
        x += block.width + _SIDE


def _rows(blocks: Sequence[Block]) -> list[Sequence[Block]]:
    """As few rows as have room, each about as long as the others."""
    for count in range(ceil(len(blocks) / _MOST_IN_ROW), len(blocks) + 1):
        most = ceil(len(blocks) / count)
        rows = [blocks[begin : begin + most] for begin in range(0, len(blocks), most)]
        if all(len(row) == 1 or _breadth(row) <= _WIDEST_ROW for row in rows):
            return rows
    raise AssertionError("a block alone always has room")


def _fan(block: Block, axis: float, above: Point, below: Point) -> Iterator[Wire]:
    """The way from the axis to a block and back. `above` and `below` say from where to where it bends: outside of the
    row, so that it crosses no higher block."""
    (begin, top), (bottom, end), x = above, below, block.middle
    is_high = block.y - top < 1
    yield _curve((axis, begin), (x, top), ends=is_high)
    yield _curve((x, bottom), (axis, end), ends=False)
    if not is_high:
        yield Wire(((x, top), (x, block.y)))
        yield Wire(((x, block.bottom), (x, bottom)), ends=False)


def _curve(begin: Point, end: Point, *, ends: bool) -> Wire:
    half = (begin[1] + end[1]) / 2
    return Wire((begin, (begin[0], half), (end[0], half), end), ends, is_curve=begin[0] != end[0])


def _stack(group: Group, edges: _Edges) -> Block:
    """What follows each other in a pipeline, equally wide layers, with what goes on written beside the ways."""
    blocks = [_block(part, edges) for part in group.parts]
    widest = max((block.width for block in blocks if isinstance(block.part, Group)), default=0.0)
    blocks = [_widened(block, widest) if isinstance(block.part, Group) else block for block in blocks]
    labels = [Run(edges.next[part.id].label, SMALL) for part in group.parts[:-1]]
    beside = max((label.width + _BESIDE for label in labels), default=0.0)
    bypass = _BYPASS + 6 if any(map(_is_optional, blocks)) else 0.0
    wide = max(max(block.width for block in blocks) + 2 * bypass, 2 * beside)
    axis, y = wide / 2, 0.0
    wires: list[Wire] = []
    placed: list[Block] = []
    lines: list[Line] = []
    if not _begins(group):
        y = _GAP
        wires.append(Wire(((axis, 0), (axis, y))))
    for block, label in zip(blocks, [None, *labels], strict=True):
        if label is not None:
            wires.append(Wire(((axis, y), (axis, y + _LONG_GAP))))
            lines += [Line(axis + _BESIDE, y + _LONG_GAP / 2 + _MIDDLE, (label,))] if label.words else []
            y += _LONG_GAP
        placed.append(replace(block, x=axis - block.width / 2, y=y))
        y = placed[-1].bottom
    wires += [_bypass(block, axis) for block in placed if _is_optional(block)]
    if not _begins(group):
        wires.append(Wire(((axis, y), (axis, y + _TAIL)), ends=False))
        y += _TAIL
    return Block(group, wide, y, tuple(lines), tuple(wires), tuple(placed), is_framed=False)


def _begins(group: Group) -> bool:
    """Whether a pipeline is the outer one, which begins with the prompt: no way leads into it, and none out."""
    return isinstance(group.parts[0], Node) and group.parts[0].part == "prompt"


def _is_optional(block: Block) -> bool:
    return isinstance(block.part, Group) and block.part.is_optional


def _bypass(block: Block, axis: float) -> Wire:
    """The way past a layer, beside it on the left."""
    left, above, below = block.x - _BYPASS, block.y - _LONG_GAP * 0.6, block.bottom + _LONG_GAP * 0.4
    return Wire(((axis, above), (left, above), (left, below), (axis, below)), is_dashed=True)


def _widened(block: Block, wide: float) -> Block:
    """A framed group, as wide as others, with what is in it in its middle."""
    by = (wide - block.width) / 2
    return replace(block, width=wide, blocks=tuple(replace(inner, x=inner.x + by) for inner in block.blocks))
