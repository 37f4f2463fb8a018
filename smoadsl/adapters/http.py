"""HTTP, to send one request over a provider's connections and end in a reading of the answer or in a fault."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from smoadsl.adapters.address import checked_headers, endpoint
from smoadsl.adapters.base import JSON, Connection, Fault, FaultKind
from smoadsl.adapters.http_answer import Answer, Coming, There, type_of
from smoadsl.adapters.http_faults import sending_fault, status_fault
from smoadsl.adapters.whole import Whole

if TYPE_CHECKING:
    from smoadsl.adapters.pool import Pool, Response, Target

T = TypeVar("T")

_GOOD = (200, 201)
_ERROR_BODY_LIMIT = 64 << 10
_ERROR_BODY_S = 5.0
_MOST_TARGETS = 1_000

_HEADERS = {
    "Content-Type": "application/json",
    "Accept-Encoding": "identity",  # a gzip body that is cut short is taken for whole
    "User-Agent": "smoadsl",
}


class Client:
    """One provider's pool of connections. It opens with the first request, inside the loop that then owns it."""

    def __init__(self, connection: Connection, headers: Mapping[str, str]) -> None:
        self._connection = connection
        self._headers = {**_HEADERS, **headers, **connection.headers}
        self._waits_for_ever = connection.watched and connection.first_byte_timeout_s >= connection.total_timeout_s
        self._pool: Pool | None = None
        self._targets: dict[tuple[str, str], Target] = {}

    def post(self, path: str, body: JSON | bytes, read: Callable[[Answer], Awaitable[T]]) -> Coroutine[Any, Any, T]:
        """Make one attempt, and hand the answer to `read` if its status is good. A body of bytes is JSON already."""
        payload = body if isinstance(body, bytes) else encoded(self._connection, body)
        return self._exchange("POST", path, payload, read)

    def get(self, path: str, read: Callable[[Answer], Awaitable[T]]) -> Coroutine[Any, Any, T]:
        """The same without a body."""
        return self._exchange("GET", path, b"", read)

    def _exchange(
        self, method: str, path: str, payload: bytes, read: Callable[[Answer], Awaitable[T]]
    ) -> Coroutine[Any, Any, T]:
        answered = self._answered(method, path, payload, read)
        return answered if self._connection.watched else self._in_time(answered)

    async def _in_time(self, answered: Coroutine[Any, Any, T]) -> T:
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
        pool, fault = self._opened(), None
        try:
            target = self._target(pool, method, path)
            link = pool.idle(target) or await pool.connect(target)
            sending = pool.send(link, target, payload)
            response = await (sending if self._waits_for_ever else self._soon(sending))
        except Fault:
            raise  # the resolver's
        except Exception as error:
            fault = sending_fault(self._connection, error)
        if fault is not None:
            raise fault  # out here, so that no exception that knows the request's headers is its context
        if isinstance(response, Whole):
            answer: Answer = There(self._connection, response)
        else:
            answer = Coming(self._connection, response)
        try:
            if not isinstance(response, Whole):
                await self._check(response)
            return await read(answer)
        except Fault as found:
            found.exchange = answer.exchange
            raise
        finally:
            answer.close()

    async def _soon(self, sending: "Coroutine[Any, Any, Response | Whole]") -> "Response | Whole":
        """The answer, or the head of it, if that comes in time."""
        name, within_s = self._connection.provider, self._connection.first_byte_timeout_s
        silence = asyncio.timeout(within_s)
        try:
            async with silence:
                return await sending
        except TimeoutError:
            if not silence.expired():
                raise
        raise Fault(FaultKind.TIMEOUT, f"{name} gave no answer within {within_s:g} s", billed=True)

    def _target(self, pool: "Pool", method: str, path: str) -> "Target":
        """Where a request goes. Of each path it is looked at once whether a key may go there."""
        key = method, path
        if key not in self._targets:
            if len(self._targets) >= _MOST_TARGETS:
                self._targets.clear()
            self._targets[key] = pool.target(method, endpoint(self._connection, path))
        return self._targets[key]

    async def aclose(self) -> None:
        pool, self._pool = self._pool, None
        self._targets.clear()
        if pool is not None:
            await pool.aclose()

    def _opened(self) -> "Pool":
        if self._pool is None:
            from smoadsl.adapters.pool import Pool

            self._pool = Pool(self._connection, checked_headers(self._connection.provider, self._headers))
        return self._pool

    async def _check(self, response: "Response") -> None:
        name, status = self._connection.provider, response.status
        if status in _GOOD:
            encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
            if encoding not in ("", "identity"):
                message = f"{name} sent a compressed answer, which was not asked for"
                raise Fault(FaultKind.BAD_BODY, message, billed=True)
        elif 200 <= status < 300:
            message = f"{name} answered without content (status {status})"
            raise Fault(FaultKind.EMPTY, message, status=status, billed=True)
        else:
            raise status_fault(self._connection, status, await _error_body(response), response.headers)


async def _error_body(response: "Response") -> JSON:
    """What came with an error, if it can be had soon: the status counts, so nothing here may fail."""
    body = bytearray()
    try:
        async with asyncio.timeout(_ERROR_BODY_S):
            while len(body) < _ERROR_BODY_LIMIT and (chunk := await response.content.readany()):
                body += chunk
        if type_of(response.headers) == "text/plain":
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
