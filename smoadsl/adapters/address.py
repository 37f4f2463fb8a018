"""Address, to let a key travel only to a place, and in a header, that is fit for it."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from smoadsl.adapters.base import Connection, Fault, FaultKind

_UNFIT = frozenset(chr(code) for code in (*range(0x20), 0x7F))


def endpoint(connection: Connection, path: str) -> str:
    """The address of `path` below the provider's base URL, or a fault that says what is wrong with that URL."""
    base = connection.base_url
    where = f"the base_url of {connection.provider}"
    if not base:
        raise _local(f"{where} is not set")
    if any(char in _UNFIT or char.isspace() for char in base):
        raise _local(f"{where} holds a space or a control character")
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _local(f"{where} can not be read as a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise _local(f"{where} must start with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise _local(f"{where} holds a user name or password: give the key as the provider's key")
    if parts.query or parts.fragment:
        raise _local(f"{where} must not hold a query or a fragment")
    if parts.scheme == "http" and connection.api_key and not is_loopback(host):
        raise _local(f"{where} is http, which would send the key in the clear to {host}: use https")
    return base.rstrip("/") + path


def origin(url: str) -> str:
    """Scheme, host and port of a URL: what can be shown of an address that may carry secrets further on."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return "an unreadable address"
    if not parts.hostname:
        return "a path on the same host" if not parts.scheme else f"a {parts.scheme}: address"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}" if parts.scheme else f"//{host}{port}"


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_headers(provider: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers as they are, or a fault: a line break in one of them would let it forge others."""
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise _local(f"a header of {provider} has a name that HTTP does not allow")
        if _UNFIT.intersection(value):
            raise _local(f"the value for the header {name} of {provider} holds a line break or a control character")
        if not value.isascii():
            raise _local(f"the value for the header {name} of {provider} holds a character that is not ASCII")
    return dict(headers)


def _local(message: str) -> Fault:
    return Fault(FaultKind.LOCAL, message)
