"""HTTP faults, to turn a bad status, an error in a body or a library's exception into one fault, without secrets."""

import errno
import os
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from smoadsl.adapters.address import origin
from smoadsl.adapters.base import JSON, Connection, Fault, FaultKind
from smoadsl.adapters.limits import allowances_of
from smoadsl.adapters.reasons import reason_of, retry_delay_s
from smoadsl.adapters.words import one_line, redacted

if TYPE_CHECKING:
    import aiohttp

_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)
_DECIMAL = re.compile(r"[0-9]{1,10}(\.[0-9]{1,9})?")
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")

_MEANINGS = {
    400: "found the request wrong",
    402: "wants to be paid",
    404: "does not know what was asked for",
    408: "gave up waiting for the request",
    409: "met a conflict",
    413: "found the request too large",
    422: "found the request wrong",
    429: "limits the rate or the quota",
    500: "failed inside",
    501: "can not do this",
    502: "was not reached by its own gateway",
    503: "is not available",
    504: "was not answered in time behind its gateway",
    529: "is overloaded",
}

# An error that comes inside a good status has at most a word for a status: this is the status it stands for.
_WORD_STATUS = {
    "invalid_request_error": 400, "context_length_exceeded": 400, "content_policy_violation": 400,
    "invalid_argument": 400, "failed_precondition": 400, "authentication_error": 401, "invalid_api_key": 401,
    "unauthenticated": 401, "billing_error": 402, "permission_error": 403, "permission_denied": 403,
    "not_found_error": 404, "model_not_found": 404, "not_found": 404, "rate_limit_error": 429,
    "rate_limit_exceeded": 429, "insufficient_quota": 429, "resource_exhausted": 429, "api_error": 500,
    "unavailable": 503, "timeout_error": 504, "deadline_exceeded": 504, "overloaded_error": 529, "overloaded": 529,
}  # fmt: skip
_UNNAMED_STATUS = 500


def status_fault(connection: Connection, status: int, body: JSON, headers: Mapping[str, str]) -> Fault:
    """The fault for an error status. `body` is what came with it: JSON or text."""
    return _fault(connection, status, body, headers, billed=False)


def inner_fault(connection: Connection, body: JSON, billed: bool) -> Fault:
    """The fault for an error inside a body or a stream whose status was good."""
    return _fault(connection, _inner_status(body), body, {}, billed)


def _fault(connection: Connection, status: int, body: JSON, headers: Mapping[str, str], billed: bool) -> Fault:
    name, words = connection.provider, words_of_error(body)
    if 300 <= status < 400:
        target = origin(headers.get("Location", ""))
        said = f"{name} answered with a redirect to {target} (status {status}), which is not followed"
        words = ""  # a redirect's page repeats the target, query and all
    elif status in (401, 403):
        verb = "refused the key given for it" if connection.api_key else "wants a key, and none was given for it"
        said = f"{name} {verb} (status {status})"
    else:
        said = f"{name} {_MEANINGS.get(status, 'answered with an error')} (status {status})"
    shown = one_line(redacted(words, connection))
    message = f"{said}: {shown}" if shown else said
    return Fault(
        FaultKind.STATUS,
        message,
        status=status,
        retry_after_s=_first(retry_after_s(headers), _exhausted_s(status, headers), retry_delay_s(body, words)),
        billed=billed,
        reason=reason_of(status, body, words),
        should_retry={"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower()),
    )


def _exhausted_s(status: int, headers: Mapping[str, str]) -> float | None:
    """When the limit that a 429 is about will be there again; None where no header says that one is used up."""
    if status != 429:
        return None
    used_up = [a.reset_s for a in allowances_of(headers) if a.remaining == 0 and a.reset_s is not None]
    return max(used_up, default=None)


def _first(*hints: float | None) -> float | None:
    return next((hint for hint in hints if hint is not None), None)


def words_of_error(body: JSON) -> str:
    """The sentence for people in an error, which each provider puts somewhere else."""
    match body:
        case str():
            return body
        case {"error": {"message": str(words)}} | {"error": str(words)} | {"message": str(words)}:
            return words
        case {"detail": str(words)} | {"error": {"code": str(words)}} | {"error": {"type": str(words)}}:
            return words
        case [first, *_]:
            return words_of_error(first)
    return ""


def _inner_status(body: JSON) -> int:
    """The status that an error inside a body stands for."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return _UNNAMED_STATUS
    for word in (error.get("code"), error.get("status"), error.get("type")):
        number = int(word) if isinstance(word, str) and word.isascii() and word.isdecimal() and len(word) == 3 else word
        if type(number) is int and 300 <= number <= 999:
            return number
        if isinstance(word, str) and word.lower() in _WORD_STATUS:
            return _WORD_STATUS[word.lower()]
    return _UNNAMED_STATUS


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The provider's hint when to come back. Dates are read against the response's own clock, not against ours."""
    hint = headers.get("retry-after-ms", "").strip()
    if _DECIMAL.fullmatch(hint):
        return float(hint) / 1000
    hint = headers.get("Retry-After", "").strip()
    if _DECIMAL.fullmatch(hint):
        return float(hint)
    now = headers.get("Date", "").strip()
    if _HTTP_DATE.fullmatch(hint) and _HTTP_DATE.fullmatch(now):
        try:
            wait = (parsedate_to_datetime(hint) - parsedate_to_datetime(now)).total_seconds()
        except ValueError:
            return None
        return wait if wait >= 0 else None
    return None


def sending_fault(connection: Connection, error: Exception) -> Fault:
    """The fault for an exception that came before the head of an answer."""
    import aiohttp

    name, place = connection.provider, origin(connection.base_url)
    number = getattr(error, "errno", None)
    match error:
        case OSError() if number in _OUT_OF_RESOURCES:
            return Fault(FaultKind.LOCAL, f"this machine has no file handle or port left to reach {name}")
        case aiohttp.ConnectionTimeoutError():
            return Fault(FaultKind.NOT_SENT, f"{name} at {place} did not take the connection in time")
        case aiohttp.ClientConnectorDNSError():
            return Fault(FaultKind.NOT_SENT, f"the host of {name} at {place} was not found")
        case aiohttp.ClientSSLError():
            return Fault(FaultKind.NOT_SENT, f"{name} at {place} did not prove who it is (TLS): {_tls_reason(error)}")
        case aiohttp.ClientConnectorError():
            why = os.strerror(number).lower() if number else "no connection"
            return Fault(FaultKind.NOT_SENT, f"{name} at {place} can not be reached: {why}")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return Fault(FaultKind.LOCAL, f"the base_url of {name} can not be read as a URL")
        case aiohttp.ClientConnectionResetError():
            return Fault(FaultKind.NOT_SENT, f"{name} had closed the connection before the request was written")
        case aiohttp.ClientConnectionError():
            return Fault(FaultKind.NO_RESPONSE, f"{name} closed the connection without an answer", billed=True)
    # What is left is the parser's: aiohttp gives it a made-up status 400, which no provider ever sent.
    return Fault(FaultKind.PROTOCOL, f"{name} at {place} answered with something that is not readable HTTP")


def _tls_reason(error: "aiohttp.ClientSSLError") -> str:
    cause = error.certificate_error if hasattr(error, "certificate_error") else error.__cause__
    return one_line(str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "the handshake failed"))
