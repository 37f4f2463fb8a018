"""Test killed, to have exactly one output of each row and to buy next to nothing twice, whenever the command dies."""

import json
import re
from pathlib import Path
from random import Random

import pytest

from tests.scale.billing import CALLS, PIPELINE, USD, killed, shop

WORST = 32 * 2  # answers that are under way at once: rows times proposers


def test_a_run_that_is_killed_again_and_again(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    long = request.config.getoption("--profile") == "long"
    rows, kills = (10_000, 100) if long else (1_000, 20)
    random = Random(rows)
    with shop(tmp_path) as lab:
        lab.ask(rows)
        done = 0
        for moment in sorted(random.randrange(rows * CALLS) for _ in range(kills)):
            with lab.begin() as process:
                done += lab.wait(process, len(lab.sold) + 1) and lab.wait(process, moment)
                killed(process)
        code, said = lab.run()
        sold = len(lab.sold)
        again = lab.run()
        assert len(lab.sold) == sold, "nothing is bought by a run that is over"
    assert code == 0, said
    assert done == kills, "each was killed at its work"
    assert not (tmp_path / "out.jsonl.part").exists()
    output = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in output] == list(range(rows))
    assert all(row["smoadsl"]["answer"] == f"the answer to question {row['id']}" for row in output)
    (told,) = [line for line in said if "broke off" in line]
    match = re.fullmatch(
        r"(\d+) earlier sittings broke off: at most ([\d,]+) answers were on their way, and may be paid for twice", told
    )
    assert match is not None, told
    broken, in_flight = int(match[1]), int(match[2].replace(",", ""))
    assert broken == kills
    assert in_flight == kills * WORST
    extra = sold - rows * CALLS
    assert 0 < extra <= in_flight
    (books,) = [line for line in again[1] if "in all" in line]
    paid = float(books.rpartition("$")[2].removesuffix(" in all"))
    assert 0 <= sold * USD - paid <= extra * USD + 1e-4, "but for what was in flight the books are the server's"
    assert abs(paid - rows * CALLS * USD) < 1e-4, "whatever was acknowledged was bought once"
    print(f"{kills} kills, {rows} rows: {extra} answers bought twice of at most {in_flight}")


def test_a_limit_in_dollars_holds_whenever_the_command_dies(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Also for what was on its way then, which the server has sold and nobody here knows of."""
    kills = 60 if request.config.getoption("--profile") == "long" else 10
    most_usd, random = 0.012 * kills, Random(kills)
    with shop(tmp_path) as lab:
        lab.write(PIPELINE.format(url=lab.url).replace("max_tokens = 100", "max_tokens = 10, retries = 0"), "p.moa")
        lab.ask(80 * kills)
        options = ("--max-usd", str(most_usd), "--concurrency", "4")
        for _ in range(kills):
            before = len(lab.sold)
            with lab.begin(*options) as process:
                assert lab.wait(process, before + random.randint(2, 30))
                killed(process)
        code, said = lab.run(*options)
        sold = len(lab.sold)
    (told,) = [line for line in said if "broke off" in line]
    (books,) = [line for line in said if "in all" in line]
    paid = float(books.rpartition("$")[2].removesuffix(" in all"))
    assert code == 3, said
    assert "the next row may cost" in said[-1]
    assert re.search(r"; of a limit \$0\.\d+ is kept for them$", told), told
    assert sold * USD <= most_usd
    assert sold * USD > paid, "answers were on their way"
