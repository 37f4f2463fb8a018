"""HTTP, to send one request over a provider's one session and end in a reading of the answer or in a fault."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import orjson

from smoadsl.adapters.address import checked_headers, endpoint
from smoadsl.adapters.base import JSON, Connection, Fault, FaultKind
from smoadsl.adapters.http_answer import Answer
from smoadsl.adapters.http_faults import COALESCED_BYTES, sending_fault, status_fault

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

T = TypeVar("T")

_OK = 200
_ERROR_BODY_LIMIT = 64 << 10
_ERROR_BODY_S = 5.0
_MOST_URLS = 1_000

SILENCE: ContextVar["asyncio.Timeout"] = ContextVar("silence")
"""How long a request waits for an answer: a timer that begins when the request has a connection."""


class Client:
    """One provider's session. It opens with the first request, inside the loop that then owns it."""

    def __init__(self, connection: Connection, headers: Mapping[str, str]) -> None:
        self._connection = connection
        self._headers = {**headers, **connection.headers}
        self._waits_for_ever = connection.watched and connection.first_byte_timeout_s >= connection.total_timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}

    def post(self, path: str, body: JSON, read: Callable[[Answer], Awaitable[T]]) -> Awaitable[T]:
        """Make one attempt, and hand the answer to `read` if its status is good."""
        return self._exchange("POST", path, encoded(self._connection, body), read)

    def get(self, path: str, read: Callable[[Answer], Awaitable[T]]) -> Awaitable[T]:
        """The same without a body."""
        return self._exchange("GET", path, b"", read)

    def _exchange(self, method: str, path: str, payload: bytes, read: Callable[[Answer], Awaitable[T]]) -> Awaitable[T]:
        answered = self._answered(method, path, payload, read)
        return answered if self._connection.watched else self._in_time(answered)

    async def _in_time(self, answered: Awaitable[T]) -> T:
        connection = self._connection
        total = asyncio.timeout(connection.total_timeout_s)
        try:
            async with total:
                return await answered
        except TimeoutError:
            if not total.expired():
                raise
        message = f"{connection.provider} did not finish within {connection.total_timeout_s:g} s"
        raise Fault(FaultKind.TIMEOUT, message, billed=True)

    async def _answered(self, method: str, path: str, payload: bytes, read: Callable[[Answer], Awaitable[T]]) -> T:
        url = self._url(path)
        response = await self._send(self._opened(), method, url, payload)
        answer = Answer(self._connection, response)
        try:
            if response.status != _OK or "Content-Encoding" in response.headers:
                await self._check(response)
            return await read(answer)
        except Fault as fault:
            fault.exchange = answer.exchange
            raise
        finally:
            response.close()  # does nothing to a connection whose answer was read to its end

    def _url(self, path: str) -> "URL":
        """The address of a path. Of each it is looked at once whether a key may go there."""
        if path not in self._urls:
            from yarl import URL

            if len(self._urls) >= _MOST_URLS:
                self._urls.clear()
            self._urls[path] = URL(endpoint(self._connection, path))
        return self._urls[path]

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:
            headers = checked_headers(self._connection.provider, self._headers)
            self._session = _session(headers, self._connection, self._waits_for_ever)
        return self._session

    async def _send(
        self, session: "aiohttp.ClientSession", method: str, url: "URL", payload: bytes
    ) -> "aiohttp.ClientResponse":
        """Send the request and wait for the head of the answer."""
        data = payload if len(payload) < COALESCED_BYTES else io.BytesIO(payload)  # aiohttp warns of large bytes
        silence: asyncio.Timeout | None = None
        try:
            if self._waits_for_ever:
                return await session.request(method, url, data=data or None, allow_redirects=False)
            silence = asyncio.timeout(None)  # begun by whoever connects, once the connection stands
            async with silence:
                SILENCE.set(silence)
                return await session.request(method, url, data=data or None, allow_redirects=False)
        except Fault:
            raise  # the resolver's
        except Exception as error:
            if silence is not None and silence.expired():
                name, waited = self._connection.provider, self._connection.first_byte_timeout_s
                fault = Fault(FaultKind.TIMEOUT, f"{name} gave no answer within {waited:g} s", billed=True)
            else:
                fault = sending_fault(self._connection, error, len(payload))
        raise fault

    async def _check(self, response: "aiohttp.ClientResponse") -> None:
        name, status = self._connection.provider, response.status
        if status in (200, 201):
            encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
            if encoding not in ("", "identity"):
                message = f"{name} sent a compressed answer, which was not asked for"
                raise Fault(FaultKind.BAD_BODY, message, billed=True)
        elif 200 <= status < 300:
            message = f"{name} answered without content (status {status})"
            raise Fault(FaultKind.EMPTY, message, status=status, billed=True)
        else:
            raise status_fault(self._connection, status, await _error_body(response), response.headers)


def _session(headers: Mapping[str, str], connection: Connection, waits_for_ever: bool) -> "aiohttp.ClientSession":
    import aiohttp

    from smoadsl.adapters.connecting import Connector
    from smoadsl.adapters.resolve import Resolver

    connects = aiohttp.TCPConnector if waits_for_ever else partial(Connector, connection.first_byte_timeout_s)
    return aiohttp.ClientSession(
        # Our own limits are the only queue: time spent in aiohttp's pool would count as the provider's silence.
        connector=connects(limit=0, resolver=Resolver(connection)),
        headers={
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # a gzip body that is cut short is taken for whole
            "User-Agent": "smoadsl",
            **headers,
        },
        timeout=aiohttp.ClientTimeout(total=None, connect=connection.connect_timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


async def _error_body(response: "aiohttp.ClientResponse") -> JSON:
    """What came with an error, if it can be had soon: the status counts, so nothing here may fail."""
    body = bytearray()
    try:
        async with asyncio.timeout(_ERROR_BODY_S):
            while len(body) < _ERROR_BODY_LIMIT and (chunk := await response.content.readany()):
                body += chunk
        if response.content_type == "text/plain":
            return body.decode(errors="replace")
        return orjson.loads(body)
    except Exception:
        return None


def encoded(connection: Connection, body: JSON) -> bytes:
    """A request's body as bytes, or a fault if it holds what no JSON can."""
    try:
        return orjson.dumps(body)
    except (TypeError, ValueError):
        pass
    message = f"the request to {connection.provider} holds something that JSON can not carry, such as half a character"
    raise Fault(FaultKind.LOCAL, message)
