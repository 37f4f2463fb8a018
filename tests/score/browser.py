"""Browser, to open a page in a real one, without a window, and to say what became of it."""

import asyncio
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_MOST_S = 60.0


@dataclass(frozen=True, slots=True)
class Opened:
    """`requests` are all addresses that were asked for, `values` what the expressions came to in the page, and
    `took_s` how long it was until the page was loaded and drawn."""

    requests: tuple[str, ...]
    values: tuple[Any, ...]
    took_s: float


def opened(page: Path, folder: Path, *expressions: str) -> Opened:
    """Open a page, and read expressions in it. `folder` is the browser's own."""
    return asyncio.run(asyncio.wait_for(_opened(page, folder, expressions), _MOST_S))


async def _opened(page: Path, folder: Path, expressions: tuple[str, ...]) -> Opened:
    assert PROGRAM is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0"]
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *options, f"--user-data-dir={folder}", "about:blank", stdout=nowhere, stderr=nowhere
    )
    try:
        port = await asyncio.to_thread(_port, folder / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as reply:
                target = next(one for one in await reply.json() if one["type"] == "page")
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                return await _Tab(socket).open(page.as_uri(), expressions)
    finally:
        process.kill()
        await process.wait()


def _port(file: Path) -> int:
    """Once the browser has written it."""
    until = time.monotonic() + _MOST_S
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < until, "the browser did not start"
        time.sleep(0.05)
    return int(file.read_text().splitlines()[0])


class _Tab:
    """One tab, over the protocol of the browser's own tools."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._requests: list[str] = []

    async def open(self, address: str, expressions: tuple[str, ...]) -> Opened:
        await self._do("Network.enable")
        await self._do("Page.enable")
        begun = time.monotonic()
        await self._do("Page.navigate", url=address)
        await self._until("Page.loadEventFired")
        await self._do("Page.captureScreenshot")  # which waits until it is drawn
        took_s = time.monotonic() - begun
        values = [await self._do("Runtime.evaluate", expression=one, returnByValue=True) for one in expressions]
        return Opened(tuple(self._requests), tuple(value["result"].get("value") for value in values), took_s)

    async def _do(self, method: str, **params: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            said = await self._next()
            if said.get("id") == self._number:
                return said["result"]

    async def _until(self, method: str) -> None:
        while (await self._next()).get("method") != method:
            pass

    async def _next(self) -> Any:
        said = await self._socket.receive_json()
        if said.get("method") == "Network.requestWillBeSent":
            self._requests.append(said["params"]["request"]["url"])
        return said
