"""Test questions, to hold the shipped question set to what it says: every answer is worked out here in another way."""

import json
from collections import Counter
from fractions import Fraction
from itertools import permutations, product
from math import ceil, lcm
from pathlib import Path

import pytest

from smoadsl.builtins.answers import AnswerForm, read_answer
from smoadsl.runtime.conversation import asked_in

FOLDER = Path(__file__).parents[1] / "pipelines" / "papers" / "efficiency"
ROWS = [json.loads(line) for line in (FOLDER / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
ENDS = {
    "arithmetic": "End with a line that says `Answer:` and the number alone.",
    "logic": "End with a line that says `Answer:` and yes or no.",
    "science": "End with a line that says `Answer:` and the letter alone.",
    "code": "End with a line that says `Answer:` and the number alone.",
}


def of(category: str) -> list[dict[str, str]]:
    return [row for row in ROWS if row["category"] == category]


def test_there_are_sixteen_of_each_kind_and_each_is_whole() -> None:
    assert Counter(row["category"] for row in ROWS) == dict.fromkeys(ENDS, 16)
    assert len({row["id"] for row in ROWS}) == len({row["question"] for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert set(row) == {"id", "category", "question", "answer", "wrong"}
        assert row["question"].endswith(ENDS[row["category"]])
        assert row["wrong"]
        assert row["answer"] not in row["wrong"]
        assert len(set(row["wrong"])) == len(row["wrong"])
        assert asked_in(row)[0].prompt == row["question"]
        said = f"So it is.\nAnswer: {row['answer']}"
        assert read_answer(AnswerForm("regex", (r"(?im)^answer: *(.+)$",)), said) == row["answer"].lower()


ARITHMETIC = (
    24 * 17 + 9,
    ceil(Fraction(500, 38)),
    (18 + 2) * (11 + 2) - 18 * 11,
    4 * (5 * 35 + 2 * 60),
    Fraction(900, 45 - 9),
    80 * Fraction(5, 4) * Fraction(3, 4),
    Fraction(270, 3 * 6) * 5 * 4,
    (14 * 60 + 13) - (9 * 60 + 48),
    240 * Fraction(3, 8) / 3,
    Fraction(9 * 6 + 14, 2),
    next(children for children in range(16) if 12 * (15 - children) + 7 * children == 140),
    Fraction("12.6") / Fraction("0.45"),
    next(3 * ben for ben in range(100) if 3 * ben + 8 == 2 * (ben + 8)),
    next(pens for pens in range(51, 1000) if pens % lcm(6, 10) == 0),
    5 * 14 - (9 + 12 + 15 + 20),
    60 * (Fraction(20, 15) + Fraction(20, 30)),
)


def test_the_arithmetic_is_right() -> None:
    assert [row["answer"] for row in of("arithmetic")] == [str(value) for value in ARITHMETIC]


def _always(premise: list[bool], conclusion: list[bool]) -> bool:
    """Whether the conclusion holds in each of the worlds in which the premise does."""
    assert any(premise)
    return all(then for given, then in zip(premise, conclusion, strict=True) if given)


def _worlds(size: int) -> list[tuple[bool, ...]]:
    return list(product((False, True), repeat=size))


def _syllogisms() -> dict[int, bool]:
    """Worlds of kinds of things: which combinations of three properties are to be met with."""
    kinds = _worlds(3)
    worlds = [{kind for kind, there in zip(kinds, met, strict=True) if there} for met in _worlds(8)]
    glims = [w for w in worlds if all(b or not a for a, b, _ in w) and not any(b and c for _, b, c in w)]
    sailing = [w for w in worlds if any(a and b for a, b, _ in w) and all(c or not b for _, b, c in w)]
    room = [w for w in worlds if not any(a and b for a, b, _ in w) and any(b for _, b, _ in w)]
    doors = [w for w in worlds if all(b or not a for a, b, _ in w) and any(b and c for _, b, c in w)]
    return {
        1: any(a and c for world in glims for a, _, c in world),
        2: all(any(a and c for a, _, c in world) for world in sailing),
        8: all(any(not a for a, _, _ in world) for world in room),
        9: all(a for world in doors for a, b, c in world if c),
    }


def _propositions() -> dict[int, bool]:
    two = _worlds(2)
    implied = [q or not p for p, q in two]
    coin = [box for box in "ABC" if [box == "B", box != "B", box != "C"].count(True) == 1]
    knights = [(pia, quin) for pia, quin in two if pia is (not pia and not quin)]
    keys = [(noor, home) for noor, home in two if (home or not noor) and not home]
    return {
        3: _always([i and q for i, (_, q) in zip(implied, two, strict=True)], [p for p, _ in two]),
        4: _always([i and not q for i, (_, q) in zip(implied, two, strict=True)], [not p for p, _ in two]),
        5: coin == ["C"],
        10: all(quin for _, quin in knights) and bool(knights),
        11: _always([not (p and q) for p, q in two], [not p and not q for p, q in two]),
        12: all(not noor for noor, _ in keys),
        16: _always([p or q for p, q in two], [not (p and q) for p, q in two]),
    }


def _orders() -> dict[int, bool]:
    tall = [
        o for o in permutations("IJKL") if o.index("I") < o.index("J") < o.index("K") and o.index("L") < o.index("I")
    ]
    runs = [
        o
        for o in permutations("RSTUV")
        if o.index("U") < o.index("R") < o.index("S") < o.index("T") and o.index("V") != 4
    ]
    seats = [
        o
        for o in permutations("ABCD")
        if o.index("A") in (1, 2) and abs(o.index("A") - o.index("B")) == 1 and o[0] == "C" and "D" in (o[0], o[3])
    ]
    near = [min(abs(o.index("B") - o.index(other)) for other in "CD") == 1 for o in seats]
    members = [
        (sum(v for v, _ in world), sum(p for _, p in world), sum(v and p for v, p in world), len(world))
        for size in (1, 2, 3, 4, 5)
        for world in product(_worlds(2), repeat=size)
    ]
    most = [both > 0 for votes, pays, both, size in members if 2 * votes > size and 2 * pays > size]
    return {
        6: all(o.index("L") < o.index("K") for o in tall),
        7: all(o[4] == "T" for o in runs),
        13: all(near) and bool(near),
        14: all(most),
        15: any(vowel and not even for vowel, even in _worlds(2) if even),  # only what could break the rule tests it
    }


def test_the_logic_is_right() -> None:
    worked_out = _syllogisms() | _propositions() | _orders()
    assert sorted(worked_out) == list(range(1, 17))
    assert {place: row["answer"] == "yes" for place, row in enumerate(of("logic"), 1)} == worked_out


SCIENCE = (
    "Mercury nitrogen Kenya the_Earth_between_Sun_and_Moon dolphin Danube sodium 4_°C pancreas Indian_Ocean Canberra "
    "downward,_as_strong_as_gravity chloroplast Bolivia 3_ohms electron"
).split()


def test_the_letters_of_the_science_questions_are_those_of_the_right_options() -> None:
    chosen = []
    for row in of("science"):
        options = dict(line.split(") ", 1) for line in row["question"].splitlines() if line[1:3] == ") ")
        assert sorted(options) == ["A", "B", "C", "D"]
        assert sorted([row["answer"], *row["wrong"]]) == sorted(options)
        chosen.append(options[row["answer"]].replace(" ", "_"))
    assert chosen == SCIENCE
    assert Counter(row["answer"] for row in of("science")) == dict.fromkeys("ABCD", 4)


def _steps_to_one(number: int) -> int:
    return 0 if number <= 1 else 1 + _steps_to_one(number // 2)


def _fibonacci(number: int) -> int:
    one, two = 1, 1
    for _ in range(number):
        one, two = two, one + two
    return one


def _walk() -> int:
    at = 10
    for step in range(3):
        at = at + 5 if at % 2 else at - step
    return at


CODE = (
    3 + 6 + 9,
    4 * 4,
    _fibonacci(6),
    (7 + 3 * 2) // 3,
    len("a") * 2 + len("bb") * 2,
    _steps_to_one(27),
    3,  # the one list is kept from call to call
    0 + 1 + 2 + 3,
    10 + 2 + 3,
    len({0, 1, 4, 9}),
    "abcabc".index("c") + 4,
    _walk(),
    max(Counter("mississippi").values()) + len(set("mississippi")),
    0b101 + 0o11,
    max(value for value in map(_fibonacci, range(20)) if value < 50),
    1 + 4 + 5,
)


def test_the_programs_print_what_is_said() -> None:
    assert [row["answer"] for row in of("code")] == [str(value) for value in CODE]


@pytest.mark.parametrize("row", of("code"), ids=lambda row: row["id"])
def test_the_programs_can_be_read(row: dict[str, str]) -> None:
    source = row["question"].split("```python\n")[1].split("\n```")[0]
    compile(source, row["id"], "exec")
    assert "print(" in source
