"""Test fitting, to hold prompts that are too long for their model to its context, and to words where they are cut."""

from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Request
from smoadsl.adapters.words import size_of
from smoadsl.plan.plan import Plan
from smoadsl.runtime.events import CallStarted, Degraded
from smoadsl.runtime.fitting import _cut, _level
from tests.luck import planned
from tests.scripts import Run, plainly, run


def pipeline(small: str = "", layers: str = "", end: str = "aggregate small") -> Plan:
    return planned(f"""
model a = "groq/a" {{ max_tokens = 4_000 }}
model b = "groq/b" {{ max_tokens = 4_000 }}
model c = "groq/c" {{ max_tokens = 4_000 }}
model small = "groq/small" {{ max_tokens = 100, context = 1_100{small} }}
pipeline p {{
  layer one {{
    propose a, b, c
    {layers}
  }}
  {end}
}}""")


def with_lengths(plan: Plan, **lengths: int) -> Run:
    def script(call: CallStarted, request: Request) -> str:
        return call.agent * lengths[call.agent] if call.agent in lengths else plainly(call, request)

    return run(plan, script)


def read_by(made: Run, agent: str) -> str:
    return "".join(text for _, text in made.of(agent).texts)


def test_the_longest_responses_are_cut_to_equal_length() -> None:
    made = with_lengths(pipeline(), a=4_000, b=3_000, c=50)
    sent = read_by(made, "aggregate")
    assert size_of(sent) <= 3_000
    assert size_of(sent) > 2_900
    assert sent.count("c" * 50) == 1
    longest = [max(map(len, [piece for piece in sent.split() if set(piece) == {name}])) for name in "ab"]
    assert longest[0] == longest[1] > 500
    (told,) = [event for event in made.events if isinstance(event, Degraded)]
    assert told.why.startswith("what aggregate reads is too long for small, which can hold 1,100 tokens")
    assert made.answer is not None
    assert made.answer.degraded


def test_what_fits_is_not_touched() -> None:
    made = with_lengths(pipeline(), a=300, b=300, c=300)
    assert "a" * 300 in read_by(made, "aggregate")
    assert made.answer is not None
    assert not made.answer.degraded


def test_without_a_known_context_nothing_is_cut() -> None:
    plan = planned('model m = "groq/m"\npipeline p {\n layer one { propose a = m, b = m, c = m }\n aggregate m\n}')
    made = with_lengths(plan, a=90_000, b=1, c=1)
    assert "a" * 90_000 in read_by(made, "aggregate")


def test_judges_moderators_and_agents_read_what_fits_too() -> None:
    layers = "judge small keep 2 { fuse = false }\n stop when moderator(small)"
    plan = pipeline(layers=layers.replace("stop", "stop pipeline"), end="layer two { propose small }\n aggregate a")
    made = with_lengths(plan, a=4_000, b=4_000, c=4_000)
    for who in ("judge", "moderator", "small"):
        assert size_of(read_by(made, who)) <= 3_000
    whys = [event.why for event in made.events if isinstance(event, Degraded)]
    assert [why.partition(" reads")[0] for why in whys] == ["what the judge", "what the moderator", "what small"]


@given(st.lists(st.integers(0, 200), min_size=1, max_size=6), st.integers(-5, 900))
def test_a_level_fills_the_room_and_no_more(sizes: list[int], room: int) -> None:
    level = _level(sizes, room)
    total = sum(min(size, level) for size in sizes)
    assert total <= max(room, 0) or level == max(sizes)
    if sum(sizes) > max(room, 0):
        assert sum(min(size, level + 1) for size in sizes) > max(room, 0)


@given(st.text(max_size=30), st.integers(0, 40))
def test_a_cut_is_never_in_the_middle_of_a_character(text: str, most: int) -> None:
    kept = _cut(text, most).removesuffix(" […]")
    assert text.startswith(kept)
    assert size_of(kept) <= most
