"""Test ray, to hold the engine to its promises on a real cluster: workers die, commands die, and nothing is lost.

Purchases are counted by a provider in a process of its own. Skipped where the extra `ray` is not installed.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from shutil import rmtree
from typing import Any

import orjson
import pytest

from tests.canary import files_that_show_it, shows_it
from tests.scale.cluster import KEY, ROOT, Cluster, running
from tests.scale.seller import Seller, environ_with_key, selling

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")

CALLS = 3  # of each row
_WIDEST = 2  # so many of them at once
_PATIENCE_S = 90.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running() as cluster:
        yield cluster
        assert not files_that_show_it(cluster.folder)


@dataclass(slots=True)
class Shop:
    """A run against a seller. `sold` are all calls that it has taken money for."""

    folder: Path
    seller: Seller
    cluster: Cluster
    rows: int = 0
    begun: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def write(self, rows: int, provider: str = "", layer: str = "propose m * 2") -> None:
        """A pipeline, and the rows that it is put to."""
        self.rows = rows
        text = f"""provider shop = openai {{ base_url = "{self.seller.url}/v1", api_key = env("{KEY}"){provider} }}
model m = "shop/small" {{ price = {{ input = $1, output = $1 }}, max_tokens = 20 }}
pipeline p {{
  layer one {{ {layer} }}
  aggregate m
}}
"""
        (self.folder / "p.moa").write_text(text)
        lines = [orjson.dumps({"prompt": f"row {number}"}) for number in range(rows)]
        (self.folder / "in.jsonl").write_bytes(b"\n".join(lines))

    def begin(self, *options: str) -> "Command":
        """The command, here or on the cluster."""
        on_cluster = ("--engine", "ray", "--ray-address", self.cluster.address)
        given = [*(on_cluster if options[:1] == ("ray",) else options[:1]), *options[1:]]
        files = [str(self.folder / name) for name in ("p.moa", "in.jsonl")]
        errors = self.folder / f"errors{next(self._numbers)}"
        with errors.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "smoadsl", "batch", *files, "-o", str(self.folder / "out.jsonl"), *given],
                env=self.cluster.environ if options[:1] == ("ray",) else environ_with_key(self.cluster.environ),
                cwd=ROOT,
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
            )
        self.begun.append(process)
        return Command(process, errors)

    def run(self, *options: str) -> "Command":
        """The command, to its end. What another has not yet let go of is waited for."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            command = self.begin(*options)
            command.process.wait(_PATIENCE_S)
            if "is in use" not in command.said or time.monotonic() > deadline:
                return command
            time.sleep(0.5)

    def until_sold(self, calls: int) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while len(self.seller.sold()) < calls:
            assert time.monotonic() < deadline, f"only {len(self.seller.sold())} calls came"
            time.sleep(0.01)

    def answers(self) -> list[Any]:
        """The rows of the output, each of which must be there once, in order, with an answer."""
        rows = [orjson.loads(line) for line in (self.folder / "out.jsonl").read_bytes().splitlines()]
        assert [row["prompt"] for row in rows] == [f"row {number}" for number in range(self.rows)]
        assert [row["smoadsl"]["row"] for row in rows] == list(range(1, self.rows + 1))
        assert all(row["smoadsl"]["answer"].endswith(row["prompt"]) and not row["smoadsl"]["error"] for row in rows)
        return rows

    def extra(self) -> int:
        """How many calls were bought beyond those that the rows need."""
        return len(self.seller.sold()) - CALLS * self.rows


@dataclass(slots=True)
class Command:
    process: subprocess.Popen[bytes]
    errors: Path

    @property
    def said(self) -> str:
        return self.errors.read_text()

    @property
    def may_be_paid_twice(self) -> int:
        found = re.search(r"at most ([\d,]+) answers were on their way", self.said)
        return int(found[1].replace(",", "")) if found else 0


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster) -> Iterator[Shop]:
    with selling(tmp_path / "seller", 0.05, cluster.environ) as seller:
        shop = Shop(tmp_path, seller, cluster)
        yield shop
        for process in shop.begun:  # of a test that failed: else those after it find the cluster busy
            process.kill()
            process.wait()


