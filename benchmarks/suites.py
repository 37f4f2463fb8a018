"""Suites, to say what is measured: one function for each row of figures that the runtime is held to."""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.compare import Job, in_turn, server
from benchmarks.contender import Took
from benchmarks.ours import KEYS, source_of
from benchmarks.work import PROMPT, Work

_DELAYS_MS = (100, 200, 300, 400, 500, 600)
_AGGREGATE_MS = 200
_TO_BE_MEASURED = 0.001  # with a smaller share of the work, no figure means anything


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, what came out, and what it is held to."""

    suite: str
    what: str
    measured: str
    ratio: float | None = None
    most: float | None = None
    least: float | None = None

    @property
    def goal(self) -> str:
        if self.most is not None:
            return f"≤ {self.most:g}"
        return "" if self.least is None else f"≥ {self.least:g}"

    @property
    def is_met(self) -> bool | None:
        """None where there is no goal."""
        if self.ratio is None or (self.most is None and self.least is None):
            return None
        return self.ratio <= self.most if self.most is not None else self.ratio >= (self.least or 0.0)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: `runs` of each, and what share of the whole work."""

    runs: int = 5
    share: float = 1.0

    def of(self, prompts: int) -> int:
        return max(1, round(prompts * self.share))

    def ms(self, *delays_ms: int) -> tuple[int, ...]:
        """How long answers take: less where it is only to be seen that all runs."""
        return delays_ms if self.share >= _TO_BE_MEASURED else tuple(delay // 20 for delay in delays_ms)


Suite = Callable[[Size], list[Row]]


def calls(size: Size) -> list[Row]:
    """CPU of a call, beside all others that do the same calls."""
    work = Work(prompts=size.of(400))
    few = replace(work, prompts=size.of(40))  # whose calls take a millisecond and more
    jobs = {
        "by hand": Job("by hand", work),
        "smoadsl": Job("smoadsl", work),
        **{name: Job(name, few) for name in ("openai", "mixture-llm", "langgraph")},
    }
    took = in_turn(jobs, size.runs)
    base, ours = took["by hand"].us_a_call, took["smoadsl"].us_a_call
    rows = [_of_calls("calls", "by hand, aiohttp and nothing else", took["by hand"], base)]
    rows += [replace(_of_calls("calls", "smoadsl, everything on", took["smoadsl"], base), most=1.25)]
    for name, least in (("openai", 15.0), ("mixture-llm", None), ("langgraph", 20.0)):
        if name in took:
            rows.append(_of_calls("calls", name, took[name], base))
            rows.append(
                Row(
                    "calls", f"calls a second and core, smoadsl to {name}", "", took[name].us_a_call / ours, least=least
                )
            )
    return rows


def stream(size: Size) -> list[Row]:
    """CPU of a call whose answer is a stream of 200 events: all there at once, and in ten pieces."""
    rows: list[Row] = []
    for each_ms, how in ((0, "at once"), (1, "in ten pieces")):
        work = Work(prompts=size.of(1000), layers=0, streams=True, each_ms=each_ms)
        few = replace(work, prompts=size.of(60))
        jobs = {"by hand": Job("by hand", work), "smoadsl": Job("smoadsl", work), "openai": Job("openai", few)}
        took = in_turn(jobs, size.runs)
        base = took["by hand"].us_a_call
        of_each = [_of_calls("stream", f"{name}, 200 events {how}", one, base) for name, one in took.items()]
        rows += [replace(row, most=1.3) if row.what.startswith("smoadsl") else row for row in of_each]
    return rows


def prompt(size: Size) -> list[Row]:
    """The time of one prompt whose proposers take 100 to 600 ms."""
    work = Work(prompts=1, delays_ms=size.ms(*_DELAYS_MS), aggregate_ms=size.ms(_AGGREGATE_MS)[0])
    took = in_turn({"smoadsl": Job("smoadsl", work)}, size.runs)["smoadsl"]
    path_s = work.critical_path_s
    measured = f"{took.wall_s * 1000:,.0f} ms, critical path {path_s * 1000:,.0f} ms"
    return [Row("prompt", "one prompt of 13 calls: time to critical path", measured, took.wall_s / path_s, most=1.03)]


def crowd(size: Size) -> list[Row]:
    """The time of many prompts at once at a server that works on 64 requests at once."""
    slots, prompts = 64, size.of(200)
    work = Work(
        prompts=prompts,
        at_once=prompts,
        delays_ms=size.ms(*_DELAYS_MS),
        aggregate_ms=size.ms(_AGGREGATE_MS)[0],
        connections=slots,
    )
    took = in_turn({"smoadsl": Job("smoadsl", work)}, min(size.runs, 3), slots)["smoadsl"]
    least_s = max(work.served_s / slots, work.critical_path_s)
    measured = f"{took.wall_s:,.1f} s, the server's limit {least_s:,.1f} s"
    what = f"{prompts} prompts at once: time to what the server allows"
    return [Row("crowd", what, measured, took.wall_s / least_s, most=1.05)]


def growth(size: Size) -> list[Row]:
    """Whether a call becomes dearer the more there are."""
    few = Work(prompts=size.of(143), layers=1)
    jobs = {
        "few": Job("smoadsl", few),
        "many": Job("smoadsl", replace(few, prompts=few.prompts * 100)),
        "narrow": Job("smoadsl", replace(few, prompts=size.of(1430))),
        "wide": Job("smoadsl", replace(few, prompts=size.of(100), proposers=100)),
    }
    took = in_turn(jobs, min(size.runs, 3))
    rows = []
    for what, more, less in (("calls", "many", "few"), ("proposers", "wide", "narrow")):
        a, b = took[more], took[less]
        measured = f"{a.us_a_call:,.0f} µs, {b.us_a_call:,.0f} µs"
        numbers = f"{a.calls:,} against {b.calls:,}" if what == "calls" else "100 against 6"
        rows.append(Row("growth", f"CPU of a call, {numbers} {what}", measured, a.us_a_call / b.us_a_call, most=1.1))
    return rows


def flight(size: Size) -> list[Row]:
    """The memory of pipelines in flight, all at once, over 2,000 connections."""
    prompts = size.of(10_000)
    work = Work(
        prompts=prompts, at_once=prompts, layers=1, proposers=3, delays_ms=size.ms(1000), aggregate_ms=size.ms(1000)[0],
        connections=min(2_000, prompts),
    )  # fmt: skip
    took = in_turn({"smoadsl": Job("smoadsl", work)}, 1)["smoadsl"]
    each = took.memory_bytes / prompts / 1024
    measured = f"{took.memory_bytes / 2**20:,.0f} MiB, {took.wall_s:,.0f} s"
    what = f"{prompts:,} pipelines in flight over {work.connections:,} connections: KiB each"
    return [Row("flight", what, measured, each, most=64.0)]


def start(size: Size) -> list[Row]:
    """CPU of `smoadsl run` from its start to its end, with one prompt of 13 calls."""
    taken = []
    with server(1_000) as running, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "start.moa")
        file.write_text(source_of(Work(prompts=1), running.base_url), encoding="utf-8")
        command = [sys.executable, "-m", "smoadsl", "run", str(file), PROMPT.format(number=0)]
        environ = {**os.environ, **KEYS, "PYTHONPYCACHEPREFIX": folder}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        if size.share < _TO_BE_MEASURED:
            environ.pop("PYTHONPYCACHEPREFIX")  # whatever byte code there is
        else:
            subprocess.run(command, capture_output=True, check=True, env=environ)  # writes it, as installing does
        for _ in range(size.runs):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, env=environ)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    cpu_s = median(taken)
    return [
        Row(
            "start", "`smoadsl run`, one prompt of 13 calls: seconds of CPU", f"{cpu_s * 1000:,.0f} ms", cpu_s, most=0.3
        )
    ]


SUITES: dict[str, Suite] = {
    "calls": calls, "stream": stream, "prompt": prompt, "crowd": crowd, "growth": growth, "flight": flight,
    "start": start,
}  # fmt: skip


def _of_calls(suite: str, what: str, took: Took, base_us: float) -> Row:
    measured = f"{took.us_a_call:,.0f} µs CPU a call, {1e6 / took.us_a_call:,.0f} calls/s a core"
    return Row(suite, f"{what}: CPU to the loop by hand", measured, took.us_a_call / base_us)
