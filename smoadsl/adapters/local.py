"""Local, to let a model answer inside this process, where neither key nor server is at hand."""

import asyncio
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

import orjson

from smoadsl.adapters.base import Connection, Exchange, Fault, FaultKind, OnText, Reply, Request
from smoadsl.adapters.fitting import check_fits
from smoadsl.adapters.gather import Gathering
from smoadsl.adapters.http import encoded
from smoadsl.adapters.lines import Event
from smoadsl.adapters.openai import request_body
from smoadsl.adapters.openai_answer import CHAT
from smoadsl.adapters.weights import MODELS, weights_of
from smoadsl.adapters.words import one_line

_CORES = min(8, os.cpu_count() or 1)  # threads beyond that get in each other's way with so small a model
_SLOTS = min(4, _CORES)  # responses in the making at once; each takes 190 MB, and more of them than cores gain little
_CONTEXT = 8192  # tokens that each slot can hold: all that SmolLM2 was trained for
_BATCH = 256  # tokens read between two chances to stop: about a second on a small machine
_STARTED = b""
_SEED = 20240619  # for who names none: a demonstration should say the same thing twice

Take = Callable[[bytes], bool]


class _Runtime(Protocol):
    """What is used of `xllamacpp.Server`. `take` is given one event after another, and says True to stop."""

    def handle_chat_completions(self, body: bytes, take: Take) -> None: ...

    def handle_completions(self, body: bytes, take: Take) -> None: ...


class _Model:
    """One that is loaded. It has to end while there is an interpreter for its threads to end in: not when the last
    reference to it goes, which the frames of an exception may hold until the very end."""

    def __init__(self, runtime: _Runtime) -> None:
        self._runtime: _Runtime | None = runtime

    def answer(self, body: bytes, take: Take) -> None:
        assert self._runtime is not None, "its threads have ended before it did"
        self._runtime.handle_chat_completions(body, take)

    def end(self) -> None:
        """Stop, and give back the memory."""
        self._runtime = None


