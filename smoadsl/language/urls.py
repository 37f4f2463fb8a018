"""Urls, to say what is wrong with a base URL, and what a key that goes there is bound to."""

from urllib.parse import urlsplit

from smoadsl.adapters.address import is_loopback, is_private


def origin_of(url: str) -> str:
    """Scheme, host and port: what a key is bound to."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def to_this_machine(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def private_host(url: str) -> str:
    """The host of a URL that leads into a private network; empty for any other."""
    host = urlsplit(url).hostname or ""
    return host if is_private(host) else ""


def wrong_with_url(url: str) -> str:
    """What keeps a text from being a base URL; empty when nothing does."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return "it does not begin with `https://` or `http://`"
    if not parts.hostname or any(c.isspace() or not c.isprintable() for c in url):
        return "it names no host"
    if parts.username or parts.password:
        return "a user and password may not stand in it"
    if parts.query or parts.fragment:
        return "it has a query or a fragment"
    return "port 0 can not be reached" if port == 0 else ""
