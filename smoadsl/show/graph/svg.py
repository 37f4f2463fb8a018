"""Svg, to draw a picture as one SVG file: no script, no font and no program from elsewhere, light and dark."""

from collections.abc import Iterator, Sequence
from html import escape
from math import sqrt

from smoadsl.show.graph.colours import MODELS, style_sheet
from smoadsl.show.graph.depict import in_words
from smoadsl.show.graph.layout import BETWEEN, Block, Line, Run, Wire, laid_out
from smoadsl.show.graph.metrics import is_measured
from smoadsl.show.graph.picture import Group, Node, Picture

_ROUND = 7.0  # the radius of corners
_STRIP = 4.0  # how broad the strip in a model's colour is
_TIP = 6.0  # how long an arrowhead is
_TIP_BREADTH = 0.55  # half of its breadth, in lengths
_BEHIND = 4.0  # how far the cards behind a card show that it stands for several

Point = tuple[float, float]


def svg(picture: Picture) -> str:
    """The picture as an SVG file, XML without a declaration, which an HTML page can hold as it is."""
    whole = laid_out(picture)
    size = f"{_number(whole.width)} {_number(whole.height)}"
    wide, high = size.split()
    colour_of = {model: f"model-{number % MODELS}" for number, model in enumerate(picture.models)}
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="smoadsl" role="img" width="{wide}" height="{high}" '
            f'viewBox="0 0 {size}" aria-labelledby="smoadsl-title smoadsl-desc">',
            f'<title id="smoadsl-title">{_escaped(f"The pipeline {picture.title}")}</title>',
            f'<desc id="smoadsl-desc">{_escaped(". ".join(in_words(picture)))}</desc>',
            f"<style>\n{style_sheet(len(picture.models))}\n</style>",
            f'<rect class="paper" width="{wide}" height="{high}" rx="10"/>',
            *_drawn(whole, colour_of),
            "</svg>\n",
        ]
    )


def _drawn(block: Block, colour_of: dict[str, str]) -> Iterator[str]:
    """A block and what is in it, in a coordinate system of its own."""
    place = f' transform="translate({_number(block.x)} {_number(block.y)})"' if block.x or block.y else ""
    yield f"<g{place}>"
    if isinstance(block.part, Node):
        yield from _node(block, block.part, colour_of)
    elif block.is_framed:
        yield from _frame(block, block.part)
    for wire in block.wires:
        yield from _wire(wire)
    for inner in block.blocks:
        yield from _drawn(inner, colour_of)
    for line in block.lines:
        yield _text(line)
    yield "</g>"


def _node(block: Block, node: Node, colour_of: dict[str, str]) -> Iterator[str]:
    about = " — ".join(filter(None, [f"{node.lead} {node.title}".strip(), *node.lines, node.about]))
    yield f"<title>{_escaped(about)}</title>"
    if node.part in ("prompt", "answer"):
        yield _rect(node.part, block.width, block.height, block.height / 2)
        return
    if node.copies > 1:
        place = f' x="{_BEHIND:g}" y="{_BEHIND:g}"'
        yield f'<rect class="{node.part} behind"{place} {_size(block.width, block.height)} rx="{_ROUND:g}"/>'
    yield _rect(node.part, block.width, block.height, _ROUND)
    if node.model:
        yield f'<path class="{colour_of[node.model]}" d="{_strip(block.height)}"/>'


def _frame(block: Block, group: Group) -> Iterator[str]:
    if group.kind == "agents":
        high = block.height - 2 * block.bar
        yield f'<rect class="panel" y="{_number(block.bar)}" {_size(block.width, high)} rx="{_ROUND:g}"/>'
        return
    yield _rect(group.kind, block.width, block.height, _ROUND, " dashed" * group.is_optional)
    bar = "pipeline-bar" if group.kind == "pipeline" else "bar"
    wide, high, r = block.width - 1, block.bar, _ROUND - 0.5
    yield (
        f'<path class="{bar}" d="M0.5 {_number(high)}V{_ROUND:g}a{r:g} {r:g} 0 0 1 {r:g} -{r:g}'
        f'H{_number(wide + 0.5 - r)}a{r:g} {r:g} 0 0 1 {r:g} {r:g}V{_number(high)}z"/>'
    )


