"""Llama server, to have a real OpenAI-compatible server on the loopback, and to know each request that reached it.

`with llama_server() as server` starts llama.cpp's server (the one in xllamacpp) in a child process, with the embedded
model's weights. It keeps no log of requests, so a proxy in front of it does, and passes every byte on as it is.
"""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from smoadsl.adapters.weights import weights_of
from tests.canary import CANARY

MODEL = "smollm2-135m"
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it went to the server."""

    method: str
    path: str
    body: Any


@dataclass(slots=True)
class LlamaServer:
    """Where the server is, what it wants, and what it was sent so far."""

    base_url: str
    key: str = CANARY
    model: str = MODEL
    calls: list[Call] = field(default_factory=list)


@contextmanager
def llama_server() -> Iterator[LlamaServer]:
    """A running server. It and its proxy are gone afterwards."""
    command = [sys.executable, "-c", _CHILD, str(weights_of(MODEL)), CANARY, MODEL]
    patient = {**os.environ, "GOMP_SPINCOUNT": "1000"}  # as the local adapter does, and for its reason
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=patient) as child:
        assert child.stdin
        assert child.stdout
        try:
            address = urlsplit(child.stdout.readline().strip())
            if address.hostname is None or address.port is None:
                raise RuntimeError(f"the server did not start (exit code {child.wait()})")
            proxy = _Proxy(address.hostname, address.port)
            try:
                yield LlamaServer(f"{proxy.start()}/v1", calls=proxy.calls)
            finally:
                proxy.stop()
        finally:
            child.stdin.close()  # its sign to end; it also comes if this process is killed


_CHILD = """
import sys, xllamacpp
path, key, model = sys.argv[1:]
params = xllamacpp.CommonParams()
params.model.path, params.model_alias, params.api_keys = path, {model}, [key]
params.n_parallel, params.n_ctx, params.cache_ram_mib = 2, 2 * 8192, 0
params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
params.warmup, params.ui, params.verbosity = False, False, -1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # tests beside it want the other cores
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


class _Proxy:
    """Passes bytes both ways, in a thread of its own, and reads along in the requests."""

    def __init__(self, host: str, port: int) -> None:
        self.calls: list[Call] = []
        self._upstream = (host, port)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="llama-proxy")
        self._ready = threading.Event()

    def start(self) -> str:
        self._thread.start()
        assert self._ready.wait(_START_S)
        return self._url

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self._url = f"http://{host}:{port}"
        self._ready.set()
        async with server:
            await self._ended.wait()

    async def _meet(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        upstream, to_upstream = await asyncio.open_connection(*self._upstream)
        ways = [
            asyncio.ensure_future(_pass_on(client, to_upstream, _Log(self.calls))),
            asyncio.ensure_future(_pass_on(upstream, to_client, None)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the proxy stops
        finally:
            for way in ways:
                way.cancel()
            to_upstream.close()
            to_client.close()


async def _pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter, log: "_Log | None") -> None:
    try:
        while chunk := await source.read(1 << 16):
            if log:
                log.read(chunk)
            to.write(chunk)
            await to.drain()
    except ConnectionError:
        pass  # either side may leave as it likes


class _Log:
    """Finds the requests in what a client sends over one connection."""

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls
        self._bytes = b""

    def read(self, chunk: bytes) -> None:
        self._bytes += chunk
        while b"\r\n\r\n" in self._bytes:
            head, _, rest = self._bytes.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", "0"))
            if len(rest) < length:
                return
            method, path, _ = first.split(" ")
            self._calls.append(Call(method, path, orjson.loads(rest[:length]) if length else None))
            self._bytes = rest[length:]
