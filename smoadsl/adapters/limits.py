"""Limits, to read what a provider's headers say of its limits, in every spelling that is in use.

OpenAI, Groq, Together and Azure say `x-ratelimit-remaining-requests: 59` and `x-ratelimit-reset-requests: 1m2.5s`;
Anthropic `anthropic-ratelimit-requests-remaining` with a time of day; the IETF drafts `RateLimit: "a";r=50;t=30` with
`RateLimit-Policy: "a";q=100;w=60`, or one header for each number; many others `X-RateLimit-Remaining`.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from smoadsl.adapters.base import Allowance, Unit

_UNITS: tuple[tuple[Unit, str], ...] = (
    ("requests", "requests"),
    ("tokens", "tokens"),
    ("input_tokens", "input-tokens"),
    ("output_tokens", "output-tokens"),
)
_WHOLE = re.compile(r"[0-9]{1,15}")
_DECIMAL = re.compile(r"[0-9]{1,13}(\.[0-9]{1,9})?")
_SPAN = re.compile(
    r"(?:([0-9]{1,4})d)?(?:([0-9]{1,4})h)?(?:([0-9]{1,6})m(?!s))?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s))?"
)
_FIELD = re.compile(r"\b(limit|remaining|reset|[qrtw])=([0-9]{1,15})\b")
_TIME_OF_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(Z|[+-][0-9]{2}:[0-9]{2})")
_EPOCH_S = 1_000_000_000  # a reset above this is a time of day, not a number of seconds
_EPOCH_MS = 1_000_000_000_000


def allowances_of(headers: Mapping[str, str]) -> tuple[Allowance, ...]:
    """All limits that headers tell of; what can not be read is left out."""
    if not _tell_of_limits(tuple(headers)):
        return ()
    found = [
        _allowance(headers, unit, names)
        for unit, word in _UNITS
        for names in (("x-ratelimit-{}-" + word), (f"anthropic-ratelimit-{word}-" + "{}"))
    ]
    found += [_combined(headers) or _allowance(headers, "requests", "ratelimit-{}")]
    found += [_allowance(headers, "requests", "x-ratelimit-{}")]
    return tuple(allowance for allowance in found if allowance is not None)


@lru_cache(maxsize=100)  # the same headers come with nearly every answer of a provider
def _tell_of_limits(names: tuple[str, ...]) -> bool:
    return any("ratelimit" in name.lower() for name in names)


def may_tell_of_limits(head: bytes) -> bool:
    """Whether the head of an answer that was not taken apart yet may tell of any."""
    return b"ratelimit" in head.lower()


def seconds_until(value: str, headers: Mapping[str, str]) -> float | None:
    """A reset as seconds from the response on: `1.5`, `6m0s`, `20ms`, or a time of day against the response's own."""
    value = value.strip()
    if _DECIMAL.fullmatch(value):
        number = float(value)
        if number < _EPOCH_S:
            return number
        now = _date(headers)
        at = number / 1000 if number >= _EPOCH_MS else number
        return None if now is None else max(0.0, at - now.timestamp())
    if _TIME_OF_DAY.fullmatch(value):
        now = _date(headers)
        try:
            return None if now is None else max(0.0, (datetime.fromisoformat(value) - now).total_seconds())
        except ValueError:
            return None
    return span_s(value)


def span_s(value: str) -> float | None:
    """A span of time such as `1h2m3.5s` or `20ms`, in seconds."""
    match = _SPAN.fullmatch(value) if value else None
    if match is None:
        return None
    days, hours, minutes, number, unit = match.groups()
    rest = float(number or 0) / (1000 if unit == "ms" else 1)
    return int(days or 0) * 86_400 + int(hours or 0) * 3_600 + int(minutes or 0) * 60 + rest


def _allowance(headers: Mapping[str, str], unit: Unit, names: str) -> Allowance | None:
    limit, remaining = (_whole(headers.get(names.format(name), "")) for name in ("limit", "remaining"))
    if limit is None and remaining is None:
        return None
    reset_s = seconds_until(headers.get(names.format("reset"), ""), headers)
    return Allowance(unit, limit, remaining, reset_s, _period_s(headers) if names == "ratelimit-{}" else None)


def _combined(headers: Mapping[str, str]) -> Allowance | None:
    """The one header of the later IETF drafts."""
    said = dict(_FIELD.findall(headers.get("ratelimit", "")))
    if not said:
        return None
    policy = dict(_FIELD.findall(headers.get("ratelimit-policy", "")))
    limit, remaining = said.get("limit", policy.get("q")), said.get("remaining", said.get("r"))
    reset = said.get("reset", said.get("t"))
    return Allowance(
        "requests",
        None if limit is None else int(limit),
        None if remaining is None else int(remaining),
        None if reset is None else float(reset),
        _period_s(headers),
    )


def _period_s(headers: Mapping[str, str]) -> float | None:
    period = dict(_FIELD.findall(headers.get("ratelimit-policy", ""))).get("w")
    return float(period) if period and int(period) > 0 else None


def _whole(value: str) -> int | None:
    value = value.strip()
    return int(value) if _WHOLE.fullmatch(value) else None


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
