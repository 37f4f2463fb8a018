"""Test changed, to buy only what a change of the pipeline, the data or the seed touches."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Request
from smoadsl.adapters.scripted import Answer
from smoadsl.plan.plan import Plan
from smoadsl.scale.batch import Settings
from smoadsl.scale.ledger import Ledger, open_ledger
from smoadsl.scale.records import Job, Result
from smoadsl.scale.rows import Data, Row
from smoadsl.scale.sitting import Changed, Drained, Watch, plan_digest
from tests.scale.sat import ONE, TEAM, lines, plainly, questions, sat
from tests.scripts import planned

A, B, C, D = (f'{{"prompt": "{name}"}}' for name in "abcd")


def asked(folder: Path, data: Data, text: str = ONE, accept: bool = True, seed: int = 0) -> list[str]:
    """Sit, check that each row has its own answer, and say which prompts were bought, once for each call."""
    made = sat(folder, text, data, accept_changed=accept, settings=Settings(4, seed=seed))
    assert made.complete
    prompts = {row.number: data.turns(row)[0].prompt for row in data.rows()}
    assert {number: str(answer).rpartition(": ")[2] for number, answer in made.answers.items()} == prompts
    return sorted(request.messages[-1].content for request in made.requests)


# ---- the data


def test_a_change_is_refused_and_told(tmp_path: Path) -> None:
    assert asked(tmp_path / "run", lines(tmp_path / "in.jsonl", A, B)) == ["a", "b"]
    with pytest.raises(Changed) as refused:
        asked(tmp_path / "run", lines(tmp_path / "in.jsonl", A, C), accept=False)
    assert str(refused.value) == (
        f"the data changed since {tmp_path / 'run'} was begun: --accept-changed goes on, and buys only what the change "
        "touches; another output file begins anew"
    )
    assert asked(tmp_path / "run", lines(tmp_path / "in.jsonl", A, B), accept=False) == [], "nothing was done"


CHANGES: list[tuple[str, list[str], list[str], list[str]]] = [
    ("a row on top", [A, B], [C, A, B], ["c"]),
    ("a row in between", [A, B], [A, C, B], ["c"]),
    ("a row at the end", [A, B], [A, B, C], ["c"]),
    ("a row less", [A, B, C], [B, C], []),
    ("another order", [A, B, C], [C, A, B], []),
    ("a row twice", [A, B], [A, A, B], ["a"]),
    ("a row once", [A, A, B], [A, B], []),
    ("blank lines", [A, B], ["", A, "", "", B], []),
    ("all of them", [A, B], [C, D], ["c", "d"]),
    ("nothing left", [A, B], [], []),
]


@pytest.mark.parametrize(("before", "after", "bought"), [case[1:] for case in CHANGES], ids=[c[0] for c in CHANGES])
def test_only_rows_that_are_new_are_asked(
    tmp_path: Path, before: list[str], after: list[str], bought: list[str]
) -> None:
    path = tmp_path / "in.jsonl"
    assert len(asked(tmp_path / "run", lines(path, *before))) == len(before)
    assert asked(tmp_path / "run", lines(path, *after)) == bought
    assert asked(tmp_path / "run", lines(path, *after), accept=False) == [], "taken up once more"


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=8), min_size=2, max_size=4))
def test_whatever_becomes_of_the_data(opened: Ledger, versions: list[list[str]]) -> None:
    """Equal rows are as many rows: of each, so many more are to be asked as were not there just before; and never do
    two draw from the same chance."""
    name = str(next(_NAMES))
    before: Counter[str] = Counter()
    for version in versions:
        rows = [Row(number, text.encode(), text, lambda *_: {}) for number, text in enumerate(version, 1)]
        job = opened.take_on(Job(name, "", "".join(version), 0), rows)
        done = dict(opened.answered(job))
        left = [row for row in rows if row.number not in done]
        assert Counter(row.content for row in left) == Counter(version) - before
        assert {number: result.answer for number, _, result in opened.results(job)} == {
            row.number: row.content for row in rows if row.number in done
        }
        begun = [opened.begin(job, row, 0) for row in rows]
        assert len({one.salt for one in begun}) == len(rows)
        for row, one in zip(rows, begun, strict=True):
            if row in left:
                opened.end(one, Result(answer=row.content), None)
        opened._writer._turn(opened._writer._file)  # type: ignore[arg-type]
        before = Counter(version)


_NAMES = count()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """One ledger for many jobs, which writes when it is told to."""

    async def opening() -> Ledger:
        return open_ledger(tmp_path_factory.mktemp("run"), here=True)

    with asyncio.Runner() as runner:
        ledger = runner.run(opening())
        yield ledger
        runner.run(ledger.close())


def test_rows_that_are_broken_off_keep_what_they_bought_wherever_they_go(tmp_path: Path) -> None:
    """Not one of the rows has a result, all have the answers of their proposers, and then they move."""

    main: list[asyncio.Task[object]] = []
    aggregates = count(1)

    def begun(batch: Drained) -> None:
        task = asyncio.current_task()
        assert task is not None
        main.append(task)

    async def breaks_off(request: Request) -> Answer:
        if len(request.messages) > 1:
            if next(aggregates) == 6:
                main[0].cancel()
            await asyncio.Event().wait()
        return plainly(request)

    data = questions(tmp_path / "in.jsonl", 6)
    with pytest.raises(asyncio.CancelledError):
        sat(tmp_path / "run", TEAM, data, breaks_off, Settings(6), watch=Watch(begun=begun))
    content = data.path.read_text().splitlines()
    moved = lines(data.path, '{"prompt": "new"}', *reversed(content))
    made = sat(tmp_path / "run", TEAM, moved, accept_changed=True)
    assert made.complete
    proposals = [r.messages[-1].content for r in made.requests if len(r.messages) == 1]
    assert proposals == ["new"] * 3
    assert len(made.requests) == 3 + 7
    assert (made.books.broken, made.books.in_flight) == (1, 6 * 3)


# ---- the pipeline

CHEAP = TEAM.replace("$10", "$5")
OTHER_END = TEAM.replace("aggregate b", "aggregate a")
LONGER = TEAM.replace("max_tokens = 100", "max_tokens = 200", 1)
PIPELINES: list[tuple[str, str, int]] = [
    ("a new aggregate", OTHER_END, 1),
    ("a proposer more", TEAM.replace("b }", "b, c }") + 'model c = "groq/c"', 2),
    ("a price", CHEAP, 0),
    ("how often is tried", TEAM.replace("max_tokens = 100", "max_tokens = 100, retries = 7"), 0),
    ("a setting of two proposers", LONGER, 2),
    ("a comment", f"# nothing of it\n\n{TEAM}", 0),
]


@pytest.mark.parametrize(("text", "calls"), [case[1:] for case in PIPELINES], ids=[case[0] for case in PIPELINES])
def test_only_calls_that_are_new_are_made(tmp_path: Path, text: str, calls: int) -> None:
    data = questions(tmp_path / "in.jsonl", 5)
    assert len(sat(tmp_path / "run", TEAM, data).requests) == 5 * 4
    made = sat(tmp_path / "run", text, data, accept_changed=True)
    assert made.complete
    assert len(made.requests) == 5 * calls
    assert made.books.answers == 5 * (4 + calls)
    assert len(sat(tmp_path / "run", TEAM, data, accept_changed=True).requests) == 0, "and back again"


def test_where_a_pipeline_is_written_is_no_part_of_what_it_does() -> None:
    assert plan_digest(planned(TEAM)) == plan_digest(planned(f"\n\n# above\n{TEAM}"))
    for other in (CHEAP, OTHER_END, LONGER):
        assert plan_digest(planned(TEAM)) != plan_digest(planned(other))


@pytest.mark.parametrize("name", ["origin", "bounds", "decisions", "savings"])
def test_what_an_author_names_is_a_part_of_it(name: str) -> None:
    """Whatever the name is, which may be one of ours."""
    text = 'model a = "groq/a" {{ extra = {{ {name} = {value} }} }}\npipeline p {{ aggregate a }}'
    one, other = (plan_digest(planned(text.format(name=name, value=value))) for value in (1, 2))
    assert one != other


WHOLE_NUMBERS = """
provider shop = openai { base_url = "http://127.0.0.1:9/v1", rate = 60/min, timeout = 60s }
model m = "shop/small" {
  max_tokens = 20, temperature = 0, top_p = 1, min_p = 0, frequency_penalty = 1, presence_penalty = 0, ttft = 2s
  price = { input = $1, output = $2 }
}
pipeline p {
  budget { time = 60s, usd = $1, tokens = 100_000 }
  layer one repeat 3 {
    propose m * 3
    quorum 2 after 1s
    judge score(m) keep 2 { min_score = 2, dedupe = 1 }
    stop when agreement >= 1 or score.mean > 4
  }
  aggregate m
}
"""


def test_numbers_that_are_whole_are_the_same_where_the_plan_is_read_from_json() -> None:
    """So a process of a cluster takes it for what it is, and finds the answers that others bought."""
    plan = planned(WHOLE_NUMBERS)
    text = plan.model_dump_json()
    read = Plan.model_validate_json(text)
    assert plan_digest(read) == plan_digest(plan)
    assert read.model_dump_json() == text


def test_a_new_pipeline_is_refused_and_told(tmp_path: Path) -> None:
    data = questions(tmp_path / "in.jsonl", 2)
    sat(tmp_path / "run", TEAM, data)
    with pytest.raises(Changed, match=r"^the pipeline changed since "):
        sat(tmp_path / "run", OTHER_END, data)
    with pytest.raises(Changed, match=r"^the pipeline and the data and the seed changed since "):
        sat(tmp_path / "run", OTHER_END, questions(data.path, 3), settings=Settings(4, seed=1))


# ---- the seed


def test_another_seed_draws_all_anew(tmp_path: Path) -> None:
    data = questions(tmp_path / "in.jsonl", 3)
    assert len(asked(tmp_path / "run", data)) == 3
    assert len(asked(tmp_path / "run", data, seed=1)) == 3
    assert len(asked(tmp_path / "run", data, seed=0)) == 0, "both are kept"


def test_what_draws_nothing_by_chance_is_bought_once(tmp_path: Path) -> None:
    """For all rows that ask the same, and whatever the seed is."""
    certain = ONE.replace("max_tokens = 100", "max_tokens = 100, temperature = 0")
    data = lines(tmp_path / "in.jsonl", A, A, A, B)
    one_by_one = Settings(1)
    assert len(sat(tmp_path / "run", certain, data, settings=one_by_one).requests) == 2
    made = sat(tmp_path / "run", certain, data, accept_changed=True, settings=Settings(1, seed=5))
    assert (len(made.requests), made.complete) == (0, True)


def test_other_columns_are_other_rows(tmp_path: Path) -> None:
    rows = ('{"prompt": "a", "other": "x"}', '{"prompt": "b", "other": "y"}')
    data = lines(tmp_path / "in.jsonl", *rows)
    assert asked(tmp_path / "run", data) == ["a", "b"]
    mapped = Data(data.path, {"prompt": "other"})
    assert asked(tmp_path / "run", mapped) == ["x", "y"]
