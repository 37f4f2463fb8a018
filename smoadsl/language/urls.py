"""Urls, to say what is wrong with a base URL, and whose network it leads into."""

from urllib.parse import urlsplit

from smoadsl.adapters.address import is_loopback, is_private


def to_this_machine(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def private_host(url: str) -> str:
    """The host of a URL that leads into a private network; empty for any other."""
    host = urlsplit(url).hostname or ""
    return host if is_private(host) else ""


def wrong_with_url(url: str) -> str:
    """What keeps a text from being a base URL; empty when nothing does."""
    if not url.strip():
        return "it is empty"
    if any(c.isspace() or not c.isprintable() for c in url):
        return "it has a space or a sign that can not be seen in it"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "its host can not be read"
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https"):
        return "it does not begin with `https://` or `http://`"
    if not parts.hostname:
        return "it names no host"
    if parts.username or parts.password:
        return "a user and password may not stand in it"
    if parts.query or parts.fragment:
        return "it has a query or a fragment"
    return "its port is no number from 1 to 65,535" if port == 0 else ""
