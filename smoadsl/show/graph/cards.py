"""Cards, to make the blocks of nodes: as wide as their words, up to a limit, and as high as their lines."""

from smoadsl.show.graph.blocks import BETWEEN, Block, Line, Run
from smoadsl.show.graph.metrics import Face, cut, wrapped
from smoadsl.show.graph.picture import Node

SIZE, SMALL = 12.0, 10.5  # of the font, in names and in what is said of them
LINE = 14.0  # from one line to the next
PAD = 12.0

_AGENT_TEXT, _AGENT_LINES = (
    150.0,
    3,
)  # the widest text of an agent, which stands beside others, and the lines of one text
_WIDE_TEXT, _WIDE_LINES = 290.0, 6  # of other nodes, beside which nothing stands
_LEAST_WIDTH = 96.0
_STRIP = 4.0  # the strip in the colour of a model, before the text
_PILL_HEIGHT, _PILL_PAD = 28.0, 16.0


def card(node: Node) -> Block:
    """The block of a node; what has no room is cut, and stands in the node's title."""
    if node.part in ("prompt", "answer"):
        return _pill(node)
    most, count = (_AGENT_TEXT, _AGENT_LINES) if node.part == "agent" else (_WIDE_TEXT, _WIDE_LINES)
    face: Face = "code" if node.part == "stop" else "plain"
    texts = [text for line in node.lines for text in wrapped(line, SMALL, most, count, face)]
    rows = [_head(node, most), *((Run(text, SMALL, face),) for text in texts)]
    first = LINE + 6.0
    lines = tuple(Line(PAD + _STRIP, first + LINE * number, runs) for number, runs in enumerate(rows))
    wide = max(line.width for line in lines) + 2 * PAD + _STRIP
    return Block(node, max(_LEAST_WIDTH, wide), lines[-1].y + 10, lines)


def _head(node: Node, most: float) -> tuple[Run, ...]:
    """The first line of a node: the word for its part, and its name."""
    lead = (Run(node.lead, SIZE, "bold", f"{node.part}-word"),) if node.lead else ()
    if not node.title:
        return lead
    room = most - sum(run.width + BETWEEN for run in lead)
    return (*lead, Run(cut(node.title, SIZE, room, "bold"), SIZE, "bold", "name"))


def _pill(node: Node) -> Block:
    run = Run(cut(node.title, SIZE, _WIDE_TEXT, "bold"), SIZE, "bold", "pill")
    wide = max(84.0, run.width + 2 * _PILL_PAD)
    return Block(node, wide, _PILL_HEIGHT, (Line(wide / 2, 18.5, (run,), is_centred=True),))
