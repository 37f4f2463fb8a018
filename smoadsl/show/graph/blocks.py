"""Blocks, to hold what a drawing consists of, each thing in its place: boxes in boxes, lines of text, and ways.

Lengths are in the pixels of an SVG.
"""

from smoadsl.classes import dataclass
from smoadsl.show.graph.metrics import Face, width
from smoadsl.show.graph.picture import Group, Node

BETWEEN = 5.0  # between two runs of a line

Point = tuple[float, float]


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

    points: tuple[Point, ...]
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
