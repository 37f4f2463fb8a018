"""Test messages, to hold what each model is sent to what the language says of it: views, roles, fences, settings."""

import re
from dataclasses import dataclass

import pytest

from smoadsl.adapters.base import Message, Request
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.events import CallStarted, LayerSkipped, RoundStarted, StopChecked
from tests.scripts import Asked, made, pipeline, plainly, planned, run, verdict

_FENCE = re.compile(r"<<< ([^\n]+) \[([0-9a-f]{10})\]\n(.*?)\n>>> end of \1 \[\2\](?=\n\n|\n?\Z|\n)", re.DOTALL)


def decoded(text: str) -> list[tuple[str, str]]:
    """The fenced texts of a message, each with its name."""
    return [(name, inner) for name, _, inner in _FENCE.findall(text)]


def system_of(asked: Asked) -> str:
    first = asked.request.messages[0]
    return first.content if first.role == "system" else ""


# ---- agents and the aggregate


@dataclass(frozen=True, slots=True)
class Seen:
    """What an agent reads in a round: the references in their order, and its own response where that stands apart."""

    layers: str
    agent: str
    round: int
    references: tuple[str, ...]
    own: str = ""


TWICE = "layer one repeat 2 { propose a, b, c %s }"
JUDGED = "layer one repeat 2 {\n propose a, b, c %s\n judge j keep 2\n}"  # which keeps a and b
SEEN = {
    "nothing in the first round": Seen(TWICE % "", "a", 1, ()),
    "all": Seen(TWICE % "", "b", 2, ("a", "b", "c")),
    "all, said outright": Seen(TWICE % "sees all", "b", 2, ("a", "b", "c")),
    "all that the judge kept": Seen(JUDGED % "", "c", 2, ("a", "b")),
    "none": Seen(TWICE % "sees none", "b", 2, ()),
    "own": Seen(TWICE % "sees own", "b", 2, (), "b"),
    "own that the judge dropped": Seen(JUDGED % "sees own", "c", 2, ()),
    "peers": Seen(TWICE % "sees peers", "b", 2, ("a", "c"), "b"),
    "peers of one that the judge dropped": Seen(JUDGED % "sees peers", "c", 2, ("a", "b")),
    "ring": Seen("layer one repeat 2 { propose a, b, c, d sees ring(1) }", "a", 2, ("b", "d"), "a"),
    "named": Seen(TWICE % "sees [c, a]", "b", 2, ("a", "c")),
    "one of several": Seen('layer one repeat 2 { propose a * 3 sees ["a.2"] }', "a.3", 2, ("a.2",)),
    "named, itself among them": Seen(TWICE % "sees [b]", "b", 2, ("b",)),
}


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN.keys())
def test_what_an_agent_reads(seen: Seen) -> None:
    asked = made(seen.layers).of(seen.agent, seen.round)
    system = system_of(asked)
    before, _, after = system.partition("Your own previous response:")
    last = seen.round - 1
    assert decoded(before) == [(name, f"{name} in round {last}") for name in seen.references]
    assert decoded(after) == ([(seen.own, f"{seen.own} in round {last}")] if seen.own else [])
    assert bool(system) == bool(seen.references or seen.own)
    assert (f", {len(seen.references)} in all," in before) == bool(seen.references)  # never "0 responses"
    assert asked.texts[bool(system) :] == [("user", "hi")]


TALK = Conversation(
    (
        Message("system", "Be brief."),
        Message("user", "My name is Ada."),
        Message("assistant", "Hello."),
        Message("user", "What is it?"),
    )
)
TURNS = [("user", "My name is Ada."), ("assistant", "Hello."), ("user", "What is it?")]


