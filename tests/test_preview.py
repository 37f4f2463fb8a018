"""Test preview, to hold the messages that are shown before a run to those that a run sends."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from smoadsl.adapters.base import Message, Request
from smoadsl.plan.plan import Plan
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.events import CallStarted, Purpose
from smoadsl.runtime.executor import RunError
from smoadsl.runtime.preview import Preview, Shown, stand_in
from smoadsl.show.messages import messages_text
from smoadsl.tools import api
from smoadsl.tools.messages import TooManyCalls, preview
from tests.scripts import pipeline, planned, run

ROOT = Path(__file__).parent.parent
TALK = Conversation((Message("system", "Be brief."), Message("user", "Hello."), Message("assistant", "Hi."),
                     Message("user", "Why?")))  # fmt: skip
NESTED = """
model e = "groq/model-e"
role doubting = "You doubt."
pipeline q { layer inner { propose a, b
 judge j keep 1
 }
 aggregate e
}
"""
DECLARED = ("q", "a", "b", "c", "d", "m.1", "m.2", "m.3")
PLANS = {
    "one model": pipeline("", "aggregate a"),
    "a fused judge": pipeline("layer one repeat 3 { propose a, b, c\n judge j keep 2\n stop when moderator(j) }"),
    "a judge and a moderator, each alone": pipeline(
        "layer one repeat 3 { propose a, b, c\n judge j keep 2\n stop when moderator(d) }"
    ),
    "a moderator without a judge": pipeline("layer one repeat 2 { propose a, b sees peers\n stop when moderator(j) }"),
    "scores and remarks": pipeline(
        "layer one repeat 2 { propose a, b, c sees ring(1)\n"
        ' judge score(j) keep 2 { feedback = true, criteria = "Be kind." }\n}'
    ),
    "each pair": pipeline("layer one { propose a, b, c\n judge pairwise(j) keep 1 }"),
    "own words of the author": pipeline(
        "layer one repeat 2 { propose a, b { template = mine } }",
        "aggregate d { template = mine }",
        'template mine = "{{ layer }} {{ round }} {{ agent }} {{ role }} {{ references | fenced }} {{ own }}"',
    ),
    "a pipeline in a role": pipeline("layer out repeat 2 { propose q, c as doubting\n judge j keep 1 }", more=NESTED),
    "two layers": pipeline(
        "layer one { propose a, b }\nlayer two repeat 2 { propose c sees [a]\n propose d sees none }"
    ),
    "chance": pipeline("layer one { propose a, b, c\n activate 2 by random()\n judge random() keep 1 }"),
    "samples of one request": pipeline(
        "layer one repeat 2 { propose m * 3\n judge j keep 2 }", more='model m = "openai/gpt-4.1-mini"'
    ),
    "rounds that flow": pipeline("layer one repeat 3 { propose a, b sees own\n propose c sees [a] }"),
    "no call to judge": pipeline(
        "layer one repeat 2 { propose a, b, c\n judge consensus() keep 2 }", "aggregate vote()"
    ),
}  # fmt: skip


def sent(plan: Plan, conversation: Conversation) -> list[tuple[CallStarted, Request]]:
    """What a rehearsed run of the plan as it is sends when its replies are the placeholders."""

    def reply(call: CallStarted, request: Request) -> str:
        return stand_in(call, request, DECLARED)

    made = run(plan, reply, conversation)
    assert made.failed == ""
    return [(asked.call, asked.request) for asked in made.asked]


def shown_of(calls: Sequence[Shown], call: CallStarted) -> list[Shown]:
    """The calls that stand for one of a run."""
    return [
        shown
        for shown in calls
        if (shown.purpose, shown.agent) == (call.purpose, call.agent)
        and (call.purpose == "aggregate" or (shown.layer == call.layer and call.round in (shown.rounds or (0,))))
        and shown.labels == call.labels
    ]


@pytest.mark.parametrize("text", PLANS.values(), ids=PLANS.keys())
@pytest.mark.parametrize("conversation", [Conversation.of("hi"), TALK], ids=["a prompt", "a talk"])
def test_a_run_whose_replies_are_the_placeholders_sends_the_very_same_messages(
    text: str, conversation: Conversation
) -> None:
    plan = planned(text, "p")
    before = preview(plan, conversation)
    requests = sent(plan, conversation)
    for call, request in requests:
        assert (request.messages, request.sampling, request.schema) in [
            (shown.messages, shown.settings, shown.answer_schema) for shown in shown_of(before.calls, call)
        ]
    assert sum(shown.times for shown in before.calls) == len(requests)


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").glob("*.moa")), ids=lambda path: path.stem)
def test_each_pipeline_has_a_preview_of_as_many_calls_as_its_plan_has_in_full(path: Path) -> None:
    plan = api.compile(path).value
    assert plan is not None
    assert plan.bounds is not None
    calls = preview(plan, Conversation.of("Why is the sky blue?")).calls
    assert sum(call.times for call in calls) == plan.bounds.calls.full


# ---- what a reply would decide


def rounds_of(before: Preview, purpose: Purpose, agent: str) -> list[int]:
    return [n for call in before.calls if (call.purpose, call.agent) == (purpose, agent) for n in call.rounds]


@pytest.mark.parametrize(
    ("rule", "rounds", "moderated"),
    [
        ("agreement >= 0.1 or moderator(d)", [1, 2, 3], [1, 2]),
        ("agreement > 0 and not moderator(d)", [1, 2, 3], [1, 2]),
        ("round >= 2 or moderator(d)", [1, 2], [1]),
        ("round >= 2 and moderator(d)", [1, 2, 3], [2]),
        ("change < 1", [1, 2, 3], []),
    ],
)
def test_no_stop_rule_holds_but_by_the_round(rule: str, rounds: list[int], moderated: list[int]) -> None:
    plan = planned(pipeline(f"layer one repeat 3 {{ propose a, b\n stop when {rule} }}"))
    before = preview(plan, Conversation.of("hi"))
    assert rounds_of(before, "propose", "a") == rounds
    assert rounds_of(before, "moderator", "moderator") == moderated


def test_all_who_can_decide_are_asked_in_turn() -> None:
    rule = "moderator(c) and moderator(d)"
    before = preview(planned(pipeline(f"layer one repeat 2 {{ propose a, b\n stop when {rule} }}")), TALK)
    assert [call.model for call in before.calls if call.purpose == "moderator"] == ["c", "d"]


@pytest.mark.parametrize("rule", ["agreement > 0.9", "moderator(d)", "not moderator(d) and change > 0.5"])
def test_a_layer_that_may_run_is_shown(rule: str) -> None:
    before = preview(planned(pipeline(f"layer one {{ propose a, b }}\nlayer two when {rule} {{ propose c }}")), TALK)
    assert rounds_of(before, "propose", "c") == [1]
    assert bool(rounds_of(before, "moderator", "moderator")) == ("moderator" in rule)
    assert "The layer two is taken to run." in before.assumed


def test_each_agent_that_a_router_may_choose_is_shown() -> None:
    before = preview(planned(pipeline("layer one { propose a, b, c, d\n activate 2 by router(j) }")), TALK)
    proposers = [call.agent for call in before.calls if call.purpose == "propose"]
    assert proposers == ["a", "b", "c", "d"]
    assert [call.purpose for call in before.calls].count("router") == 1
    assert before.assumed == ("The router of layer one is taken to choose a, b; c, d are shown as if chosen next.",)


def test_the_writer_of_roles_is_shown() -> None:
    text = pipeline("layer one { propose a, b as panel }", more='roles panel = generate(j, 2) { task = "Explain." }')
    before = preview(planned(text), TALK)
    assert (before.calls[0].purpose, before.calls[0].agent) == ("roles", "panel")
    assert "The task: Explain." in before.calls[0].messages[0].content
    assert "You are assistant 1 of 2." in before.calls[1].messages[0].content
    assert "The roles of panel are not made yet" in before.assumed[-1]


def test_placeholders_are_no_answers_and_no_repetitions() -> None:
    """One that were read as a number would make all answers equal, and spare the judge."""
    text = pipeline(
        "answer number\nbudget { calls = 9 }\nlayer l1 repeat 2 { propose a, b\n judge j keep 1 { dedupe = 0.1 } }"
    )
    assert rounds_of(preview(planned(text), TALK), "judge", "judge") == [1, 2]


def test_rounds_that_are_alike_are_shown_once() -> None:
    before = preview(planned(pipeline("layer one repeat 4 { propose a, b }")), TALK)
    assert [call.rounds for call in before.calls if call.agent == "a"] == [(1,), (2, 3, 4)]
    assert "── propose a, layer one, rounds 2 to 4 ──" in messages_text(before)


def test_a_template_that_can_not_be_filled_is_an_error() -> None:
    more = 'template mine = "{{ references[7].text.upper() }}"'
    plan = planned(pipeline("layer one { propose a, b }", "aggregate d { template = mine }", more))
    with pytest.raises(RunError, match="template mine can not be filled"):
        preview(plan, TALK)


def test_there_is_a_limit() -> None:
    plan = planned(pipeline("layer one repeat 50 { propose " + "a * 50" + " }"))
    with pytest.raises(TooManyCalls, match="2,501 calls"):
        preview(plan, TALK)


# ---- for people


def test_it_fits_eighty_columns_and_steers_no_terminal() -> None:
    prompt = Conversation.of("\x1b[2J\u202e" + "word " * 60)
    shown = messages_text(preview(planned(PLANS["scores and remarks"]), prompt))
    assert max(map(len, shown.split("\n"))) <= 80
    assert "\x1b" not in shown
    assert "\\u001b[2J\\u202eword word" in shown


def test_of_many_pairs_two_are_shown() -> None:
    shown = messages_text(preview(planned(PLANS["each pair"]), TALK))
    assert shown.count("── judge, layer one, round 1 ──") == 2
    assert "… and 4 more of this judge: each pair of responses in both orders" in shown


def test_who_is_asked_and_how() -> None:
    more = 'model f = "groq/model-f" { fallback = a, stop = ["END"] }'
    shown = messages_text(preview(planned(pipeline("", "aggregate f", more)), TALK))
    assert "── aggregate ──" in shown
    assert "f = groq/model-f, else groq/model-a · max_tokens 2048 · stop ['END']" in shown
    assert "  assistant:\n    Hi.\n" in shown
