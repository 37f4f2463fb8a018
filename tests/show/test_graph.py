"""Test graph, to hold every drawing of a pipeline to what is saved of it, and to what a drawing must never do.

Saved are `tests/show/pictures/*`, and `docs/smoa.svg`, which readers see first; `--accept` draws them again.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given

from smoadsl.plan.plan import Plan
from smoadsl.show.graph.depict import depict
from smoadsl.show.graph.dot import dot
from smoadsl.show.graph.flow import flow, groups_in
from smoadsl.show.graph.layout import BETWEEN
from smoadsl.show.graph.mermaid import mermaid
from smoadsl.show.graph.metrics import Face, cut, width, wrapped
from smoadsl.show.graph.picture import Group, Node, Picture, nodes_in
from smoadsl.show.graph.svg import svg
from smoadsl.tools import api
from tests.luck import planned
from tests.random_plans import Kind, programs

ROOT = Path(__file__).parents[2]
PICTURES = Path(__file__).parent / "pictures"
FILES = [*sorted((ROOT / "pipelines").glob("*.moa")), *sorted(PICTURES.glob("*.moa"))]
DRAWN = {"svg": svg, "mmd": mermaid, "dot": dot}
SVG = "{http://www.w3.org/2000/svg}"


def plan_of(path: Path) -> Plan:
    plan = api.compile(path).value
    assert plan is not None
    return plan


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("suffix", DRAWN)
def test_a_drawing_is_the_saved_one(path: Path, suffix: str, accepting: bool) -> None:
    drawn = DRAWN[suffix](depict(plan_of(path)))
    saved = [PICTURES / f"{path.stem}.{suffix}"] + [ROOT / "docs" / "smoa.svg"] * (
        path.stem == "smoa" and suffix == "svg"
    )
    for file in saved:
        if accepting:
            file.write_text(drawn, encoding="utf-8")
        assert file.read_text(encoding="utf-8") == drawn


# ---- what must hold of every drawing


@given(programs(Kind()))
def test_any_plan_makes_a_sound_drawing(text: str) -> None:
    picture = depict(planned(text))
    check_svg(svg(picture))
    check_mermaid(mermaid(picture))
    check_dot(dot(picture))
    check_edges(picture)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_saved_ones_are_sound(path: Path) -> None:
    picture = depict(plan_of(path))
    check_svg(svg(picture))
    check_mermaid(mermaid(picture))
    check_dot(dot(picture))
    check_edges(picture)


@dataclass(frozen=True)
class Box:
    """What an element covers of the drawing. `path` are the places of the elements it is in."""

    path: tuple[int, ...]
    x: float
    y: float
    width: float
    height: float

    def has(self, other: "Box") -> bool:
        return (
            self.x <= other.x + 0.11
            and self.y <= other.y + 0.11
            and other.x + other.width <= self.x + self.width + 0.21
            and other.y + other.height <= self.y + self.height + 0.21
        )

    def is_apart_from(self, other: "Box") -> bool:
        return (
            self.x + self.width < other.x
            or other.x + other.width < self.x
            or self.y + self.height < other.y
            or other.y + other.height < self.y
        )


def check_svg(drawing: str) -> None:
    """Well-formed; nothing but shapes and text in it; every box in or beside every other, all text in its box."""
    root = ElementTree.fromstring(drawing)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "g", "rect", "path", "text", "tspan",
    }  # fmt: skip
    assert {name for element in root.iter() for name in element.attrib} <= {
        "class", "role", "width", "height", "viewBox", "aria-labelledby", "id", "rx", "transform", "d", "x", "y", "dx",
        "text-anchor", "font-size", "textLength", "lengthAdjust",
    }  # fmt: skip
    assert all(element.text for element in root.iter() if element.tag in (f"{SVG}title", f"{SVG}desc"))
    boxes: list[Box] = []
    texts: list[Box] = []
    for kind, box in covered(root, (), 0.0, 0.0):
        (boxes if kind == "box" else texts).append(box)
    whole, *inner = boxes
    for one in inner:
        assert whole.has(one)
        assert all(one is two or one.has(two) or two.has(one) or one.is_apart_from(two) for two in inner)
    for text in texts:
        around = [box for box in boxes if box.path[:-1] == text.path[:-1]]
        assert all(box.has(text) for box in around or [whole])
        assert all(box.is_apart_from(text) for box in cards_of(inner, boxes) if box not in around)
        assert all(text is other or text.is_apart_from(other) for other in texts)


def cards_of(inner: list[Box], boxes: list[Box]) -> list[Box]:
    """Those that hold no other box: a text that is not their own may not touch them."""
    return [box for box in inner if not any(other is not box and box.has(other) for other in boxes)]


def covered(element: ElementTree.Element, path: tuple[int, ...], x: float, y: float) -> Iterator[tuple[str, Box]]:
    if moved := re.fullmatch(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", "")):
        x, y = x + float(moved[1]), y + float(moved[2])
    if element.tag == f"{SVG}rect" and "behind" not in element.get("class", ""):
        corner = x + float(element.get("x", 0)), y + float(element.get("y", 0))
        yield "box", Box(path, *corner, float(element.get("width", 0)), float(element.get("height", 0)))
    elif element.tag == f"{SVG}text":
        wide = sum(map(width_of, element)) + BETWEEN * (len(element) - 1)
        size = max(float(span.get("font-size", 0)) for span in element)
        begin = x + float(element.get("x", 0)) - (wide / 2 if element.get("text-anchor") else 0)
        yield "text", Box(path, begin, y + float(element.get("y", 0)) - size * 0.8, wide, size)
    for number, child in enumerate(element):
        yield from covered(child, (*path, number), x, y)


def width_of(span: ElementTree.Element) -> float:
    names = span.get("class", "").split()
    face: Face = "bold" if "bold" in names else "code" if "code" in names else "plain"
    told = span.get("textLength")
    return float(told) if told else width(span.text or "", float(span.get("font-size", 0)), face)


LABEL = r'"(?:[\w ,()=/%.]|[^\x00-\x7f]|#\d+;|<br>)*"'
MERMAID_LINES = [
    r"flowchart TB",
    r" +acc(Title|Descr): [^\n<>\"{};#&]*",
    rf" +n\d+(\[{LABEL}\]|\(\[{LABEL}\]\)|\[\[{LABEL}\]\]|\{{\{{{LABEL}\}}\}}):::\w+",
    r' +n\d+(in|out)\(\(" "\)\):::hub',
    rf" +subgraph n\d+\[{LABEL}\]",
    r" +end",
    r" +class n\d+ \w+",
    rf" +\w+( & \w+)* (-->|-\.->)(\|{LABEL}\|)? \w+( & \w+)*",
    r" +classDef \w+ [\w:#,]+",
]


def check_mermaid(drawing: str) -> None:
    """Every line is one of those that are written on purpose, whatever stands in a label, and every frame is closed."""
    lines = drawing.removesuffix("\n").split("\n")
    assert [line for line in lines if not any(re.fullmatch(one, line) for one in MERMAID_LINES)] == []
    words = [line.split()[0] for line in lines]
    assert words.count("subgraph") == words.count("end")
    used = re.findall(r":::(\w+)$|^ +class n\d+ (\w+)$", drawing, re.MULTILINE)
    assert {one or two for one, two in used} == set(re.findall(r"classDef (\w+)", drawing))


STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')


def check_dot(drawing: str) -> None:
    """Outside of strings nothing is left but names, brackets and settings, and the brackets close."""
    rest = STRING.sub("S", drawing)
    assert re.fullmatch(r"[\w\s{}\[\]=>.-]+", rest)
    assert rest.count("{") == rest.count("}")
    assert rest.count("[") == rest.count("]")
    assert set(re.findall(r"\\.", "".join(STRING.findall(drawing)))) <= {"\\\\", '\\"', "\\n", "\\l"}


def check_edges(picture: Picture) -> None:
    """Edges lead from something to something that is in the picture, and there are no more than that many."""
    nodes, groups = list(nodes_in(picture.whole)), list(groups_in(picture.whole))
    ids = [*(node.id for node in nodes), *(group.id for group in groups)]
    assert len(ids) == len(set(ids))
    assert {id_ for edge in picture.edges for id_ in (edge.source, edge.target)} <= set(ids)
    assert len(picture.edges) <= 2 * len(ids)
    led = flow(picture)
    known = {node.id for node in nodes} | {hub for hubs in led.hubs.values() for hub in hubs}
    assert {id_ for way in led.ways for id_ in (*way.sources, *way.targets)} == known
    assert sum(len(way.sources) * len(way.targets) for way in led.ways) <= 5 * len(ids)


# ---- what is in a picture


def said(picture: Picture) -> str:
    return "\n".join(f"{node.lead} {node.title} {' '.join(node.lines)}" for node in nodes_in(picture.whole))


MODELS = "".join(f'model {name} = "groq/{name}"\n' for name in "abc")


def test_gates_rules_roles_and_views_are_told() -> None:
    text = said(depict(plan_of(PICTURES / "gates.moa")))
    for words in (
        "activate 3 of 4 by router(c)",
        "quorum 2 of 3 after 20 s",
        "judge score(a) keeps 2 of 3 criteria: Correct, complete and short min_score 3 with feedback",
        "judge pairwise(b) keeps 2 of 3 dedupe 0.9 otherwise first",
        "stop pipeline  when agreement >= 0.9",
        "stop  when moderator(c) or change < 0.1",
        "alice b sees [c] template brief",
        "skeptic",
        "aggregate b template brief otherwise fail",
        "answer: choice(yes, no)",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("layer", "handed"),
    [
        ("propose a", "1 response"),
        ("propose a, b, c", "3 responses"),
        ("propose a, b, c\n quorum 2", "2 to 3 responses"),
        ("propose a, b, c\n judge b keep 2", "2 of 3 go on"),
        ("propose a, b, c\n quorum 1\n judge b keep 2", "at most 2 of 3 go on"),
        ("propose a, b, c\n judge cluster()", "at most 3 go on"),
        ("propose a, b, c\n activate 2 by random()\n judge b keep 1 { dedupe = 0.5 }", "at most 1 of 2 go on"),
    ],
)
def test_an_edge_tells_how_many_go_on(layer: str, handed: str) -> None:
    picture = depict(planned(f"{MODELS}pipeline p {{\n layer l {{\n {layer}\n }}\n aggregate a\n}}"))
    assert [edge.label for edge in picture.edges if edge.label] == [handed]


def test_a_pipeline_that_comes_again_is_told_not_drawn_again() -> None:
    picture = depict(plan_of(PICTURES / "nested.moa"))
    titles = [group.title for group in groups_in(picture.whole) if group.kind == "pipeline"]
    assert titles == ["middle", "inner", "free × 4"]
    assert [node.lines for node in nodes_in(picture.whole) if node.title == "again"] == [
        ("pipeline inner, drawn before",)
    ]


def test_a_hundred_layers_of_a_hundred_agents_are_drawn_at_once() -> None:
    layers = "\n".join(f"layer l{n} repeat 2 {{\n propose {', '.join('abc' * 33)}, a }}" for n in range(100))
    plan = planned(f"{MODELS}pipeline p {{\n{layers}\n aggregate a\n}}")
    begun = time.process_time()
    picture = depict(plan)
    drawings = [draw(picture) for draw in DRAWN.values()]
    assert time.process_time() - begun < 5
    assert len(picture.edges) < 400
    assert all(len(drawing) < 2_000_000 for drawing in drawings)
    rows = [group for group in groups_in(picture.whole) if group.kind == "agents"]
    assert {len(row.parts) for row in rows} == {24}
    assert {copies(row) for row in rows} == {100}


def copies(row: Group) -> int:
    return sum(part.copies for part in row.parts if isinstance(part, Node))


# ---- text of unknown width


@pytest.mark.parametrize("face", ["plain", "bold", "code"])
@pytest.mark.parametrize("text", ["", "a", "WWWW " * 40, "W" * 300, "ill " * 60, "研究员" * 30, "e\u0301" * 90, "a  b"])
def test_wrapped_text_has_room(text: str, face: Face) -> None:
    lines = wrapped(text, 12, 150, 3, face)
    assert len(lines) <= 3
    assert all(width(line, 12, face) <= 150 for line in [*lines, cut(text, 12, 150, face)])
    whole = "".join(lines).replace(" ", "")
    kept = whole.removesuffix("…")
    assert text.replace(" ", "").startswith(kept)
    assert whole != kept or kept == text.replace(" ", "")
