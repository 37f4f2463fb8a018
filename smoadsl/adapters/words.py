"""Words, to quote a provider in one sentence of ours, without a secret and without a line break."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import takewhile
from string import ascii_uppercase, digits
from urllib.parse import quote

from smoadsl.adapters.base import Connection, Message, OnText
from smoadsl.adapters.recent import Recent

_SHOWN = 300
_BETWEEN = frozenset("\"'`\\")  # what a secret is cut up with when it is quoted in pieces; so do spaces and line ends
_LEAST = 4  # characters of a secret; shorter ones are none, and would tear words apart
_LONG, _PART = 16, 12  # characters from which on a part of a secret is one too, and of such a part


def redacted(text: str, connection: Connection) -> str:
    """`text` without the key or any header value of this connection, also where they come encoded, cut up by spaces,
    line ends and quotes, or in part: of a long one, a third is enough to be left out."""
    if not connection.api_key and not connection.headers:
        return text
    return without(text, [secret for secret in (connection.api_key, *connection.headers.values()) if secret])


class Secrets(tuple[str, ...]):
    """Secrets, with what is sought for them worked out once: that takes as long as a whole call."""

    @cached_property
    def forms(self) -> frozenset[str]:
        """All that they may come back as."""
        return frozenset(form for secret in self for form in _forms(secret))

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """One of these stands in every text in which one of them does, or enough of it."""
        return tuple(sorted({form[begin : begin + size] for form in self.forms for begin, size in _pieces(form)}))

    @cached_property
    def rare(self) -> tuple[str, ...]:
        """The rare characters of those pieces that have enough of them. Where none of these stands among those of a
        text, which are few, none of the pieces stands in it."""
        return tuple(sorted({rare for piece in self.pieces if len(rare := _rare_of(piece)) >= _FEWEST_RARE}))

    @cached_property
    def common(self) -> tuple[str, ...]:
        """The pieces that have not enough of them."""
        return tuple(piece for piece in self.pieces if len(_rare_of(piece)) < _FEWEST_RARE)

    @cached_property
    def shortest(self) -> int:
        """Whoever has fewer characters shows none of them."""
        return min(map(len, self.pieces), default=0)

    @cached_property
    def _begun(self) -> dict[str, list[tuple[int, str]]]:
        """Each beginning of a form, by its last two characters: how long it is, and the form; the longest first."""
        begun: dict[str, list[tuple[int, str]]] = {}
        for size, form in sorted(((size, one) for one in self.forms for size in range(1, len(one))), reverse=True):
            begun.setdefault(form[max(size - 2, 0) : size], []).append((size, form))
        return begun

    def begins_at(self, text: str, place: int) -> int:
        """Where, from that place on, the end of the text begins that a secret may begin with; the length of the text if
        there is none."""
        for ending in (text[-2:], text[-1:]):
            for size, form in self._begun.get(ending, ()):
                if size <= len(text) - place and text.endswith(form[:size]):
                    return len(text) - size
        return len(text)


def without(text: str, secrets: Iterable[str]) -> str:
    """`text` with none of the secrets in it, in whatever form; the very same text, if there was none."""
    sought = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
    if not sought or len(text) < sought.shortest:
        return text
    if not shows_any(text, sought):
        return text
    squeezed = text.translate(_SQUEEZE)
    spans = sorted(span for form in sought.forms for span in _spans(squeezed, form))
    if not spans:
        return text
    places = [place for place, char in enumerate(text) if not _cuts(char)]
    shown, done = "", 0
    for first, last in spans:
        start, end = places[first], places[last] + 1
        if start >= done:
            shown += f"{text[done:start]}[redacted]"
        done = max(done, end)
    return shown + text[done:]


def shows_any(text: str, secrets: Secrets) -> bool:
    """Whether a part of a secret stands in the text that is long enough to be looked at closely."""
    if not text.isascii():
        return any(map(text.translate(_SQUEEZE).__contains__, secrets.pieces))
    raw = text.encode()
    rare = raw.translate(None, _COMMON).decode()
    is_likely = len(rare) >= _FEWEST_RARE and any(map(rare.__contains__, secrets.rare))
    sought = secrets.pieces if is_likely else secrets.common
    return bool(sought) and any(map(raw.translate(None, _CUTS).decode().__contains__, sought))


class Keyless:
    """Hands on pieces of a text without the secrets. What may be the beginning of one waits for what follows."""

    def __init__(self, secrets: Iterable[str], on_text: OnText) -> None:
        self._secrets = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
        self._on_text = on_text
        self._held = ""

    def feed(self, text: str) -> None:
        """A piece has come."""
        held, secrets, from_ = self._held + text, self._secrets, 0
        shows = bool(secrets) and shows_any(held, secrets)
        if shows and any(map(held.__contains__, secrets.forms)):  # what one whole secret ends with may begin none
            from_ = max(held.rfind(form) + len(form) for form in secrets.forms if form in held)
        size = secrets.begins_at(held, from_)
        given, self._held = held[:size], held[size:]
        if given:
            self._on_text(without(given, secrets) if shows else given)

    def end(self) -> None:
        """No piece follows."""
        given, self._held = self._held, ""
        if given:
            self._on_text(without(given, self._secrets))


def size_of(text: str) -> int:
    """How many bytes a text has; half a character counts too."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _size_of_all(messages: tuple[Message, ...]) -> int:
    return sum([size_of(message.content) for message in messages])


size_of_all = Recent(_size_of_all)
"""How many bytes messages have together."""


def one_line(text: str) -> str:
    """`text` as the end of a sentence: no line breaks, no control characters, no great length."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * _SHOWN]).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _cuts(char: str) -> bool:
    return char.isspace() or not char.isprintable() or char in _BETWEEN


class _Squeeze(dict[int, int | None]):
    """For `str.translate`, which asks once for each character there is: what cuts is left out."""

    def __missing__(self, code: int) -> int | None:
        self[code] = None if _cuts(chr(code)) else code
        return self[code]


_SQUEEZE = _Squeeze()
_CUTS = bytes(code for code in range(128) if _cuts(chr(code)))
_RARE = ascii_uppercase + digits + "-_+/="
_COMMON = bytes(code for code in range(128) if chr(code) not in _RARE)
_FEWEST_RARE = 4


def _rare_of(piece: str) -> str:
    """What is rare in a text of words, and is not in a key."""
    return "".join(char for char in piece if char.isascii()).encode().translate(None, _COMMON).decode()


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
    least = _least(form)
    for begin, size in _pieces(form):
        at = text.find(form[begin : begin + size])
        while at >= 0:
            before = _alike(reversed(text[max(0, at - begin) : at]), reversed(form[:begin]))
            behind = _alike(text[at + size : at + len(form)], form[begin + size :])
            if before + size + behind >= least:
                yield at - before, at + size + behind - 1
            at = text.find(form[begin : begin + size], at + 1)


def _least(form: str) -> int:
    """How many characters of a form are enough of it."""
    return max(_PART, len(form) // 3) if len(form) >= _LONG else len(form)


def _pieces(form: str) -> Iterator[tuple[int, int]]:
    """Where the pieces of a form begin, and how long they are: any part of it that is enough has a whole one in it."""
    size = (_least(form) + 1) // 2 if len(form) >= _LONG else len(form)
    return ((begin, size) for begin in range(0, len(form) - size + 1, size))


def _alike(one: Iterable[str], other: Iterable[str]) -> int:
    """How many characters two texts have in common from their beginning on."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
