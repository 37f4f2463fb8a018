"""Test local, to see the embedded model for real: the true weights, the true runtime, in this process."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest

from smoadsl.adapters.base import Connection, Fault, FaultKind, Message, Request, Sampling
from smoadsl.adapters.local import Local
from smoadsl.adapters.weights import weights_of

pytest.importorskip("xllamacpp", reason="the embedded model runs in xllamacpp: pip install 'smoadsl[local]'")

T = TypeVar("T")
MODEL = "smollm2-135m"
PAIRS = [["A", "B"], ["A", "C"], ["B", "C"]]


def ask(text: str, max_tokens: int = 12, schema: dict[str, Any] | None = None, **sampling: Any) -> Request:
    return Request(MODEL, (Message("user", text),), Sampling(max_tokens, **sampling), schema)


class Embedded:
    """One adapter, loaded once for all these tests, on a loop that lives as long."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.adapter = Local(Connection("local"))

    def run(self, use: Callable[[Local], Coroutine[Any, Any, T]]) -> T:
        return self.runner.run(use(self.adapter))


@pytest.fixture(scope="module")
def embedded() -> Iterator[Embedded]:
    with asyncio.Runner() as runner:
        loaded = Embedded(runner)
        yield loaded
        runner.run(loaded.adapter.aclose())


async def fault_of(call: Awaitable[object]) -> Fault:
    with pytest.raises(Fault) as caught:
        await call
    return caught.value


def test_it_answers_streamed_and_whole_and_twice_the_same(embedded: Embedded) -> None:
    async def use(adapter: Local) -> None:
        pieces: list[str] = []
        threads = set[bool]()
        loop = asyncio.get_running_loop()

        def take(piece: str) -> None:
            threads.add(asyncio.get_running_loop() is loop)
            pieces.append(piece)

        streamed = await adapter.complete(ask("Tell me of the sea."), take)
        whole = await adapter.complete(ask("Tell me of the sea."))
        assert streamed == whole
        assert "".join(pieces) == whole.text
        assert len(pieces) > 3
        assert threads == {True}
        assert (whole.finish, whole.model) == ("length", MODEL)
        assert (whole.usage.input_tokens, whole.usage.output_tokens, whole.usage.estimated) == (36, 12, False)
        short = await adapter.complete(ask("Reply with one word: yes.", 40))
        assert short.finish == "stop"

    embedded.run(use)


def test_the_loop_is_free_and_what_runs_beside_changes_no_word(embedded: Embedded) -> None:
    async def use(adapter: Local) -> None:
        requests = [ask(f"Tell me of {what}." + " Be brief." * 5 * number, 8) for number, what in enumerate("abc")]
        alone = [(await adapter.complete(request)).text for request in requests]
        lags: list[float] = []

        async def watch() -> None:
            while True:
                start = time.monotonic()
                await asyncio.sleep(0.005)
                lags.append(time.monotonic() - start)

        watching = asyncio.create_task(watch())
        together = await asyncio.gather(*(adapter.complete(request) for request in reversed(requests)))
        watching.cancel()
        assert [reply.text for reply in reversed(together)] == alone
        assert max(lags) < 0.5

    embedded.run(use)


def test_the_seed_decides(embedded: Embedded) -> None:
    async def use(adapter: Local) -> list[str]:
        drawn: list[dict[str, Any]] = [{"seed": 1}, {"seed": 2}, {"seed": 1}, {}, {}]
        return [(await adapter.complete(ask("Write a poem.", 8, temperature=1.0, **how))).text for how in drawn]

    one, two, one_again, unset, unset_again = embedded.run(use)
    assert one == one_again != two
    assert unset == unset_again


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"enum": PAIRS}, lambda said: said in PAIRS),
        ({"enum": ["A B", "A C"]}, lambda said: said in ("A B", "A C")),
        ({"type": "integer", "minimum": 1, "maximum": 5}, lambda said: said in range(1, 6)),
        (
            {"type": "object", "properties": {"stop": {"type": "boolean"}}, "required": ["stop"]},
            lambda said: said["stop"] in (True, False),
        ),
    ],
    ids=["arrays", "strings", "integer", "object"],
)
def test_a_schema_binds(schema: dict[str, Any], fits: Callable[[Any], bool], embedded: Embedded) -> None:
    reply = embedded.run(lambda adapter: adapter.complete(ask("Write a poem about the sea.", 40, schema)))
    assert fits(orjson.loads(reply.text)), reply.text


def test_cancelled_it_returns_at_once_and_is_free_soon(embedded: Embedded) -> None:
    async def use(adapter: Local) -> None:
        came = asyncio.Event()
        reading = asyncio.create_task(adapter.complete(ask("word " * 2000)))
        writing = asyncio.create_task(adapter.complete(ask("Tell a long story.", 4000), lambda _: came.set()))
        waiting = [asyncio.create_task(adapter.complete(ask("Hello?"))) for _ in range(4)]
        await came.wait()
        start = time.monotonic()
        for call in (reading, writing, *waiting):
            call.cancel()
        await asyncio.wait([reading, writing, *waiting])
        assert time.monotonic() - start < 0.5
        assert reading.cancelled()
        assert writing.cancelled()
        async with asyncio.timeout(30):
            await adapter.complete(ask("Hello?"))

    embedded.run(use)


