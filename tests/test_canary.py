"""Test canary, to plant the key in each place that is watched, and see the tests fail for it."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[1]
CONFTEST = "from tests.canary import no_key_is_left_behind, pytest_configure, pytest_runtest_makereport\n"
HEAD = """
import asyncio, base64, logging, subprocess, sys
import click
from click.testing import CliRunner
from tests.canary import CANARY
SAID = [sys.executable, "-c", "import sys; print(sys.argv[1])"]
async def later():
    program = await asyncio.create_subprocess_exec(*SAID, CANARY, stdout=subprocess.PIPE)
    await program.communicate()
"""
PLANTED = {
    "print(CANARY)": "Captured stdout call",
    "print(CANARY, file=sys.stderr)": "Captured stderr call",
    "logging.getLogger('x').debug('%s', CANARY)": "the log of x",
    "logging.getLogger('y').debug('y', extra={'headers': CANARY})": "the log of y",
    "(tmp_path / 'trace.jsonl').write_text(CANARY)": "the file trace.jsonl",
    "(tmp_path / CANARY).mkdir()": "the file CANARY-",
    "(tmp_path / 'a').mkdir(); (tmp_path / 'a/b').write_text(CANARY)": "the file a/b",
    "(tmp_path / 'base64').write_bytes(base64.b64encode(b'Bearer ' + CANARY.encode()))": "the file base64",
    "(tmp_path / 'base64-too').write_bytes(base64.b64encode(b'me' + CANARY.encode()))": "the file base64-too",
    "(tmp_path_factory.mktemp('all') / 'x').write_text(CANARY)": "all0/x",
    "CliRunner().invoke(click.Command('x', callback=lambda: click.echo(CANARY)))": "what a command printed",
    "subprocess.run([*SAID, CANARY], capture_output=True)": "what a program printed",
    "asyncio.run(later())": "what a program printed later",
}


@cache
def ran(*lines: str) -> tuple[int, str]:
    """Tests of one line each, in a process of their own: its canary is another than ours."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
        tests = (f"def test_{place}(tmp_path, tmp_path_factory): {line}\n" for place, line in enumerate(lines))
        (folder / "test_it.py").write_text(f"{HEAD}\n{''.join(tests)}", encoding="utf-8")
        options = ["-p", "no:xdist", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", name, "--basetemp"]
        command = [sys.executable, "-m", "pytest", *options, f"{name}/temp", name]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        return done.returncode, done.stdout


@pytest.mark.parametrize("line", PLANTED)
def test_a_leak_fails_the_tests(line: str) -> None:
    code, out = ran(*PLANTED)
    assert code == 1, out
    told = [said for said in out.splitlines() if "the canary key is in" in said]
    assert any(PLANTED[line] in said for said in told), out


def test_what_leaks_nothing_passes() -> None:
    code, out = ran("print('CANARY-')", "logging.debug('x')", "(tmp_path / 'x').write_text('x')", "assert CANARY")
    assert (code, "4 passed" in out) == (0, True), out
