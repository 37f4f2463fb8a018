"""HTTP, to send one request over a provider's one session and end in a reading of the answer or in a fault."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from smoadsl.adapters.address import checked_headers, endpoint
from smoadsl.adapters.base import JSON, Connection, Exchange, Fault, FaultKind, Reply
from smoadsl.adapters.http_answer import Answer
from smoadsl.adapters.http_faults import COALESCED_BYTES, sending_fault, status_fault
from smoadsl.adapters.limits import allowances_of

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

_ERROR_BODY_LIMIT = 64 << 10
_ERROR_BODY_S = 5.0


class Client:
    """One provider's session. It opens with the first request, inside the loop that then owns it."""

    def __init__(self, connection: Connection, headers: Mapping[str, str]) -> None:
        self._connection = connection
        self._headers = {**headers, **connection.headers}
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: JSON, read: Callable[[Answer], Awaitable[T]]) -> T:
        """Make one attempt, and hand the answer to `read` if its status is good."""
        return await self._exchange("POST", path, encoded(self._connection, body), read)

    async def get(self, path: str, read: Callable[[Answer], Awaitable[T]]) -> T:
        """The same without a body."""
        return await self._exchange("GET", path, b"", read)

    async def _exchange(self, method: str, path: str, payload: bytes, read: Callable[[Answer], Awaitable[T]]) -> T:
        connection = self._connection
        url = endpoint(connection, path)
        session = self._opened()
        total = asyncio.timeout(connection.total_timeout_s)
        try:
            async with total:
                response = await self._send(session, method, url, payload)
                answer = Answer(connection, response)
                try:
                    await self._check(response)
                    result = await read(answer)
                except Fault as fault:
                    fault.exchange = _exchange(answer, response)
                    raise
                finally:
                    response.close()  # does nothing to a connection whose answer was read to its end
                return replace(result, exchange=_exchange(answer, response)) if isinstance(result, Reply) else result
        except TimeoutError:
            if not total.expired():
                raise
        message = f"{connection.provider} did not finish within {connection.total_timeout_s:g} s"
        raise Fault(FaultKind.TIMEOUT, message, billed=True)

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:
            headers = checked_headers(self._connection.provider, self._headers)
            self._session = _session(headers, self._connection)
        return self._session

    async def _send(
        self, session: "aiohttp.ClientSession", method: str, url: str, payload: bytes
    ) -> "aiohttp.ClientResponse":
        """Send the request and wait for the head of the answer."""
        silence = asyncio.timeout(None)  # the session starts it once the connection stands
        try:
            async with silence:
                data = (
                    payload if len(payload) < COALESCED_BYTES else io.BytesIO(payload)
                )  # aiohttp warns of large bytes
                return await session.request(
                    method, url, data=data or None, allow_redirects=False, trace_request_ctx=silence
                )
        except Fault:
            raise  # the resolver's
        except Exception as error:
            if silence.expired():
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


def _session(headers: Mapping[str, str], connection: Connection) -> "aiohttp.ClientSession":
    import aiohttp

    from smoadsl.adapters.resolve import Resolver

    async def on_connected(_session: object, context: Any, _params: object) -> None:
        silence: asyncio.Timeout = context.trace_request_ctx
        silence.reschedule(asyncio.get_running_loop().time() + connection.first_byte_timeout_s)

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(on_connected)
    return aiohttp.ClientSession(
        # Our own limits are the only queue: time spent in aiohttp's pool would count as the provider's silence.
        connector=aiohttp.TCPConnector(limit=0, resolver=Resolver(connection)),
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
        trace_configs=[trace],
    )


def _exchange(answer: Answer, response: "aiohttp.ClientResponse") -> Exchange:
    return Exchange(answer.received_bytes, allowances_of(response.headers))


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