def test_the_time_runs_out() -> None:
    async def main() -> None:
        async with aclosing(Local(Connection("local", total_timeout_s=0.4))) as adapter:
            slow = await fault_of(adapter.complete(ask("Tell a long story.", 4000)))
            assert (slow.kind, slow.message) == (FaultKind.TIMEOUT, "smollm2-135m did not finish within 0.4 s")

    asyncio.run(main())


def test_closed_it_ends_what_runs() -> None:
    async def main() -> None:
        adapter = Local(Connection("local"))
        came = asyncio.Event()
        asked = ask("Tell a long story.", 4000)
        calls = [asyncio.create_task(fault_of(adapter.complete(asked, lambda _: came.set()))) for _ in range(6)]
        await came.wait()
        await adapter.aclose()
        for call in calls:
            assert (await call).message == "local was closed"
        assert (await fault_of(adapter.complete(ask("Hello?")))).message == "local was closed"
        await adapter.aclose()

    asyncio.run(main())


def test_what_can_not_be_done_is_said_in_a_sentence(tmp_path: Path, embedded: Embedded) -> None:
    (tmp_path / "cut.gguf").write_bytes(b"GGUF and no more")

    async def use(adapter: Local) -> None:
        long = await fault_of(adapter.complete(ask("word " * 9000)))
        assert long.message == "the prompt is 9031 tokens long, and the embedded model can hold 8192"
        assert (long.kind, long.status) == (FaultKind.STATUS, 400)
        schema = await fault_of(adapter.complete(ask("Hello?", schema={"type": "nonsense"})))
        assert schema.message.endswith("unrecognized type nonsense")
        assert (schema.kind, schema.status) == (FaultKind.STATUS, 400)
        unknown = await fault_of(adapter.complete(Request("gpt-4", ())))
        assert unknown.message.startswith("local has no model 'gpt-4': there is smollm2-135m")
        cut = await fault_of(adapter.complete(Request(f"{tmp_path}/cut.gguf", ())))
        assert cut.message.endswith("can not be loaded: is it a whole GGUF file?")
        half = await fault_of(adapter.complete(ask("half a character: \ud800")))
        assert half.kind is FaultKind.LOCAL

    embedded.run(use)


def test_without_the_runtime_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    weights_of(MODEL)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)

    async def main() -> Fault:
        async with aclosing(Local(Connection("local"))) as adapter:
            return await fault_of(adapter.complete(ask("Hello?")))

    fault = asyncio.run(main())
    assert fault.kind is FaultKind.LOCAL
    assert fault.message.endswith("pip install 'smoadsl[local]'")


WHOLE_RUN = """
import asyncio
from smoadsl.adapters import open_adapter
from smoadsl.adapters.base import Connection, Message, Request, Sampling
async def main():
    adapter = open_adapter("local", Connection("local"))
    request = Request("smollm2-135m", (Message("user", "Hello?"),), Sampling(4))
    if {interrupted}:
        call = asyncio.create_task(adapter.complete(request))
        await asyncio.sleep(0.1)
        raise SystemExit(7)
    await adapter.complete(request)
    await adapter.aclose()
asyncio.run(main())
"""


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_process_with_it_ends_clean(interrupted: bool) -> None:
    weights_of(MODEL)
    command = [sys.executable, "-W", "error", "-c", WHOLE_RUN.format(interrupted=interrupted)]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(command, capture_output=True, timeout=90, env={**os.environ, "PYTHONPATH": root})
    assert (done.returncode, done.stdout, done.stderr) == (7 if interrupted else 0, b"", b"")


def test_its_port_serves_nobody(embedded: Embedded) -> None:
    """xllamacpp always listens on the loopback as well: without the key, which nobody knows, it gives nothing."""

    async def use(adapter: Local) -> None:
        runtime: Any = (await adapter._model(MODEL))._runtime
        assert runtime.listening_address.startswith("http://127.0.0.1:")
        for path in ("/props", "/slots", "/v1/models", "/v1/chat/completions"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                await asyncio.to_thread(urllib.request.urlopen, f"{runtime.listening_address}{path}")
            assert caught.value.code in (401, 404)
            caught.value.close()

    embedded.run(use)


def test_it_is_over_once_it_is_closed_whoever_still_holds_it() -> None:
    """The frames of an exception do: a model that ran on while the process ended crashed it."""

    async def main() -> None:
        adapter = Local(Connection("local"))
        held = await adapter._model(MODEL)
        address = str(held._runtime.listening_address)  # type: ignore[union-attr]
        calls = [asyncio.create_task(adapter.complete(ask("Tell a long story.", 500))) for _ in range(3)]
        await asyncio.sleep(0.2)
        await adapter.aclose()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert {str(fault) for fault in ended} == {"local was closed"}
        with pytest.raises(urllib.error.URLError, match="refused"):
            await asyncio.to_thread(urllib.request.urlopen, f"{address}/props")

    asyncio.run(main())
