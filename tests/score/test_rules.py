"""Test rules, to see each scorer that asks no model say right, wrong, or why it can not tell, and be found by name."""

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from smoadsl.score import named, rules
from smoadsl.score.named import UnknownScorer, function_rule, rule_named
from smoadsl.score.outcome import Missing, Refused, Said, Scored, Unknown, Unreadable
from smoadsl.score.rules import Rule

RIGHT, WRONG = 1.0, 0.0
CASES: list[tuple[Rule, str, object, float]] = [
    (rules.exact(), " The  Danube ", "the danube", RIGHT),
    (rules.exact(), "The Danube.", "The Danube", WRONG),
    (rules.exact(), "yes", True, RIGHT),
    (rules.exact(), "Rhine", ["Danube", "Rhine"], RIGHT),
    (rules.numeric(), "So 3 and 4 make 7.", 7, RIGHT),
    (rules.numeric(), "1,250.0", "1250", RIGHT),
    (rules.numeric(), "7.001", 7, WRONG),
    (rules.numeric(tolerance=0.01), "7.001", 7, RIGHT),
    (rules.numeric(relative=0.1), "91", 100, RIGHT),
    (rules.numeric(relative=0.1), "89", 100, WRONG),
    (rules.numeric(), "none at all", 7, WRONG),
    (rules.numeric(), "0.1", 0.1, RIGHT),
    (rules.choice("ABCD"), "A is tempting, but it is C.", "C", RIGHT),
    (rules.choice("ABCD"), "I can not say.", "C", WRONG),
    (rules.choice(["yes", "no"]), "Yes.", "yes", RIGHT),
    (rules.contains(), "I think it is the Danube, is it not?", "Danube", RIGHT),
    (rules.contains(), "seventeen or 17", "7", WRONG),
    (rules.matches(r"\b\d{4}\b"), "in 1989", None, RIGHT),
    (rules.matches(r"^\d+$"), "in 1989", None, WRONG),
    (rules.json_field("n"), 'Here: {"n": 7.0}', 7, RIGHT),
    (rules.json_field("n"), '{"n": "seven"}', 7, WRONG),
    (rules.json_field("n"), "7", 7, WRONG),
]


@pytest.mark.parametrize(("rule", "text", "right", "value"), CASES)
def test_an_answer_is_right_or_wrong(rule: Rule, text: str, right: object, value: float) -> None:
    assert rule(Said(text), {"answer": right}) == Scored(value)


@pytest.mark.parametrize(("rule", "right"), [(rule, right) for rule, _, right, _ in CASES])
def test_what_is_not_there_is_not_wrong(rule: Rule, right: object) -> None:
    row = {"answer": right}
    assert rule(Said(None), row) == Missing("there is no answer")
    assert rule(Said(" \n"), row) == Missing("the answer is empty")
    assert rule(Said("I can not help with that.", refused=True), row) == Refused()


@pytest.mark.parametrize(
    ("rule", "row", "why"),
    [
        (rules.exact(), {}, "no right answer in a field `answer`"),
        (rules.exact("solution"), {"answer": "C"}, "no right answer in a field `solution`"),
        *((rules.exact(), {"answer": nothing}, "no right answer") for nothing in (None, "", "  ", [], [None, ""])),
        (rules.numeric(), {"answer": "many"}, "'many' is no number"),
        (rules.choice("AB"), {"answer": "C"}, "'C' is none of the labels A, B"),
    ],
)
def test_a_row_that_does_not_say_what_is_right_is_no_score(rule: Rule, row: dict[str, Any], why: str) -> None:
    for said in (Said("C"), Said(None), Said("No.", refused=True)):
        outcome = rule(said, row)
        assert isinstance(outcome, Unknown)
        assert why in outcome.why


def test_what_the_pipeline_reads_counts_before_the_text() -> None:
    said = Said("First 8, then 9.\nAnswer: 7\n(10 minutes)", value="7", degraded=True)
    assert rules.numeric()(said, {"answer": "7"}) == Scored(1.0, degraded=True)
    assert rules.contains()(said, {"answer": "8"}) == Scored(1.0, degraded=True)


def test_ours_are_found_by_name_with_their_options() -> None:
    assert rule_named("numeric", tolerance=1)(Said("8"), {"answer": 7}) == Scored(1.0)
    with pytest.raises(UnknownScorer, match=r"'matches' can not be made: .* is no regular expression"):
        rule_named("matches", pattern="(")
    with pytest.raises(UnknownScorer, match="'numeric' can not be made: a tolerance is not negative"):
        rule_named("numeric", tolerance=-1)
    with pytest.raises(UnknownScorer, match=r"no scorer is called 'exakt': there are ceb, .*; did you mean `exact`\?$"):
        rule_named("exakt")


def test_each_scorer_is_named_once_and_none_left_out() -> None:
    with pytest.raises(UnknownScorer) as unknown:
        rule_named("nothing like it")
    assert str(unknown.value) == f"no scorer is called 'nothing like it': there are {', '.join(sorted(ALL))}"
    with pytest.raises(UnknownScorer, match="'wins' is no rule: it asks a model that grades"):
        rule_named("wins")


ALL = "exact numeric choice contains matches json_field just_eval mt_bench flask ceb wins".split()


def _half(answer: str, row: Any) -> float:
    return 0.5 if answer in row["answer"] else 0.0


def _loud(answer: str, row: Any) -> float:
    raise RuntimeError(answer)


def test_a_function_of_another_package_is_loaded_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        "half": EntryPoint("half", "tests.score.test_rules:_half", "smoadsl.scorers"),
        "gone": EntryPoint("gone", "tests.score.nowhere:f", "smoadsl.scorers"),
        "flat": EntryPoint("flat", "tests.score.test_rules:RIGHT", "smoadsl.scorers"),
    }

    def entry_points(group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == "smoadsl.scorers"
        return [point for key, point in points.items() if name in (None, key)]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert rule_named("half")(Said("an"), {"answer": "Danube"}) == Scored(0.5)
    with pytest.raises(UnknownScorer, match="'gone' of another package can not be loaded: ModuleNotFoundError"):
        rule_named("gone")
    with pytest.raises(UnknownScorer, match="'flat' of another package is no function"):
        rule_named("flat")
    with pytest.raises(UnknownScorer, match="'half' takes no options: strict"):
        rule_named("half", strict=True)
    with pytest.raises(UnknownScorer, match="there are ceb, choice, contains, exact, flask, flat, gone, half, "):
        rule_named("nothing like it")


def test_a_function_that_fails_is_counted_and_ends_nothing() -> None:
    assert function_rule("loud", _loud)(Said("x"), {}) == Unreadable("the scorer 'loud' failed: RuntimeError")
    for value in (2, -0.1, "good", None, float("nan")):
        outcome = function_rule("odd", lambda _answer, _row, value=value: value)(Said("x"), {})  # type: ignore[misc]
        assert isinstance(outcome, Unreadable)
    assert function_rule("true", lambda _answer, _row: True)(Said("x"), {}) == Scored(1.0)
    assert set(named.RULES) == {"exact", "numeric", "choice", "contains", "matches", "json_field"}
