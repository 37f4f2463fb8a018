"""Words, to quote a provider in one sentence of ours, without a secret and without a line break."""

from base64 import b64encode
from urllib.parse import quote

from smoadsl.adapters.base import Connection

_SHOWN = 300


def redacted(text: str, connection: Connection) -> str:
    """`text` without the key or any header value of this connection, also where they come encoded."""
    for secret in (connection.api_key, *connection.headers.values()):
        if secret and len(secret) >= 4:  # shorter ones are no secrets, and would tear words apart
            raw = secret.encode("utf-8", "replace")
            for form in (secret, quote(secret, safe=""), b64encode(raw).decode().rstrip("=")):
                text = text.replace(form, "[redacted]")
    return text


def one_line(text: str) -> str:
    """`text` as the end of a sentence: no line breaks, no control characters, no great length."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * _SHOWN]).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
