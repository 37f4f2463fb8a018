"""Test hints, to hold what is read of a provider's headers and errors: limits, when to come back, and why."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Allowance, Connection, Reason
from smoadsl.adapters.http_faults import status_fault, words_of_error
from smoadsl.adapters.limits import allowances_of, seconds_until
from smoadsl.adapters.reasons import reason_of

DATE = {"Date": "Sun, 06 Nov 2033 08:49:37 GMT"}
LAB = Connection("lab")


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
            },
            [Allowance("requests", 60, 59, 1.0)],
        ),
        (
            {
                "x-ratelimit-limit-tokens": "150000",
                "x-ratelimit-remaining-tokens": "149984",
                "x-ratelimit-reset-tokens": "6m0.5s",
            },
            [Allowance("tokens", 150_000, 149_984, 360.5)],
        ),
        ({"x-ratelimit-remaining-requests": "3"}, [Allowance("requests", None, 3)]),
        (
            {
                **DATE,
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2033-11-06T08:50:00Z",
                "anthropic-ratelimit-input-tokens-remaining": "10",
            },
            [Allowance("requests", 50, 0, 23.0), Allowance("input_tokens", None, 10)],
        ),
        (
            {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'},
            [Allowance("requests", 100, 50, 30.0, 60.0)],
        ),
        (
            {"ratelimit-limit": "100", "ratelimit-remaining": "99", "ratelimit-reset": "7"},
            [Allowance("requests", 100, 99, 7.0)],
        ),
        (
            {**DATE, "x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "2014879782000"},
            [Allowance("requests", 20, 0, 5.0)],
        ),
        ({"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "-1"}, []),
        ({}, []),
    ],
)
def test_limits_in_every_spelling(headers: dict[str, str], told: list[Allowance]) -> None:
    assert list(allowances_of(headers)) == told


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0.5", 0.5), ("20ms", 0.02), ("2m59.56s", 179.56), ("1h", 3600.0), ("1d2h", 93_600.0), ("1_0", None), ("", None)],
)
def test_spans(value: str, seconds: float | None) -> None:
    assert seconds_until(value, {}) == pytest.approx(seconds)


@given(st.text(max_size=20) | st.from_regex(r"[0-9dhms.TZ:+-]{0,25}"))
def test_no_header_is_an_exception(value: str) -> None:
    headers = dict.fromkeys(("ratelimit", "ratelimit-policy", "x-ratelimit-reset", "Date", "x-ratelimit-limit"), value)
    for told in allowances_of(headers):
        assert told.reset_s is None or told.reset_s >= 0
    seconds = seconds_until(value, headers)
    assert seconds is None or seconds >= 0


def error(**said: Any) -> dict[str, Any]:
    return {"error": said}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (429, error(code="insufficient_quota", message="You exceeded your current quota."), "quota"),
        (429, error(type="rate_limit_error", message="Slow down."), None),
        (429, error(details={"error_code": "enforced_spend_limit_reached"}, message="No."), "quota"),
        (400, error(type="invalid_request_error", message="Your credit balance is too low."), "quota"),
        (
            429,
            error(
                status="RESOURCE_EXHAUSTED",
                message="You exceeded your current quota.",
                details=[{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}],
            ),
            None,
        ),
        (429, error(status="RESOURCE_EXHAUSTED", message="You exceeded your current quota."), "quota"),
        (400, error(code="context_length_exceeded", message="too long"), "context"),
        (400, error(type="invalid_request_error", message="prompt is too long: 201 tokens > 200"), "context"),
        (400, error(message="This model's maximum context length is 8192 tokens."), "context"),
        (400, error(code="content_policy_violation", message="no"), "policy"),
        (400, error(code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}), "policy"),
        (404, error(code="model_not_found", message="The model `x` does not exist"), "unknown_model"),
        (404, error(type="not_found_error", message="model: claude-9"), "unknown_model"),
        (404, error(message="no such page"), None),
        (500, error(message="context length"), None),
        (429, [error(code="insufficient_quota")], "quota"),
        (429, "quota", None),
        (429, None, None),
    ],
)
def test_why_a_status_came(status: int, body: Any, reason: Reason | None) -> None:
    assert reason_of(status, body, words_of_error(body)) == reason


def hinted(status: int, headers: dict[str, str], body: Any = None) -> float | None:
    return status_fault(LAB, status, body, headers).retry_after_s


def test_the_first_hint_wins_in_the_order_of_their_exactness() -> None:
    exhausted = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7s"}
    spare = {"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "90s"}
    body = error(message="Rate limit reached. Please try again in 6.5s. Visit us.")
    assert hinted(429, {"retry-after-ms": "1500", "Retry-After": "9", **exhausted}, body) == 1.5
    assert hinted(429, {"Retry-After": "9", **exhausted}, body) == 9.0
    assert hinted(429, {**exhausted, **spare}, body) == 7.0
    assert hinted(429, spare, body) == 6.5
    assert hinted(429, spare, error(message="Slow down.")) is None
    assert hinted(503, exhausted) is None


def test_the_providers_own_word_on_retries() -> None:
    words = [status_fault(LAB, 503, None, {"x-should-retry": said}).should_retry for said in ("true", "false", "x")]
    assert words == [True, False, None]