def test_workers_die_and_their_rows_are_done_again(shop: Shop) -> None:
    shop.write(300)
    command = shop.begin("ray", "--concurrency", "16")
    shop.until_sold(200)
    for worker in shop.cluster.workers():
        os.kill(worker, signal.SIGKILL)
    heads = _memory(shop.cluster.heads())
    assert command.process.wait(_PATIENCE_S) == 0, command.said
    shop.answers()
    assert 0 < command.may_be_paid_twice <= 16 * _WIDEST
    assert 0 <= shop.extra() <= command.may_be_paid_twice
    assert all(sold["key"] for sold in shop.seller.sold())
    assert heads, "the process that knows all tasks was not found"
    assert not any(map(shows_it, heads))
    lines = command.said.splitlines()
    assert re.fullmatch(r"300 answered · 900 calls · 13,500 tokens · \$0\.0\d+ in all", lines[0])
    assert len(lines) == 3, "Ray has said something"


def _memory(processes: list[int]) -> list[bytes]:
    """All that these processes hold in memory they may write to."""
    held = []
    for process in processes:
        with open(f"/proc/{process}/mem", "rb", buffering=0) as memory:
            for line in Path(f"/proc/{process}/maps").read_text().splitlines():
                span, rights, *_ = line.split()
                begin, end = (int(one, 16) for one in span.split("-"))
                if rights.startswith("rw"):
                    memory.seek(begin)
                    held.append(_read(memory, end - begin))
    return held


def _read(memory: Any, size: int) -> bytes:
    try:
        return bytes(memory.read(size))
    except OSError:
        return b""  # a part that was set aside and is not in use


def test_a_run_that_was_killed_here_goes_on_there_and_the_other_way_round(shop: Shop) -> None:
    shop.write(240)
    here = shop.begin("--concurrency", "8")
    shop.until_sold(120)
    here.process.kill()
    here.process.wait()
    there = shop.begin("ray", "--concurrency", "8")
    shop.until_sold(350)
    there.process.kill()
    there.process.wait()
    last = shop.run("--concurrency", "8")
    assert last.process.returncode == 0, last.said
    shop.answers()
    assert 0 < last.may_be_paid_twice <= 2 * 8 * _WIDEST
    assert 0 <= shop.extra() <= last.may_be_paid_twice
    assert "answered before" in last.said


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("ray::Desk", "keeps the ledger"),
        ("ray::flow", "hands out the rows"),
    ],
)
def test_one_that_all_need_dies_and_the_same_command_goes_on(shop: Shop, name: str, does: str) -> None:
    shop.write(150)
    command = shop.begin("ray", "--concurrency", "8")
    shop.until_sold(60)
    (process,) = shop.cluster.named(name)
    os.kill(process, signal.SIGKILL)
    assert command.process.wait(_PATIENCE_S) == 3, command.said
    assert command.said.splitlines() == [f"error: the process that {does} has died: the same command goes on"]
    again = shop.run("--concurrency", "8")
    assert again.process.returncode == 0, again.said
    shop.answers()
    assert 0 <= shop.extra() <= again.may_be_paid_twice <= 8 * _WIDEST


def test_a_node_is_lost_and_the_others_do_its_rows(tmp_path: Path) -> None:
    with running() as cluster, selling(tmp_path / "seller", 0.05, cluster.environ) as seller:
        shop = Shop(tmp_path, seller, cluster)
        shop.write(150)
        command = shop.begin("ray", "--concurrency", "8")
        shop.until_sold(100)
        os.kill(cluster.node_of(cluster.workers()[0]), signal.SIGKILL)
        assert command.process.wait(_PATIENCE_S) == 0, command.said
        shop.answers()
        assert 0 <= shop.extra() <= command.may_be_paid_twice <= 8 * _WIDEST