def _rect(part: str, wide: float, high: float, round_: float, more: str = "") -> str:
    return f'<rect class="{part}{more}" {_size(wide, high)} rx="{_number(round_)}"/>'


def _size(wide: float, high: float) -> str:
    return f'width="{_number(wide)}" height="{_number(high)}"'


def _strip(high: float) -> str:
    """Along the left side of a card, with its rounded corners."""
    r, s = _ROUND + 0.5, _STRIP
    top = r - sqrt(r * r - (r - s - 0.5) ** 2) - 0.5
    low = f"{_number(high - top)}A{r:g} {r:g} 0 0 1 -0.5 {_number(high - _ROUND)}"
    return f"M{s:g} {_number(top)}V{low}V{_ROUND:g}A{r:g} {r:g} 0 0 1 {s:g} {_number(top)}z"


# ---- ways


def _wire(wire: Wire) -> Iterator[str]:
    before, end = wire.points[-2], wire.points[-1]
    if wire.is_curve:
        before = (end[0], end[1] - 1)
    back = _towards(end, before, _TIP) if wire.ends else end
    points = (*wire.points[:-1], back)
    drawn = _curve(points) if wire.is_curve else _path(*points)
    yield f'<path class="wire{" dashed" * wire.is_dashed}" d="{drawn}"/>'
    if wire.ends:
        across = ((end[1] - back[1]) * _TIP_BREADTH, (back[0] - end[0]) * _TIP_BREADTH)
        one, two = (back[0] + across[0], back[1] + across[1]), (back[0] - across[0], back[1] - across[1])
        yield f'<path class="tip" d="M{_at(end)}L{_at(one)}L{_at(two)}z"/>'


def _curve(points: Sequence[Point]) -> str:
    begin, *rest = points
    return f"M{_at(begin)}C{' '.join(map(_at, rest))}"


def _path(*points: Point) -> str:
    """A way with rounded corners."""
    drawn = [f"M{_at(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_ROUND, _length(before, corner) / 2, _length(corner, after) / 2)
        begin, end = _towards(corner, before, radius), _towards(corner, after, radius)
        drawn.append(f"L{_at(begin)}Q{_at(corner)} {_at(end)}")
    return "".join([*drawn, f"L{_at(points[-1])}"])


def _length(one: Point, two: Point) -> float:
    return abs(one[0] - two[0]) + abs(one[1] - two[1])  # the ways with corners go along the axes


def _towards(point: Point, other: Point, by: float) -> Point:
    """So far from a point in the direction of another, which is straight beside, above or below it."""
    length = _length(point, other) or 1.0
    return point[0] + (other[0] - point[0]) / length * by, point[1] + (other[1] - point[1]) / length * by


# ---- text


def _text(line: Line) -> str:
    """Runs follow each other where the one before ends in the font that is used, so that only the first has a place."""
    anchor = ' text-anchor="middle"' if line.is_centred else ""
    spans = [_span(run, f' dx="{BETWEEN:g}"' * (number > 0)) for number, run in enumerate(line.runs)]
    return f'<text x="{_number(line.x)}" y="{_number(line.y)}"{anchor}>{"".join(spans)}</text>'


def _span(run: Run, place: str) -> str:
    """Words that no table knows the width of are told theirs: no font can make them leave their box."""
    face = f" {run.face}" if run.face != "plain" else ""
    told = "" if is_measured(run.words) else f' textLength="{_number(run.width)}" lengthAdjust="spacingAndGlyphs"'
    return f'<tspan class="{run.tone}{face}"{place} font-size="{run.size:g}"{told}>{_escaped(run.words)}</tspan>'


def _escaped(text: str) -> str:
    return escape(text, quote=True)


def _at(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
