"""Address, to let a key travel only to a place, and in a header, that is fit for it."""

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from smoadsl.adapters.base import Connection, Fault, FaultKind

_PRIVATE_NAMES = (".internal", ".local", ".localdomain", ".lan", ".home", ".home.arpa", ".corp", ".intranet")
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
    if not connection.local and is_private(host):
        raise _local(f"{where} leads into a private network: declare the provider with local = true")
    if parts.scheme == "http" and connection.api_key and not is_loopback(host):
        raise _local(f"{where} is http, which would send the key in the clear to {host}: use https")
    return base.rstrip("/") + path


def origin(url: str) -> str:
    """Scheme, host and port of a URL, in one spelling: what a key is bound to, and what can be shown of an address that
    may carry secrets further on. A host of other letters is in those of DNS, so that none looks like another."""
    try:
        parts = urlsplit(url)
        usual = parts.port is None or (parts.scheme, parts.port) in (("https", 443), ("http", 80))
        port = "" if usual else f":{parts.port}"
        name = (
            (parts.hostname or "").encode("idna").decode() if not (parts.hostname or "").isascii() else parts.hostname
        )
    except ValueError:
        return "an unreadable address"
    if not name:
        return "a path on the same host" if not parts.scheme else f"a {parts.scheme}: address"
    host = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{host}{port}" if parts.scheme else f"//{host}{port}"


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine, whoever reads it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_private(host: str) -> bool:
    """Whether `host` is not of the open internet, and not this machine alone: an address of a private network, of a
    link (where clouds keep their metadata) or of nobody, or a name that no public name server gives."""
    address = _address(host)
    if address is not None:
        return not address.is_loopback and (not address.is_global or address.is_multicast)
    name = host.lower().rstrip(".")
    return not is_loopback(name) and ("." not in name or name.endswith(_PRIVATE_NAMES))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is written as, also in the notations that only a socket reads: `2130706433`, `0x7f.1`."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if not host[:1].isdigit():
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, ValueError):
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


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
