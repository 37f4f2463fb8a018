"""Test papers, to hold the tables of the papers' README to the plans, and to what simulated models measure."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from smoadsl.language.check import Given
from smoadsl.plan.plan import Range, routes_of
from smoadsl.score.statistics import efficiency_ratio
from smoadsl.tools import api, cli
from tests.test_efficiency import measured

FOLDER = Path(__file__).parents[1] / "pipelines" / "papers"
README = FOLDER / "README.md"
PLANS = (
    "moa.moa:moa", "moa.moa:moa_gpt4o", "moa.moa:moa_lite", "smoa.moa", "smoa.moa k=4", "smoa.moa moderated=false",
    "smoa.moa cast=nobody", "baselines.moa:single", "baselines.moa:moa", "baselines.moa:debate", "self_moa.moa",
)  # fmt: skip
SMOA = ("agree=1", "agree=0.75", "agree=0.5", "k=4", "moderated=false", "cast=nobody")


def planned(row: str) -> Iterator[str]:
    """The row of a table that a plan makes."""
    what, _, param = row.partition(" ")
    file, _, name = what.partition(":")
    given = Given(params=dict([param.split("=")]) if param else {})
    plan = api.compile(FOLDER / file, name or None, given).value
    assert plan is not None
    assert plan.bounds is not None
    shown = f"`{what}`" + (f" `--set {param}`" if param else "")
    bounds = plan.bounds
    yield f"| {shown} | {spread(bounds.calls)} | {bounds.tokens.full:,} | {spread(bounds.critical_path)} |"


def spread(figure: Range) -> str:
    return f"{figure.full:,}" if figure.least == figure.full else f"{figure.least:,} to {figure.full:,}"


def measurements() -> Iterator[str]:
    dense = measured("moa")
    rows = [("single.moa", measured("single")), ("moa.moa", dense), ("debate.moa", measured("debate"))]
    rows += [(f"smoa.moa` `--set {param}", measured("smoa", param)) for param in SMOA]
    for name, found in rows:
        tokens, time = efficiency_ratio(found.tokens, dense.tokens), efficiency_ratio(found.seconds, dense.seconds)
        stopped = f"{found.stopped:.0%}" if name.startswith("smoa") else "-"
        yield (
            f"| `{name}` | {found.right:.0%} | {found.calls:.1f} | {found.tokens:,.0f} | {tokens:.2f} | {time:.2f} "
            f"| {stopped} |"
        )


def test_the_tables_are_what_comes_of_the_files(accepting: bool) -> None:
    text = README.read_text(encoding="utf-8")
    made = text
    for mark, rows in {"plans": [line for row in PLANS for line in planned(row)], "measured": measurements()}.items():
        head, table = re.split(rf"(?<=<!-- {mark} -->\n)", made)
        first, second, rest = table.split("\n", 2)
        rest = rest[re.match(r"(\|.*\n)*", rest).end() :]  # type: ignore[union-attr]
        made = head + "\n".join([first, second, *rows, rest])
    if accepting:
        README.write_text(made, encoding="utf-8")
    assert made == text or accepting


def test_every_file_of_the_papers_is_in_the_table() -> None:
    named = {row.partition(" ")[0].partition(":")[0] for row in PLANS}
    assert {path.name for path in FOLDER.glob("*.moa")} - named == {"models.moa"}
    assert all(f"[`{name}`]({name})" in README.read_text(encoding="utf-8") for name in named)


def test_the_settings_are_the_papers() -> None:
    plan = api.compile(FOLDER / "smoa.moa").value
    assert plan is not None
    (layer,) = plan.pipeline.layers
    assert [route.model for agent in layer.agents for route in agent.does.routes] == [  # type: ignore[union-attr]
        "Qwen/Qwen2-72B-Instruct", "Qwen/Qwen1.5-72B-Chat", "mistralai/Mixtral-8x22B-Instruct-v0.1",
        "databricks/dbrx-instruct",
    ]  # fmt: skip
    assert layer.rounds == 2
    assert layer.judge is not None
    assert layer.judge.keep == 2
    assert {route.sampling.max_tokens for route in routes_of(plan)} == {2048}
    assert {agent.does.routes[0].sampling.temperature for agent in layer.agents} == {0.7}  # type: ignore[union-attr]


@pytest.mark.parametrize("boss", ["qwen2", "qwen15", "mixtral", "dbrx"])
def test_each_of_the_four_can_be_the_aggregator(boss: str) -> None:
    for name in ("smoa.moa", "baselines.moa"):
        pipeline = "moa" if name == "baselines.moa" else None
        plan = api.compile(FOLDER / name, pipeline, Given(params={"boss": boss})).value
        assert plan is not None
        assert plan.pipeline.aggregate.call.model == boss  # type: ignore[union-attr]


def test_links_and_lines() -> None:
    text = README.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (FOLDER / target).exists(), target
    assert all(len(line) <= 130 for line in text.splitlines() if not line.startswith("|"))


def test_the_commands_can_be_given() -> None:
    text = README.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith("smoadsl ")]
    assert len(lines) == 7
    for name, *words in lines:
        command = cli.main.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known
        for word in words:
            if ".moa" in word:
                path = Path(word.partition(":")[0])
                places = [folder / path for folder in (README.parents[2], FOLDER, FOLDER / "efficiency")]
                assert any(place.is_file() for place in places), word