def test_one_system_message_has_the_callers_words_the_role_and_the_template_in_this_order() -> None:
    made_ = made("layer one repeat 2 { propose a as doubting }", more='role doubting = "You doubt."', prompt=TALK)
    first, second = made_.of("a", 1), made_.of("a", 2)
    assert first.texts == [("system", "Be brief.\n\nYou doubt."), *TURNS]
    role, system = "Be brief.\n\nYou doubt.\n\n", system_of(second)
    assert system.startswith(role)
    assert decoded(system.removeprefix(role)) == [("a", "a in round 1")]
    assert second.texts[1:] == TURNS
    end = made_.of("aggregate")
    assert system_of(end).startswith("Be brief.\n\nBelow stand responses to the latest request, 1 in all,")
    assert "You doubt." not in system_of(end)
    assert end.texts[1:] == TURNS


def test_a_system_message_is_never_empty() -> None:
    assert made("", end="aggregate a").of("aggregate").texts == [("user", "hi")]
    assert made("layer one { propose a }").of("a").texts == [("user", "hi")]


def test_the_built_in_templates_are_rendered_only_for_references_an_authors_always() -> None:
    own = 'template own = """{{ role }}/{{ agent }}/{{ layer }}/{{ round }}/{{ prompt }}/{{ references | length }}"""'
    made_ = made(
        'layer one { propose a as ["R"] { template = own } }', "aggregate d { template = own }", own, prompt=TALK
    )
    assert made_.of("a").texts == [("system", "Be brief.\n\nR\n\nR/a/one/1/What is it?/0"), *TURNS]
    assert made_.of("aggregate").texts == [("system", "Be brief.\n\n/aggregate/one/1/What is it?/1"), *TURNS]


def test_the_aggregate_reads_what_went_on_in_declared_order() -> None:
    def script(call: CallStarted, request: Request) -> str:
        return verdict(call, request, ["c", "a"]) if call.purpose == "judge" else plainly(call, request)

    made_ = run(planned(pipeline("layer one {\n propose a, b, c\n judge j keep 2\n}")), script)
    assert decoded(system_of(made_.of("aggregate"))) == [("a", "a in round 1"), ("c", "c in round 1")]
    assert made_.of("aggregate").call.references == ("a", "c")


def test_remarks_reach_the_next_rounds_agents_behind_the_response_that_they_are_about() -> None:
    made_ = made("layer one repeat 2 {\n propose a, b sees peers\n judge j { feedback = true }\n}")
    before, _, after = system_of(made_.of("a", 2)).partition("Your own previous response:")
    assert decoded(before) == [("b", "b in round 1"), ("remarks on b", "remark for b")]
    assert decoded(after) == [("a", "a in round 1"), ("remarks on a", "remark for a")]
    assert decoded(system_of(made_.of("aggregate"))) == [("a", "a in round 2"), ("b", "b in round 2")]
    assert sum(asked.call.purpose == "judge" for asked in made_.asked) == 1


# ---- judges, moderators, routers


def test_a_judge_reads_one_user_message_that_quotes_the_conversation_and_every_response() -> None:
    asked = made("layer one {\n propose a, b, c\n judge j keep 1\n}", prompt=TALK).of("judge")
    ((role, text),) = asked.texts
    assert role == "user"
    *quoted, first, second, third = decoded(text)
    assert quoted == TURNS
    assert [name for name, _ in (first, second, third)] == ["A", "B", "C"]
    assert {label: f"{agent} in round 1" for label, agent in asked.call.labels.items()} == dict([first, second, third])
    assert not re.search(r"model-|\bgroq\b|\b[abc] \[", text), "a judge is told whose a response is"
    assert asked.request.schema is not None
    assert asked.request.schema["properties"]["best"]["items"]["enum"] == ["A", "B", "C"]


def test_the_order_is_hidden_by_chance_and_the_same_for_the_same_seed() -> None:
    moa = "layer one {\n propose a, b, c, d\n judge j keep 1\n}"
    orders = [tuple(made(moa, seed=seed).of("judge").call.labels.values()) for seed in (*range(8), *range(8))]
    assert orders[:8] == orders[8:]
    assert len(set(orders)) > 3
    plain = made(moa.replace("keep 1", "keep 1 { shuffle = false }")).of("judge").call.labels
    assert plain == {"A": "a", "B": "b", "C": "c", "D": "d"}


