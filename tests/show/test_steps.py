"""Test steps, to hold the plan that people read to its look."""

from decimal import Decimal
from pathlib import Path

import pytest
from rich.cells import cell_len

from smoadsl.plan.plan import Bounds, Money, Plan, Range, Seconds
from smoadsl.show.steps import plan_text
from smoadsl.show.words import written
from smoadsl.tools import api
from tests.show.runs import HOSTILE, MOA, RAW, SMOA, planned, with_hostile_names

SHOWN = {
    MOA: """\
pipeline moa

layer   rounds  step       who            how
drafts  2       propose    ann, bob, cid

                aggregate  ann            otherwise best

""",
    SMOA: """\
pipeline smoa

layer   rounds  step       who                       how
debate  1 to 2  propose    ann, bob, mallory=cid,
                           dan
                judge      dan                       keeps 2 of 4; otherwise
                                                     consensus
                stop                                 when agreement >= 0.9 or
                                                     moderator(dan)

                aggregate  ann                       otherwise best

""",
}
RULES = (
    "round >= 2",
    "not moderator(ann)",
    "agreement >= 0.75 and not (moderator(ann) or round > 1)",
    "(round < 2 or change <= 0.1) and similarity != 1",
    "spent.time > 90s or spent.tokens > 20_000 and round == 1",
    "spent.usd >= $0.05",
)


@pytest.mark.parametrize("pipeline", SHOWN, ids=["moa", "smoa"])
def test_a_plan_as_it_is_shown(pipeline: str) -> None:
    shown = plan_text(planned(pipeline))
    assert shown[: len(SHOWN[pipeline])] == SHOWN[pipeline]


def test_figures_of_a_plan_as_they_are_shown() -> None:
    def row(least: int, full: int, worst: int) -> Range:
        return Range(least=least, full=full, worst=worst)

    bounds = Bounds(
        prompt_tokens=1_000,
        calls=row(5, 11, 13),
        tokens=row(5_005, 78_851, 500_829),
        input_tokens=row(5_000, 56_323, 420_957),
        output_tokens=row(5, 22_528, 79_872),
        critical_path=row(2, 5, 7),
        usd=Money(least=Decimal("0.0045"), full=Decimal("0.071"), worst=Decimal("0.5008")),
        seconds=Seconds(least=6, full=15, worst=21),
        binds=("the budget of usd ($0.2000) may end a run before its worst case ($0.5008)",),
    )
    shown = plan_text(planned(MOA).model_copy(update={"bounds": bounds}))
    assert (
        shown[shown.index("bounds") :]
        == """\
bounds           least     full    worst
calls                5       11       13
input tokens     5,000   56,323  420,957  for a prompt of 1,000 tokens
output tokens        5   22,528   79,872
money          $0.0045  $0.0710  $0.5008
critical path        2        5        7  calls, one after another
time             6.0 s   15.0 s   21.0 s  on that path, retries and queues aside

least: all that can end early does. full: nothing fails and nothing ends early.
worst: besides, every verdict must be asked for twice, and every call tried as
often as it may be.
The budget of usd ($0.2000) may end a run before its worst case ($0.5008).
"""
    )
    unpriced = bounds.model_copy(update={"usd": None, "unpriced": ("groq/a", "groq/b")})
    shown = plan_text(planned(MOA).model_copy(update={"bounds": unpriced}))
    assert "money              ?" in shown
    assert "Without a price: groq/a, groq/b." in shown


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_written_back_in_the_words_of_the_language(rule: str) -> None:
    [stop] = planned(SMOA.replace("agreement >= 0.9 or moderator(dan)", rule)).pipeline.layers[0].stops
    assert written(stop.condition) == rule


def test_roles_views_and_own_templates_are_named() -> None:
    shown = plan_text(
        planned("""
template mine = "{{ responses | length }} by {{ criteria }}"
roles two = ["You are a careful chemist. You weigh twice.", "Be brief"]
pipeline p {
  answer choice("A", "B")
  layer first { propose ann, bob as two }
  layer second when agreement < 0.9 {
    propose ann * 3 sees peers
    judge score(bob) keep 2 { criteria = "sound", min_score = 3, template = mine }
  }
  aggregate vote()
}""")
    )
    for words in ("answer choice(A, B)", "careful chemist", "Be brief", "sees peers", "ann.1, ann.2, ann.3", "vote()"):
        assert words in shown
    for words in ("agreement < 0.9", "score(bob)", "keeps 2 of 3", "criteria: sound", "min_score 3", "template mine"):
        assert words in " ".join(shown.split())


@pytest.mark.parametrize("width", [80, 100])
def test_a_long_list_of_agents_wraps(width: int) -> None:
    shown = plan_text(planned("pipeline p {\n layer all { propose ann * 60, bob * 40 }\n aggregate ann\n}"), width)
    assert max(map(len, shown.split("\n"))) <= width
    assert "ann.59, ann.60" in " ".join(shown.split()) or "ann.60" in shown


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("name", ["gates", "hostile", "long", "many", "nested"])
def test_whatever_the_names_the_table_fits(name: str, width: int) -> None:
    plan = api.compile(Path(__file__).parent / "pictures" / f"{name}.moa").value
    assert plan is not None
    shown = plan_text(plan, width)
    lines = [line for line in shown.split("\n") if r"\u003a" not in line]  # where a command was made visible
    assert max(map(cell_len, lines)) <= width
    for decision in plan.decisions:
        assert "".join(decision.message.split()) in "".join(shown.split())


@pytest.mark.parametrize("width", range(1, 30, 7))
def test_a_narrow_terminal_is_no_reason_to_crash(width: int) -> None:
    assert plan_text(planned(SMOA), width)


def test_a_pipeline_that_is_an_agent_has_a_table_of_its_own() -> None:
    inner = "pipeline deep {\n layer x { propose ann, bob\n judge vote() keep 1 }\n aggregate cid\n}\n"
    shown = plan_text(planned(inner + "pipeline p {\n layer y { propose deep, a = deep }\n aggregate ann\n}"))
    assert "deep, a=deep" in shown
    assert shown.count("pipeline deep\n") == 1


def test_names_can_not_steer_the_terminal() -> None:
    plan = with_hostile_names(planned(SMOA))
    assert HOSTILE in plan.pipeline.layers[0].name
    shown = plan_text(Plan.model_validate(plan.model_dump()), 400)
    assert not RAW & set(shown)
    assert "[/nope][link=https://x.example]y[/link]" in shown
