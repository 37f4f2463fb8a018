"""Test benchmarks, to see that each of them runs and measures something: with little work, and no goal for time."""

import asyncio
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import compare, contender, rows, suites
from benchmarks.compare import Job
from benchmarks.contender import CLIENTS, Took
from benchmarks.loops import new_loop
from benchmarks.suites import SUITES, Row, Size
from benchmarks.work import Work

ROOT = Path(__file__).parent.parent
OWN = {"by hand", "smoadsl"}
in_another_process = compare.run


@pytest.fixture(autouse=True)
def only_ours(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peers take seconds to import; they have a test of their own. So does a client in another process."""

    def in_turn(jobs: dict[str, Job], runs: int, slots: int = 1_000) -> dict[str, Took]:
        return whole({name: job for name, job in jobs.items() if job.client in OWN}, runs, slots)

    def run(job: Job, base_url: str) -> Took:
        module, attribute = CLIENTS[job.client]
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(contender.measure(getattr(import_module(module), attribute), job.work, base_url))

    whole = compare.in_turn
    monkeypatch.setattr(suites, "in_turn", in_turn)
    if "flight" not in request.node.name:  # by how much a process grows is seen in a new one alone
        monkeypatch.setattr(compare, "run", run)
    monkeypatch.setattr(contender, "look_less_for_garbage", lambda: None)


@pytest.mark.parametrize("name", SUITES)
def test_a_benchmark_runs(name: str) -> None:
    rows = SUITES[name](Size(runs=1, share=0.0001))
    assert rows
    assert all(row.suite == name and row.ratio is not None and row.ratio > 0 for row in rows)
    assert any(row.goal for row in rows)


@pytest.mark.parametrize("client", sorted(OWN))
@pytest.mark.parametrize("streams", [False, True])
def test_a_client_makes_all_the_calls(client: str, streams: bool) -> None:
    work = Work(prompts=2, layers=1, proposers=2, streams=streams)
    with compare.server(100) as server:
        took = compare.run(Job(client, work), server.base_url)
    assert took.calls == 6
    assert took.cpu_s > 0
    assert server.served == 2 * 6  # as many to warm up


@pytest.mark.parametrize("client", sorted(CLIENTS.keys() - OWN))
def test_a_peer_makes_all_the_calls(client: str) -> None:
    with compare.server(100) as server:
        try:
            in_another_process(Job(client, Work(prompts=1, proposers=2)), server.base_url)
        except compare.NotInstalled as missing:
            pytest.skip(str(missing))
    assert server.served == 2 * 5


def test_what_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(job: Job, base_url: str) -> Took:
        if job.client == "openai":
            raise compare.NotInstalled("No module named 'openai'")
        return Took(10, 1.0, 2.0, 3)

    monkeypatch.setattr(compare, "run", run)
    took = compare.in_turn({"a": Job("openai", Work(1)), "b": Job("smoadsl", Work(1))}, 2)
    assert took == {"b": Took(10, 1.0, 2.0, 3)}
    assert "a is left out" in capsys.readouterr().err


def test_a_goal_is_met_or_not() -> None:
    assert Row("s", "w", "m", 1.2, most=1.25).is_met
    assert not Row("s", "w", "m", 1.3, most=1.25).is_met
    assert Row("s", "w", "m", 15.0, least=15.0).is_met
    assert not Row("s", "w", "m", 14.0, least=15.0).is_met
    assert Row("s", "w", "m", 14.0).is_met is None


def test_the_command_prints_a_table() -> None:
    command = [sys.executable, "-m", "benchmarks", "prompt", "--runs", "1", "--share", "0.0001"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "critical path" in said.stdout
    assert "≤ 1.03" in said.stdout


def test_rows_are_worked_through_and_counted() -> None:
    cost = rows.measured(calls=3, characters=400, rows=20)
    assert (cost.calls, cost.rows) == (3, 20)
    assert cost.cpu_s > 0
    assert cost.ledger_bytes > 20 * 3 * 400
