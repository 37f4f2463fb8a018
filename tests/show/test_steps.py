"""Test steps, to hold the plan that people read to its look."""

import pytest

from smoadsl.plan.plan import Plan
from smoadsl.show.steps import plan_text, written
from tests.show.runs import HOSTILE, MOA, RAW, SMOA, planned, with_hostile_names

SHOWN = {
    MOA: """\
pipeline moa

layer   rounds  step       who            how
drafts  2       propose    ann, bob, cid

                aggregate  ann            otherwise best

bounds         least    full   worst
calls              7       7       7
output tokens      7  14,336  14,336
critical path      3       3       3  calls that wait for one another

least: all that can end early does. full: nothing fails and nothing ends early.
worst: besides, every verdict must be asked for twice.
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
)


@pytest.mark.parametrize("pipeline", SHOWN, ids=["moa", "smoa"])
def test_a_plan_as_it_is_shown(pipeline: str) -> None:
    shown = plan_text(planned(pipeline))
    assert shown[: len(SHOWN[pipeline])] == SHOWN[pipeline]


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
