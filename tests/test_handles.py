"""Test handles, to have as many rows under way as there may be connections, and to say where they are fewer."""

import resource
from typing import Any

import pytest

from smoadsl.diagnostics.source import Source
from smoadsl.plan.plan import Plan
from smoadsl.tools import api
from smoadsl.tools.handles import rows_at_once

TWO = 'model a = "groq/x"\nmodel b = "together/y"\npipeline p {\n layer one { propose a, a, b }\n aggregate b\n}'
FREE = 'model a = "simulated/x"\npipeline p { aggregate a }'


def planned(text: str) -> Plan:
    plan = api.compile(Source("p.moa", text)).value
    assert plan is not None
    return plan


@pytest.mark.parametrize(
    ("text", "limits", "hidden", "rows", "raised"),
    [
        (TWO, (1024, 4096), None, 100, None),  # 3 calls of a row, by two providers
        (TWO, (256, 4096), None, 100, 632),
        (TWO, (256, resource.RLIM_INFINITY), None, 100, 632),
        (TWO, (resource.RLIM_INFINITY, resource.RLIM_INFINITY), None, 100, None),
        (TWO, (256, 392), None, 60, 392),
        (TWO, (256, resource.RLIM_INFINITY), 400, 47, 316),
        (TWO, (16, 16), None, 1, None),
        (FREE, (16, 16), None, 100, None),
    ],
)
def test_rows_have_a_file_for_each_connection(
    text: str,
    limits: tuple[int, int],
    hidden: int | None,
    rows: int,
    raised: int | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_: list[int] = []

    def setrlimit(what: Any, wanted: tuple[int, int]) -> None:
        if hidden is not None and wanted[0] > hidden:
            raise ValueError("not allowed to raise maximum limit")
        set_.append(wanted[0])

    monkeypatch.setattr(resource, "getrlimit", lambda what: limits)
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert rows_at_once(100, [planned(text)]) == rows
    assert set_ == ([] if raised is None else [raised])
    said = capsys.readouterr().err
    assert ("rows are under way at once, not 100" in said) == (rows < 100)
