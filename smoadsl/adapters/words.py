"""Words, to quote a provider in one sentence of ours, without a secret and without a line break."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from itertools import takewhile
from urllib.parse import quote

from smoadsl.adapters.base import Connection

_SHOWN = 300
_BETWEEN = frozenset("\"'`\\")  # what a secret is cut up with when it is quoted in pieces; so do spaces and line ends
_LEAST = 4  # characters of a secret; shorter ones are none, and would tear words apart
_LONG, _PART = 16, 12  # characters from which on a part of a secret is one too, and of such a part


def redacted(text: str, connection: Connection) -> str:
    """`text` without the key or any header value of this connection, also where they come encoded, cut up by spaces,
    line ends and quotes, or in part: of a long one, a third is enough to be left out."""
    if not connection.api_key and not connection.headers:
        return text
    secrets = [secret for secret in (connection.api_key, *connection.headers.values()) if secret]
    places = [place for place, char in enumerate(text) if not _cuts(char)]
    squeezed = "".join(text[place] for place in places)
    spans = sorted(span for secret in secrets for form in _forms(secret) for span in _spans(squeezed, form))
    shown, done = "", 0
    for first, last in spans:
        start, end = places[first], places[last] + 1
        if start >= done:
            shown += f"{text[done:start]}[redacted]"
        done = max(done, end)
    return shown + text[done:]


def size_of(text: str) -> int:
    """How many bytes a text has; half a character counts too."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def one_line(text: str) -> str:
    """`text` as the end of a sentence: no line breaks, no control characters, no great length."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * _SHOWN]).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _cuts(char: str) -> bool:
    return char.isspace() or not char.isprintable() or char in _BETWEEN


def _forms(secret: str) -> set[str]:
    """What a secret may come back as: itself, for URLs, in hexadecimal, and in base64 wherever it begins there."""
    raw = secret.encode("utf-8", "replace")
    quoted = quote(secret, safe="")
    forms = {secret, quoted, quoted.replace("%", "%25"), raw.hex(), raw.hex().upper()}
    for ahead in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            whole = encode(b"\0" * ahead + raw).decode().rstrip("=")
            # The first and the last characters are made of neighbours too.
            forms.add(whole[(0, 2, 3)[ahead] : len(whole) - ((ahead + len(raw)) % 3 != 0)])
    return {squeezed for form in forms if len(squeezed := "".join(c for c in form if not _cuts(c))) >= _LEAST}


def _spans(text: str, form: str) -> Iterator[tuple[int, int]]:
    """Where a form of a secret, or enough of it, stands: the first and the last character."""
    least = max(_PART, len(form) // 3) if len(form) >= _LONG else len(form)
    size = (least + 1) // 2 if len(form) >= _LONG else least  # so that any part of `least` has a whole piece in it
    for begin in range(0, len(form) - size + 1, size):
        at = text.find(form[begin : begin + size])
        while at >= 0:
            before = _alike(reversed(text[max(0, at - begin) : at]), reversed(form[:begin]))
            behind = _alike(text[at + size : at + len(form)], form[begin + size :])
            if before + size + behind >= least:
                yield at - before, at + size + behind - 1
            at = text.find(form[begin : begin + size], at + 1)


def _alike(one: Iterable[str], other: Iterable[str]) -> int:
    """How many characters two texts have in common from their beginning on."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
