"""Rates, to measure how much of a provider's rate limit is used, over real sockets: `python -m benchmarks.rates`.

Prompts of 13 calls each (three layers of four, then the aggregate) are begun all at once, against a server on the
loopback that counts requests in fixed windows, in a sliding one, or by a bucket, and refuses with 429. It says how many
prompts were completed, how much of the possible rate was used, and how many requests were refused. A bucket that begins
full gives more than its rate at first. It takes about three minutes of a machine that does nothing else.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from time import process_time

from tests.calls.servers import COUNTINGS, Counting
from tests.calls.test_rates import Knowing
from tests.calls.test_real_rates import rated

HEAD = f"{'the rate is':<12} {'counted by':<11} {'allowed':>9} {'prompts':>9} {'used':>7} {'refused':>8} {'CPU':>7}"


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table, and the least share of the rate that it must reach."""

    knowing: Knowing
    per_s: int
    prompts: int

    @property
    def least(self) -> float:
        return 0.9 if self.knowing == "nothing" else 0.97

    @property
    def most_refused(self) -> float:
        return 1.0 if self.knowing == "nothing" else 0.01


CASES = (
    Case("declared", 100, 50),
    Case("headers", 100, 50),
    Case("nothing", 20, 50),
    Case("nothing", 100, 50),
    Case("nothing", 400, 200),
)
_WORDS = {"declared": "declared", "headers": "in headers", "nothing": "not told"}


def measured(case: Case, counting: Counting) -> bool:
    """Measure one case and print its line: whether it is as wanted."""
    began = process_time()
    went = rated(counting, case.knowing, case.prompts, case.per_s)
    cpu_s = process_time() - began
    is_well = went.completed == case.prompts and went.share >= case.least and went.refused < case.most_refused
    limit = f", refused < {case.most_refused:.0%}" if case.most_refused < 1 else ""
    print(
        f"{_WORDS[case.knowing]:<12} {counting:<11} {f'{case.per_s}/s':>9} {f'{went.completed}/{case.prompts}':>9}"
        f" {went.share:>7.1%} {went.refused:>8.2%} {cpu_s:>5.1f} s   used ≥ {case.least:.0%}{limit}"
        f"{'' if is_well else '  MISSED'}",
        flush=True,
    )
    return is_well


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if a line is not as wanted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rates", description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="only a rate of 100 requests a second, in fixed windows")
    short = parser.parse_args(arguments).short
    cases = [case for case in CASES if not short or case.per_s == 100]
    print(HEAD)
    lines = [measured(case, counting) for case in cases for counting in COUNTINGS[: 1 if short else None]]
    load, cores = os.getloadavg()[1], os.cpu_count() or 1
    busy = ", so these figures may be too low" if load > cores else ""
    print(f"load of the last minutes: {load:.1f} on {cores} cores{busy}")
    return 0 if all(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
