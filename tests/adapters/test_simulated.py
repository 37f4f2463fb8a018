"""Test simulated, to hold models that are numbers to these, and to the same answer to the same question."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest

from smoadsl.adapters import contract, open_adapter
from smoadsl.adapters.base import Connection, Fault, FaultKind, Message, Reply, Request, Sampling
from smoadsl.adapters.contract import Subject
from smoadsl.adapters.dialect import Dialect
from smoadsl.adapters.simulated import Simulated
from smoadsl.adapters.simulated_reading import claim_of, quoted_in
from smoadsl.builtins import verdicts
from smoadsl.builtins.verdicts import Question
from smoadsl.runtime.render import fenced
from smoadsl.tools.virtual_clock import run_virtually

HERE = Connection("simulated", dialect=Dialect(n=True))
ROW: Mapping[str, Any] = {"answer": 7, "wrong": ["8", "6"]}
MANY = 400


def asked(question: str = "3 + 4?", above: str = "", given: Mapping[str, Any] = ROW, **extra: Any) -> Request:
    head = (Message("system", above),) if above else ()
    return Request("able", (*head, Message("user", question)), Sampling(2048, seed=0, extra=extra), given=given)


def answered(request: Request) -> Reply:
    return run_virtually(Simulated(HERE).complete(request))


def claims(make: Callable[[int], Request]) -> list[str | None]:
    """What so many different requests are answered."""

    async def all_of_them() -> list[str | None]:
        return [claim_of((await Simulated(HERE).complete(make(seed))).text) for seed in range(MANY)]

    return run_virtually(all_of_them())


def seeded(request: Request, seed: int) -> Request:
    return replace(request, sampling=replace(request.sampling, seed=seed))


def quoting(*texts: str) -> str:
    return fenced([{"agent": f"a{place}", "text": text} for place, text in enumerate(texts)])


CONTRACT = [check for check in contract.CHECKS if "fault" not in check.__name__ and "broken" not in check.__name__]


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_it_keeps_the_contract(check: contract.Check) -> None:
    async def main() -> None:
        await check(Subject(partial(open_adapter, "simulated"), HERE, HERE))

    asyncio.run(main())


def test_equal_requests_are_answered_equally_and_others_otherwise() -> None:
    request = asked()
    assert answered(request) == answered(request)
    others = [seeded(request, 1), replace(request, model="plain"), asked("4 + 3?"), asked(above="Be brief.")]
    assert len({answered(one).text for one in (request, *others)}) == 5
    assert answered(replace(request, tag="9")) == answered(request)


def test_several_answers_are_several_and_the_first_is_that_of_one() -> None:
    reply = answered(replace(asked(), n=5))
    assert len({choice.text for choice in reply.answers}) == 5
    assert reply.text == answered(asked()).text
    assert reply.usage.output_tokens == sum(-(-len(choice.text) // 4) for choice in reply.answers)
    assert not reply.usage.estimated


@pytest.mark.parametrize("skill", [0.0, 0.3, 0.8, 1.0])
def test_it_is_right_as_often_as_its_skill_says(skill: float) -> None:
    right = claims(lambda seed: seeded(asked(skill=skill), seed)).count("7") / MANY
    assert abs(right - skill) < 0.07


def test_what_is_wrong_is_one_of_the_wrong_answers() -> None:
    assert set(claims(lambda seed: seeded(asked(skill=0), seed))) == {"8", "6"}


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [("B", {"A", "C", "D"}), ("yes", {"no"}), (True, {"no"}), (12, {"11", "13", "22"}), ("Oslo", {"not Oslo"})],
)
def test_without_wrong_answers_they_are_of_the_same_kind(answer: object, wrong: set[str]) -> None:
    assert set(claims(lambda seed: seeded(asked(skill=0, given={"answer": answer}), seed))) == wrong


def test_without_a_row_the_right_answer_is_a_number_that_stays_the_same() -> None:
    said = set(claims(lambda seed: seeded(asked(skill=1, given={}), seed)))
    assert len(said) == 1
    assert str(said.pop()).isdecimal()


def test_it_copies_as_often_as_it_should_what_most_say() -> None:
    above = quoting("Answer: 6", "Answer: 8", "Hm.\nAnswer: 8", "I do not know.")
    found = Counter(claims(lambda seed: seeded(asked(above=above, skill=1, copies=0.4), seed)))
    assert set(found) == {"7", "8"}
    assert abs(found["8"] / MANY - 0.4) < 0.07


def test_models_that_are_alike_err_together() -> None:
    def together(alike: float) -> float:
        pairs = [
            [claim_of(answered(replace(asked(f"{n}?", skill=0.5, alike=alike), model=model)).text) for model in "ab"]
            for n in range(MANY)
        ]
        return sum(one == other for one, other in pairs) / MANY

    assert together(1.0) == 1
    assert together(0.0) < 0.5  # right together in a quarter, equally wrong in an eighth


def test_the_length_is_that_in_the_mean_and_cut_at_max_tokens() -> None:
    counts = [len(answered(seeded(asked(words=100), seed)).text.split()) for seed in range(MANY)]
    assert abs(sum(counts) / MANY - 102) < 6  # with the two words of the claim
    assert len(set(counts)) > 50
    short = replace(asked(words=100), sampling=Sampling(20, seed=0, extra={"words": 100}))
    reply = answered(short)
    assert (reply.finish, reply.usage.output_tokens) == ("length", 20)


def test_it_takes_its_time_on_the_loops_clock_and_streams_meanwhile() -> None:
    async def main(streamed: bool) -> tuple[float, list[str], Reply]:
        pieces: list[str] = []
        loop = asyncio.get_running_loop()
        begun = loop.time()
        request = asked(latency_s=60, words=50, spread=0)
        reply = await Simulated(HERE).complete(request, pieces.append if streamed else None)
        return loop.time() - begun, pieces, reply

    took_s, pieces, reply = run_virtually(main(True))
    assert took_s == pytest.approx(60 * 52 / 50)
    assert len(pieces) > 10
    assert "".join(pieces) == reply.text
    assert run_virtually(main(False))[0] == pytest.approx(took_s)


def test_one_that_takes_longer_than_it_may_is_a_timeout() -> None:
    slow = Simulated(replace(HERE, total_timeout_s=10))
    with pytest.raises(Fault) as caught:
        run_virtually(slow.complete(asked(latency_s=60)))
    assert caught.value.kind is FaultKind.TIMEOUT


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"skil": 1}, "no setting `skil`: there are skill, words"),
        ({"skill": 2}, "`skill` is a number from 0 to 1"),
        ({"words": "many"}, "`words` is a number from 1 to 20,000"),
        ({"copies": True}, "`copies` is a number"),
        ({"skill": float("nan")}, "`skill` is a number"),
    ],
)
def test_what_it_can_not_be_is_said(extra: dict[str, Any], said: str) -> None:
    with pytest.raises(Fault, match=said) as caught:
        answered(asked(**extra))
    assert caught.value.kind is FaultKind.LOCAL


# ---- as a judge, moderator, router


def judging(question: Question, seed: int = 0, *texts: str, given: Mapping[str, Any] = ROW, **extra: Any) -> Any:
    labels = question.labels
    quoted = fenced([{"agent": label, "text": text} for label, text in zip(labels, texts, strict=False)])
    prompt = f"Judge.\n\n{fenced([{'role': 'user', 'content': '3 + 4?'}])}\n\n{quoted}"
    request = seeded(asked(prompt, given=given, **extra), seed)
    return verdicts.read(question, answered(replace(request, schema=verdicts.schema(question))).text)


def test_as_a_judge_it_finds_what_is_right_as_often_as_it_sees_it() -> None:
    question = Question("rank", ("A", "B", "C"), keep=1)
    texts = ("Answer: 8", "Answer: 7", "Answer: 6")
    assert {judging(question, seed, *texts, skill=1).best for seed in range(50)} == {("B",)}
    blind = Counter(judging(question, seed, *texts, skill=0).best[0] for seed in range(MANY))
    assert all(abs(blind[label] / MANY - 1 / 3) < 0.08 for label in "ABC")


def test_as_a_judge_it_takes_the_majority_for_right_where_nobody_knows() -> None:
    question = Question("rank", ("A", "B", "C"), keep=2)
    found = judging(question, 0, "Answer: 1", "Answer: 2", "Answer: 2", given={}, skill=1)
    assert set(found.best) == {"B", "C"}


def test_its_scores_tell_right_from_wrong() -> None:
    question = Question("score", ("A", "B"), feedback=True, moderate=True)
    for seed in range(50):
        found = judging(question, seed, "Answer: 7", "Answer: 8", skill=1)
        assert found.scores["A"] in (4, 5)
        assert found.scores["B"] in (1, 2, 3)
        assert set(found.remarks) == {"A", "B"}
        assert found.stop is False


@pytest.mark.parametrize(
    ("texts", "agree", "stop"),
    [
        (("Answer: 7", "Answer: 7", "Answer: 8"), 0.6, True),
        (("Answer: 7", "Answer: 7", "Answer: 8"), 0.7, False),
        (("Answer: Oslo", "answer: oslo"), 1.0, True),
        (("Hm.", "Hm."), 0.5, False),
    ],
)
def test_as_a_moderator_it_stops_when_so_many_agree(texts: tuple[str, ...], agree: float, stop: bool) -> None:
    labels = tuple("ABC"[: len(texts)])
    assert judging(Question("moderate", labels), 0, *texts, agree=agree).stop is stop


def test_a_form_of_ones_own_is_filled() -> None:
    schema = {
        "type": "object",
        "properties": {
            "answer": {"type": "integer"},
            "sure": {"type": "boolean"},
            "grade": {"enum": ["low", "high"]},
            "steps": {"type": "array", "items": {"type": "string", "maxLength": 9}, "minItems": 2},
        },
    }
    found = orjson.loads(answered(replace(asked(skill=1), schema=schema)).text)
    assert found["answer"] == 7
    assert isinstance(found["sure"], bool)
    assert found["grade"] in ("low", "high")
    assert [len(step) <= 9 for step in found["steps"]] == [True, True]


def test_remarks_and_what_is_quoted_inside_a_text_are_no_responses() -> None:
    inner = fenced([{"agent": "b", "text": "Answer: 1"}])
    message = fenced([{"agent": "a", "text": f"{inner}\nAnswer: 2", "feedback": "Answer: 3"}])
    assert [(piece.name, claim_of(piece.text)) for piece in quoted_in(message)] == [("a", "2")]