def test_a_moderator_reads_all_responses_of_the_round_also_those_that_were_dropped() -> None:
    moa = "layer one repeat 2 {\n propose a, b, c\n judge j keep 1\n stop when moderator(b)\n}"
    made_ = made(moa)
    ((role, text),) = made_.of("moderator").texts
    assert role == "user"
    assert [inner for _, inner in decoded(text)] == ["hi", "a in round 1", "b in round 1", "c in round 1"]
    assert made_.of("moderator").call.labels == {"A": "a", "B": "b", "C": "c"}
    assert decoded(system_of(made_.of("a", 2))) == [("a", "a in round 1")]


def test_when_asks_a_moderator_of_all_responses_of_the_last_round() -> None:
    made_ = made(
        "layer one {\n propose a, b\n judge j keep 1\n}\nlayer two when not moderator(b) { propose c }", prompt="q"
    )
    assert [inner for _, inner in decoded(made_.of("moderator").texts[0][1])] == ["q", "a in round 1", "b in round 1"]
    assert made_.of("c").call.layer == "two"


def test_a_fused_judge_is_asked_both_questions_while_the_second_is_open() -> None:
    moa = "layer one repeat 2 {\n propose a, b, c\n judge j keep 1\n stop when moderator(j)\n}"
    made_ = made(moa)
    first, second = made_.of("judge", 1), made_.of("judge", 2)
    assert "whether the discussion should stop" in first.texts[0][1]
    assert "whether the discussion should stop" not in second.texts[0][1]
    assert first.request.schema is not None
    assert second.request.schema is not None
    assert "stop" in first.request.schema["required"]
    assert "stop" not in second.request.schema["properties"]


def test_remarks_are_not_asked_for_where_no_round_follows() -> None:
    made_ = made("layer one repeat 2 {\n propose a, b, c\n judge j keep 1 { feedback = true }\n}")
    first, second = made_.of("judge", 1), made_.of("judge", 2)
    assert first.request.schema is not None
    assert second.request.schema is not None
    assert "remarks" in first.request.schema["required"]
    assert "remarks" in first.texts[0][1]
    assert "remarks" not in second.request.schema["properties"]
    assert "remarks" not in second.texts[0][1]


def test_remarks_do_not_leave_their_layer() -> None:
    layer = "layer one repeat 2 {\n propose a, b\n judge j { feedback = true }\n stop when %s\n}"
    alike = made(layer % "similarity > 0.1" + "\nlayer two { propose c }")
    assert decoded(system_of(alike.of("c"))) == [("a", "a in round 1"), ("b", "b in round 1")]
    assert decoded(system_of(made(layer % "similarity > 0.1").of("aggregate"))) == [
        ("a", "a in round 1"),
        ("b", "b in round 1"),
    ]


def test_moderators_are_asked_from_left_to_right() -> None:
    made_ = made("layer one repeat 2 {\n propose a, b\n stop when moderator(c) or moderator(b) or moderator(j)\n}")
    assert [asked.request.model for asked in made_.asked if asked.call.purpose == "moderator"] == [
        "model-c",
        "model-b",
        "model-j",
    ]


def test_a_repair_shows_the_reply_and_names_the_fault() -> None:
    def script(call: CallStarted, request: Request) -> str:
        return "B, of course" if call.purpose == "judge" and not call.repair else plainly(call, request)

    made_ = run(planned(pipeline("layer one {\n propose a, b\n judge j keep 1\n}")), script)
    first, again = (asked for asked in made_.asked if asked.call.purpose == "judge")
    assert again.texts[:2] == [*first.texts, ("assistant", "B, of course")]
    ((role, words),) = again.texts[2:]
    assert role == "user"
    assert "it is not one JSON object and nothing else" in words
    assert again.request.schema == first.request.schema


