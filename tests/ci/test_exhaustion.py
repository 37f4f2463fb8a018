"""Test exhaustion, to give the commands small files that would cost for ever, and see that they end and say so."""

import re
import signal
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from smoadsl.tools.cli import main
from smoadsl.tools.commands import test as test_command
from smoadsl.tools.cpu_limit import TookTooLong, cpu_limit

MODEL = 'model m = "groq/x"\n'


def nested(depth: int, width: int, layers: int = 1) -> str:
    """Pipelines as agents of pipelines, each many times."""
    text = MODEL + f"pipeline p0 {{\n  layer l {{ propose m * {width} }}\n  aggregate m\n}}\n"
    for number in range(1, depth):
        inside = "".join(f"  layer l{n} {{ propose p{number - 1} * {width} }}\n" for n in range(layers))
        text += f"pipeline p{number} {{\n{inside}  aggregate m\n}}\n"
    return text


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("p.moa")


def smoadsl(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.mark.parametrize(("depth", "width", "layers"), [(30, 10, 1), (10, 10, 30), (30, 2, 1), (30, 1, 2)])
def test_pipelines_that_multiply_are_told_and_not_unfolded(file: Path, depth: int, width: int, layers: int) -> None:
    file.write_text(nested(depth, width, layers), encoding="utf-8")
    for command in ("check", "plan", "test"):
        begin = time.process_time()
        done = smoadsl(command, str(file))
        assert time.process_time() - begin < 3
        assert done.exit_code == 1
        assert "error[MOA320]: one run of" in done.stderr


ENDLESS = {
    "an answer's pattern": 'pipeline p {\n  answer regex("(a+)+$")\n\n  layer l {\n    propose m * 2\n'
    "    judge   vote() keep 1\n  }\n\n  aggregate m\n}\n",
    "an expectation's pattern": "pipeline p {\n  aggregate m\n}\n",
    "a schema's pattern": 'pipeline p {\n  aggregate m {\n    output = json(file("s.json"))\n  }\n}\n',
    "rounds of rounds": "pipeline q {\n  layer l repeat 100 {\n    propose m * 10\n  }\n\n  aggregate m\n}\n\n"
    "pipeline p {\n  layer l repeat 100 {\n    propose q * 10\n  }\n\n  aggregate m\n}\n",
}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer of CPU time")
@pytest.mark.parametrize("what", ENDLESS)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is cut off anywhere
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_test_that_would_not_end_fails(what: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_command, "MOST_CPU_S", 0.5)
    Path("s.json").write_text('{"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}')
    reply = '{\\"a\\": \\"' + "a" * 40 + '!\\"}' if "schema" in what else "a" * 40 + "!"
    expect = '  expect answer matches "(a+)+$"\n' if "expectation" in what else ""
    tests = f'test "for ever" for p {{\n  prompt "hi"\n  reply  * "{reply}"\n{expect}}}\n'
    after = 'test "soon" for q {\n  prompt "hi"\n  reply  * "b"\n}\n\npipeline q {\n  aggregate m\n}\n'
    file.write_text("\n".join([MODEL, ENDLESS[what], tests, after if "rounds" not in what else ""]), encoding="utf-8")
    begin = time.process_time()
    done = smoadsl("test", str(file))
    assert time.process_time() - begin < 5
    assert done.exit_code == 1
    assert "FAIL  p.moa: for ever\n" in done.stdout
    assert "an end within 0.5 s of CPU time\n      it was still at work\n" in done.stdout
    assert ("pass  p.moa: soon\n" in done.stdout) == ("rounds" not in what), "what follows is rehearsed all the same"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer of CPU time")
def test_the_limit_is_of_its_block_alone() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with cpu_limit(60):
        assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0
    with pytest.raises(TookTooLong), cpu_limit(0.05):
        re.search("(a+)+$", "a" * 40 + "!")
    assert signal.getsignal(signal.SIGVTALRM) == before


def test_outside_of_the_main_thread_there_is_no_limit_and_no_error() -> None:
    ended: list[bool] = []

    def work() -> None:
        with cpu_limit(0.001):
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]
