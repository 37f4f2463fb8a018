"""Contender, to be one client in a process of its own, and to say what its work took of this process alone.

`python -m benchmarks.contender CLIENT BASE_URL WORK` prints one JSON object. What is imported, opened and compiled once
is not counted: some prompts go before.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path

from benchmarks.loops import new_loop
from benchmarks.work import Answer, Work, all_of

CLIENTS = {
    "by hand": ("benchmarks.by_hand", "client"),
    "smoadsl": ("benchmarks.ours", "client"),
    "openai": ("benchmarks.peers", "openai_sdk"),
    "mixture-llm": ("benchmarks.peers", "mixture_llm"),
    "langgraph": ("benchmarks.peers", "langgraph"),
}
NOT_INSTALLED = 77
_WARM_UP_PROMPTS = 8

Opens = Callable[[Work, str], AbstractAsyncContextManager[Answer]]


@dataclass(frozen=True, slots=True)
class Took:
    """What the work of one process took. `memory_bytes` is by how much it grew at most."""

    calls: int
    cpu_s: float
    wall_s: float
    memory_bytes: int

    @property
    def us_a_call(self) -> float:
        return 1e6 * self.cpu_s / self.calls


async def measure(opens: Opens, work: Work, base_url: str) -> Took:
    """Do the work, and measure it."""
    async with opens(work, base_url) as answer:
        await all_of(replace(work, prompts=min(work.prompts, _WARM_UP_PROMPTS)), answer)
        look_less_for_garbage()
        memory, begun, cpu = _resident_bytes(), time.perf_counter(), cpu_taken_s()
        ended = await all_of(work, answer)
        cpu_s, wall_s = cpu_taken_s() - cpu, time.perf_counter() - begun
        assert len(ended) == work.prompts
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Took(work.calls, cpu_s, wall_s, max(0, most - memory))


def look_less_for_garbage() -> None:
    """As the `smoadsl` command does. Who makes many objects gains the more by it: so it is done for all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def cpu_taken_s() -> float:
    """The CPU time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident_bytes() -> int:
    """What this process holds now; where that is not told, the most that it held so far."""
    status = Path("/proc/self/statm")
    if status.is_file():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    name, base_url, work = sys.argv[1:]
    module, attribute = CLIENTS[name]
    told = json.loads(work)
    told["delays_ms"] = tuple(told["delays_ms"])
    opens: Opens = getattr(import_module(module), attribute)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        try:
            took = runner.run(measure(opens, Work(**told), base_url))
        except ModuleNotFoundError as missing:
            print(missing, file=sys.stderr)
            sys.exit(NOT_INSTALLED)
    print(json.dumps(asdict(took)))


if __name__ == "__main__":
    main()
