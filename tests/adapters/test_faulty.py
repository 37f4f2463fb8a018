"""Test faulty, to see every kind of fault come about, by a seed alone."""

import asyncio
from collections import Counter
from dataclasses import replace

from smoadsl.adapters.base import Fault, FaultKind, Reply, Request
from smoadsl.adapters.faulty import Faulty, Trouble
from smoadsl.adapters.scripted import Scripted
from tests.adapters.attempts import ACME, REQUEST

TEXT = "One two three four."


def outcomes(trouble: Trouble, seed: int = 1, count: int = 200, together: bool = False) -> list[tuple[str, str]]:
    """What became of each attempt, and what was shown of it."""
    adapter = Faulty(Scripted(lambda _: TEXT), ACME, seed, trouble)

    async def one(request: Request) -> tuple[str, str]:
        pieces: list[str] = []
        try:
            reply = await adapter.complete(request, pieces.append)
        except Fault as fault:
            return fault.kind.value, "".join(pieces)
        return reply.text, "".join(pieces)

    async def main() -> list[tuple[str, str]]:
        requests = [replace(REQUEST, model=f"m{number % 20}") for number in range(count)]
        if together:
            return list(await asyncio.gather(*map(one, requests)))
        return [await one(request) for request in requests]

    return asyncio.run(main())


def test_the_seed_decides_and_nothing_else() -> None:
    trouble = Trouble(0.5, delay_s=(0.0, 0.002))
    assert outcomes(trouble) == outcomes(trouble) == outcomes(trouble, together=True) != outcomes(trouble, seed=2)


def test_every_kind_comes_about_as_often_as_it_should() -> None:
    found = Counter(outcome for outcome, _ in outcomes(Trouble(0.5), count=2000))
    assert 900 < found.pop(TEXT) < 1100
    assert set(found) == {kind.value for kind in FaultKind} - {"length"}
    assert min(found.values()) > 50


def test_a_cut_shows_a_part_and_never_the_whole() -> None:
    cut = [shown for _, shown in outcomes(Trouble(1.0, (FaultKind.TRUNCATED, FaultKind.STALLED)))]
    assert all(TEXT.startswith(shown) and shown != TEXT for shown in cut)
    assert len(set(cut)) > 5
    assert {shown for _, shown in outcomes(Trouble(1.0, (FaultKind.TIMEOUT, FaultKind.EMPTY)))} == {""}


def test_a_status_has_its_hint_and_a_fault_its_bill() -> None:
    async def fault_of(trouble: Trouble) -> Fault | Reply:
        try:
            return await Faulty(Scripted(lambda _: TEXT), ACME, 1, trouble).complete(REQUEST)
        except Fault as fault:
            return fault

    limited = asyncio.run(fault_of(Trouble(1.0, (FaultKind.STATUS,), (429,), retry_after_s=3.0)))
    assert isinstance(limited, Fault)
    assert (limited.status, limited.retry_after_s, limited.billed) == (429, 3.0, False)
    assert "acme was made to fail (status)" in limited.message
    cut = asyncio.run(fault_of(Trouble(1.0, (FaultKind.TRUNCATED,))))
    assert isinstance(cut, Fault)
    assert (cut.status, cut.retry_after_s, cut.billed) == (None, None, True)


def test_without_trouble_nothing_fails() -> None:
    assert {outcome for outcome, _ in outcomes(Trouble(0.0))} == {TEXT}