def test_a_router_is_told_who_could_answer_and_quotes_the_conversation() -> None:
    made_ = made(
        'layer one {\n propose a\n propose x = b\n propose c as ["You doubt."]\n activate 1 by router(j)\n}',
        prompt=TALK,
    )
    ((role, text),) = made_.of("router").texts
    assert role == "user"
    assert decoded(text) == TURNS
    assert "- a: a general assistant\n- x: Proofs.\n- c: You doubt." in text


def test_each_comparison_of_a_pair_shows_it_in_its_own_order() -> None:
    made_ = made("layer one {\n propose a, b, c\n judge pairwise(j) keep 1\n}")
    pairs = [tuple(asked.call.labels.values()) for asked in made_.asked if asked.call.purpose == "judge"]
    assert sorted(pairs) == [("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("c", "a"), ("c", "b")]
    for asked in made_.asked:
        if asked.call.purpose == "judge":
            shown = [f"{agent} in round 1" for agent in asked.call.labels.values()]
            assert [inner for _, inner in decoded(asked.texts[0][1])] == ["hi", *shown]


# ---- pipelines as agents

INNER = """
pipeline inner {
  layer within repeat 2 { propose c as ["You count."] }
  aggregate d
}
"""


def test_a_pipeline_that_is_an_agent_gets_the_conversation_with_its_role_in_the_system_prompt() -> None:
    made_ = made('layer one { propose inner as ["You doubt."] }', more=INNER, prompt=TALK)
    assert made_.of("inner/c", 1).texts == [("system", "Be brief.\n\nYou doubt.\n\nYou count."), *TURNS]
    assert system_of(made_.of("inner/aggregate")).startswith("Be brief.\n\nYou doubt.\n\nBelow stand responses")
    assert system_of(made_.of("aggregate")).startswith(
        "Be brief.\n\nBelow stand responses to the latest request, 1 in all,"
    )


def test_its_first_round_reads_what_the_agent_sees_and_its_second_its_own_first() -> None:
    made_ = made("layer one { propose a, b, c }\nlayer two { propose inner sees [c, a] }", more=INNER)
    assert decoded(system_of(made_.of("inner/c", 1))) == [("a", "a in round 1"), ("c", "c in round 1")]
    assert decoded(system_of(made_.of("inner/c", 2))) == [("c", "inner/c in round 1")]
    assert decoded(system_of(made_.of("aggregate"))) == [("inner", "inner/aggregate in round 2")]


def test_own_and_peers_are_seen_inside_in_declared_order() -> None:
    made_ = made("layer one repeat 2 { propose a, inner, b sees peers }", more=INNER)
    rounds = [asked for asked in made_.asked if asked.call.agent == "inner/c" and asked.call.round == 1]
    assert [name for name, _ in decoded(system_of(rounds[1]))] == ["a", "inner", "b"]


# ---- what is told of conditions


def test_conditions_are_told_with_the_values_that_decided_them_none_for_what_had_none() -> None:
    layers = """
layer one { propose a, b }
layer two when agreement > 0.5 {
  propose a, b
  judge score(j) keep 1
}
layer three repeat 2 when not (score.best > 4) and not moderator(c) {
  propose a
  stop when similarity > 0.9 or moderator(b)
}"""
    made_ = made(layers)
    (skipped,) = (event for event in made_.events if isinstance(event, LayerSkipped))
    assert (skipped.layer, skipped.values) == ("two", {"agreement": 0.0})
    begun = {(e.layer, e.round): e.values for e in made_.events if isinstance(e, RoundStarted)}
    assert begun == {("one", 1): {}, ("three", 1): {"score.best": None, "moderator(c)": False}, ("three", 2): {}}
    (checked,) = (event for event in made_.events if isinstance(event, StopChecked))
    assert (checked.held, checked.values) == (False, {"similarity": 0.0, "moderator(b)": False})
