"""Metrics, to know how wide text will be where there is no font to ask, so that it is wrapped and cut to fit.

Widths are in ems, those of the widest of the fonts that the drawing names (Arial and its equals, DejaVu Sans): text may
come out narrower than it is said here, never wider.
"""

import unicodedata
from typing import Literal

Face = Literal["plain", "bold", "code"]

_CLASSES = {
    0.3: "'Iijl",
    0.35: " ,./:;\\|·",
    0.4: "()-[]ft",
    0.45: "!r",
    0.5: '"*J`',
    0.55: "csz",
    0.6: "?L_kvxy",
    0.65: "$0123456789FTabdeghnopqu{}",
    0.7: "ABEKPSVXYZ",
    0.75: "CNRU",
    0.8: "&DGHOQ",
    0.85: "#+<=>^w~×",
    0.9: "M",
    1.0: "%Wm…—",
    1.05: "@",
}
_EMS = {character: ems for ems, characters in _CLASSES.items() for character in characters}
_CODE = 0.61
_BOLD = 1.13  # times the plain width
_IDEOGRAM = 1.0
_EMOJI = 1.4
_LETTER = 0.75  # of scripts that are not in the table
_OTHER = 1.0
_ELLIPSIS = "…"


def is_measured(text: str) -> bool:
    """Whether the width of every character is known. Of others it is a guess, which a drawing has to enforce."""
    return all(_plain(character) in _EMS or unicodedata.east_asian_width(character) == "W" for character in text)


def width(text: str, size: float, face: Face = "plain") -> float:
    """How wide the text is at most, in the unit of `size`, which is that of the font."""
    if face == "code":
        return size * sum(_CODE if _plain(c) in _EMS else _ems(c) for c in text)
    return size * sum(map(_ems, text)) * (_BOLD if face == "bold" else 1.0)


def _plain(character: str) -> str:
    """The letter without what stands above and below it, which does not make it wider."""
    return unicodedata.normalize("NFD", character)[0]


def _ems(character: str) -> float:
    if (plain := _plain(character)) in _EMS:
        return _EMS[plain]
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return _EMOJI if category.startswith("S") else _IDEOGRAM
    return _LETTER if category.startswith("L") else _OTHER


def cut(text: str, size: float, most: float, face: Face = "plain") -> str:
    """The text, ended by an ellipsis where it is wider than `most`."""
    if width(text, size, face) <= most:
        return text
    room = most - width(_ELLIPSIS, size, face)
    return text[: _fitting(text, size, room, face)].rstrip() + _ELLIPSIS


def wrapped(text: str, size: float, most: float, lines: int, face: Face = "plain") -> list[str]:
    """The text in at most so many lines, none wider than `most`; broken between words, and in one that is too wide."""
    made: list[str] = []
    rest = text.split(" ")
    while rest and len(made) < lines - 1:
        line = rest.pop(0)
        while rest and width(f"{line} {rest[0]}", size, face) <= most:
            line += f" {rest.pop(0)}"
        if width(line, size, face) > most:
            fits = _fitting(line, size, most, face)
            line, rest = line[:fits], [line[fits:], *rest]
        made.append(line)
    return [*made, cut(" ".join(rest), size, most, face)] if rest else made


def _fitting(text: str, size: float, most: float, face: Face) -> int:
    """How many characters fit, one at least."""
    count = 1
    while count < len(text) and width(text[: count + 1], size, face) <= most:
        count += 1
    return count