def test_ctrl_c_lets_the_rows_under_way_end_and_nothing_is_bought_twice(shop: Shop) -> None:
    shop.write(150)
    command = shop.begin("ray", "--concurrency", "8")
    shop.until_sold(60)
    command.process.send_signal(signal.SIGINT)
    assert command.process.wait(_PATIENCE_S) == 130, command.said
    assert "the same command goes on" in command.said
    assert len(shop.seller.sold()) < 300
    again = shop.run("--concurrency", "8")
    assert again.process.returncode == 0, again.said
    shop.answers()
    assert shop.extra() == 0
    assert again.may_be_paid_twice == 0


def test_told_to_terminate_it_ends_soon(shop: Shop) -> None:
    shop.write(150)
    command = shop.begin("ray", "--concurrency", "8")
    shop.until_sold(60)
    command.process.send_signal(signal.SIGTERM)
    assert command.process.wait(15) == 130, command.said
    assert "stopped at once" in command.said
    again = shop.run("--concurrency", "8")
    assert again.process.returncode == 0, again.said
    shop.answers()
    assert shop.extra() <= again.may_be_paid_twice <= 8 * _WIDEST


def test_a_rate_holds_for_all_workers_together(shop: Shop) -> None:
    shop.write(40, provider=", rate = 20/s", layer="propose m")
    command = shop.run("ray", "--concurrency", "32")
    assert command.process.returncode == 0, command.said
    shop.answers()
    at = sorted(sold["at"] for sold in shop.seller.sold())
    assert len(at) == 80
    most = max(Counter(sum(1 for other in at if one <= other < one + 1.0) for one in at))
    assert most <= 22  # a few more than 20, as what was sent evenly does not arrive so on a busy machine
    assert at[-1] - at[0] < 2.5 * (80 / 20)  # and the rate is used


def test_money_holds_for_all_workers_together(shop: Shop) -> None:
    shop.write(120, provider=", retries = 0")
    first = shop.run("ray", "--concurrency", "8", "--max-usd", "0.004")
    assert first.process.returncode == 3, first.said
    assert "of the money is left" in first.said
    spent = len(shop.seller.sold()) * 15 / 1e6
    assert 0 < spent <= 0.004
    again = shop.run("--concurrency", "8")
    assert again.process.returncode == 0, again.said
    shop.answers()
    assert shop.extra() == 0


def test_a_key_that_is_not_set_where_a_worker_runs_is_said_before_anything_is_bought(shop: Shop) -> None:
    shop.write(20)
    text = (shop.folder / "p.moa").read_text().replace(KEY, "NO_SUCH_KEY")
    (shop.folder / "p.moa").write_text(text)
    command = shop.run("ray")
    assert command.process.returncode == 3, command.said
    assert "set NO_SUCH_KEY" in command.said
    assert "each machine of the cluster" in command.said
    assert shop.seller.sold() == []


def test_more_workers_than_processors_are_refused(shop: Shop) -> None:
    shop.write(3)
    command = shop.run("ray", "--workers", "3")
    assert command.process.returncode == 3
    assert "--workers 3: the cluster has 2 processors" in command.said


def test_without_an_address_it_starts_a_cluster_of_its_own(shop: Shop) -> None:
    """By the options that the document on scale has."""
    shop.write(30)
    (line,) = (line for line in (ROOT / "docs/scale.md").read_text().splitlines() if line.startswith("smoadsl batch"))
    options = line[line.index("--engine") :].split()
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    environ = {name: value for name, value in shop.cluster.environ.items() if not name.startswith("RAY_AUTH")}
    environ = environ_with_key(environ) | {"RAY_TMPDIR": str(folder)}
    alone = Shop(shop.folder, shop.seller, Cluster("", folder, environ, 0), 30)
    command = alone.run(*options)
    assert command.process.returncode == 0, command.said
    alone.answers()
    assert alone.extra() == 0
    assert len(command.said.splitlines()) == 2, "Ray has said something"
    assert list(folder.rglob("gcs_server.out"))
    assert not files_that_show_it(folder)
    rmtree(folder)
