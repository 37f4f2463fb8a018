"""Test language, to hold the compiler to what the corpus says of each small file: every diagnostic, or a plan."""

from pathlib import Path

import pytest

from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.language.check import Given
from smoadsl.plan.compile import analyse, compile
from smoadsl.plan.plan import Plan
from smoadsl.tools.reader import DiskReader, read_source
from tests.corpus_files import SOURCE, Case, accept, cases, pairs, said, shown

CASES = cases("language")


def compiled(case: Case) -> tuple[tuple[Diagnostic, ...], list[Plan]]:
    """All that is said about a case, and the plans of its pipelines. Nothing else here knows the compiler."""
    for name in case.texts:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(case.content(name))
    read = read_source(SOURCE)
    if read.value is None:
        return read.diagnostics, []
    options = case.given
    given = Given(pairs(options.set), pairs(options.model), pairs(options.base_url))
    reader = DiskReader(Path())
    if options.pipeline is not None:
        plan = compile(read.value, options.pipeline or None, given, reader)
        return plan.diagnostics, [plan.value] if plan.value else []
    program = analyse(read.value, given, reader)
    errors = any(one.severity is Severity.ERROR for one in program.diagnostics)
    names = program.value.main if program.value and not errors else ()
    plans = [compile(read.value, name, given, reader) for name in names]
    assert {plan.diagnostics for plan in plans} <= {program.diagnostics}, "compiling says other things than checking"
    assert all(plan.value for plan in plans), "a pipeline without mistakes has no plan"
    return program.diagnostics, [plan.value for plan in plans if plan.value]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_language(case: Case, accepting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    diagnostics, plans = compiled(case)
    now = sorted((said(diagnostic) for diagnostic in diagnostics), key=lambda one: (one.source, one.start, one.code))
    wanted = sorted(case.expected, key=lambda one: (one.source, one.start, one.code))
    as_wanted = len(now) == len(wanted) and all(one.fits(other) for one, other in zip(wanted, now, strict=True))
    if accepting and not as_wanted:
        accept(case, now)
    elif not as_wanted:
        assert shown(now) == shown(wanted)
        pytest.fail("a beginning of a message, or a help, is not as expected:\n" + shown(now))
    for plan in plans:
        assert Plan.model_validate_json(plan.model_dump_json()) == plan