class Local:
    """Models in this process. Each is loaded once, with the first request for it, and in a thread of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._threads = ThreadPoolExecutor(_SLOTS, thread_name_prefix="smoadsl-local")
        self._loading: dict[str, asyncio.Task[_Model]] = {}
        self._stop = threading.Event()

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Make exactly one attempt. Cancelled, it returns at once, and the model stops within a batch of tokens."""
        check_fits("local", self._connection, request)
        chat = Gathering(self._connection, request, CHAT, on_text)
        # Each slot reads its prompt afresh: what an earlier call left there would change the last bits of the numbers.
        options = {"seed": _SEED, "cache_prompt": False, "return_progress": True}
        body = encoded(
            self._connection, {**options, **request_body(request, stream=True, dialect=self._connection.dialect)}
        )
        model = await self._model(request.model)
        total = asyncio.timeout(None)
        try:
            async with total:
                await self._generate(model, body, chat, total)
        except TimeoutError:
            if not total.expired():
                raise
            message = f"{request.model} did not finish within {self._connection.total_timeout_s:g} s"
            raise Fault(FaultKind.TIMEOUT, message) from None
        # It calls itself by its file, which is nobody's business.
        return replace(chat.reply(Exchange()), model=request.model)

    async def models(self) -> tuple[str, ...]:
        """The models that come as packages; the path of any .gguf file names one as well."""
        await asyncio.to_thread(_imported)
        return tuple(MODELS)

    async def aclose(self) -> None:
        """Stop what still runs, and give back threads and memory."""
        self._stop.set()
        if self._loading:
            await asyncio.wait(list(self._loading.values()))
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        for loading in self._loading.values():
            if not loading.cancelled() and loading.exception() is None:
                loading.result().end()
        self._loading.clear()

    async def _model(self, model: str) -> _Model:
        """The loaded model. A caller that leaves does not take it from the others that wait for it."""
        if self._stop.is_set():
            raise _closed(self._connection)
        loading = self._loading.get(model)
        if loading is None or loading.cancelled():
            loading = self._loading[model] = asyncio.create_task(asyncio.to_thread(_load, model))
            loading.add_done_callback(_look_at)
        try:
            return await asyncio.shield(loading)
        except Fault:
            if self._loading.get(model) is loading:
                del self._loading[model]  # so that the next call tries again
            raise

    async def _generate(self, model: _Model, body: bytes, chat: Gathering, total: asyncio.Timeout) -> None:
        """Run the model in a thread, and take its events here, on the loop's own."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[bytes | None] = asyncio.Queue()
        left = threading.Event()

        def post(event: bytes) -> bool:
            if left.is_set() or self._stop.is_set():
                return True
            loop.call_soon_threadsafe(events.put_nowait, event)
            return False

        def run() -> None:
            if not post(_STARTED):
                model.answer(body, post)

        job = loop.run_in_executor(self._threads, run)
        job.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                if event is _STARTED:  # only now, as waiting for a free slot is nobody's fault
                    total.reschedule(loop.time() + self._connection.total_timeout_s)
                else:
                    _take(event, chat)
        finally:
            left.set()
            job.cancel()
        if self._stop.is_set():
            raise _closed(self._connection)
        if error := job.exception():
            reason = one_line(str(error)).removeprefix("Unable to generate parser for this template. ")
            message = f"{self._connection.provider} can not follow the request: {reason}"
            raise Fault(FaultKind.STATUS, message, status=400)


def _take(event: bytes, chat: Gathering) -> None:
    if event.startswith(b'{"error"'):
        match orjson.loads(event):
            case {"error": {"type": "exceed_context_size_error", "n_prompt_tokens": count, "n_ctx": room}}:
                message = f"the prompt is {count} tokens long, and the embedded model can hold {room}"
                raise Fault(FaultKind.STATUS, message, status=400)
    chat.take_event(Event("", event.decode(errors="replace")))


def _load(model: str) -> _Model:
    """Load the weights, which takes half a second once they are here."""
    path = weights_of(model)
    xllamacpp = _imported()
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = _SLOTS
    params.n_ctx = _SLOTS * _CONTEXT
    params.n_batch = params.n_ubatch = _BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _CORES
    # With it, what else is in a batch changes the last bits of the numbers, and in the end the words.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_ram_mib = 0  # prompts are not read twice, and 8 GB of them must not pile up
    params.warmup = False
    params.verbosity = -1  # standard error is ours
    # It also listens on a port of the loopback, which can not be turned off: nobody knows the key to it.
    params.api_keys = [secrets.token_urlsafe(32)]
    params.ui = False
    params.n_threads_http = 1
    try:
        runtime: _Runtime = xllamacpp.Server(params)
    except RuntimeError:
        raise Fault(FaultKind.LOCAL, f"the weights in {path} can not be loaded: is it a whole GGUF file?") from None
    # Its end, should it come before its loop has begun, waits for ever. Once a word is written, the loop runs.
    runtime.handle_completions(b'{"prompt": "a", "n_predict": 1}', lambda _: False)
    return _Model(runtime)


def _imported() -> Any:
    # Where other work wants the cores too, threads that spin while they wait for each other slow it thirtyfold.
    # Its OpenMP reads this when it is loaded, and at no other time.
    eager = not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys()
    if eager:
        os.environ["GOMP_SPINCOUNT"] = "1000"
    try:
        import xllamacpp
    except ImportError as error:
        if error.name == "xllamacpp":
            message = "the embedded model needs the package xllamacpp: pip install 'smoadsl[local]'"
        else:
            message = f"the package xllamacpp is here but can not be loaded: {one_line(str(error))}"
        raise Fault(FaultKind.LOCAL, message) from None
    finally:
        if eager:
            os.environ.pop("GOMP_SPINCOUNT", None)
    return xllamacpp


def _closed(connection: Connection) -> Fault:
    return Fault(FaultKind.LOCAL, f"{connection.provider} was closed")


def _look_at(loading: "asyncio.Task[_Model]") -> None:
    """A loading that fails after all who waited for it have left fails in silence."""
    if not loading.cancelled():
        loading.exception()
