"""Reasons, to read out of a provider's error what its status alone does not say: quota, length, content, model."""

import re
from collections.abc import Iterator

from smoadsl.adapters.base import JSON, Reason
from smoadsl.adapters.limits import span_s

# Machine words of errors, as OpenAI, Anthropic, Gemini and their followers send them in `code`, `type` or `status`.
_WORDS: dict[str, Reason] = {
    "insufficient_quota": "quota", "quota_exceeded": "quota", "billing_not_active": "quota",
    "billing_hard_limit_reached": "quota", "billing_error": "quota", "enforced_spend_limit_reached": "quota",
    "insufficient_balance": "quota", "credits_exhausted": "quota",
    "context_length_exceeded": "context", "string_above_max_length": "context", "request_too_large": "context",
    "content_policy_violation": "policy", "content_filter": "policy", "responsibleaipolicyviolation": "policy",
    "moderation_blocked": "policy",
    "model_not_found": "unknown_model", "model_not_available": "unknown_model", "unknown_model": "unknown_model",
}  # fmt: skip

# Some say it in their sentence alone.
_SENTENCES: tuple[tuple[frozenset[int], str, Reason], ...] = (
    (frozenset((400, 413, 422)), r"context (length|window)|prompt is too long|too many (input )?tokens", "context"),
    (frozenset((400, 413, 422)), r"token count .*exceeds|exceeds the maximum number of tokens", "context"),
    (frozenset((400, 402, 403, 429)), r"credit balance is too low|spend(ing)? limit|usage limits", "quota"),
    (frozenset((402, 403, 429)), r"exceeded your current quota", "quota"),
    (frozenset((400, 403)), r"content (management )?policy|safety system|content filter", "policy"),
    (frozenset((404,)), r"\bmodel\b", "unknown_model"),
)
_AGAIN_IN = re.compile(r"(?:try again|retry) (?:in|after) ([0-9dhms.]{1,20}?)(?:\.? |\.?$|econds)", re.IGNORECASE)


def reason_of(status: int, body: JSON, words: str) -> Reason | None:
    """Why an error status came, by the error's machine words, else by its sentence."""
    for word in _machine_words(body):
        if (reason := _WORDS.get(word.lower())) is not None:
            # Google's quota comes back by itself where the error says when.
            return None if reason == "quota" and retry_delay_s(body, "") is not None else reason
    sentence = words.lower()
    for statuses, pattern, reason in _SENTENCES:
        if status in statuses and re.search(pattern, sentence):
            return None if reason == "quota" and retry_delay_s(body, words) is not None else reason
    return None


def retry_delay_s(body: JSON, words: str) -> float | None:
    """The hint in an error's body when to come back: Google's `RetryInfo`, or the sentence "try again in 6.5s"."""
    for detail in _details(body):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and (seconds := span_s(delay)) is not None:
            return seconds
    found = _AGAIN_IN.search(words)
    return span_s(found[1]) if found else None


def _machine_words(body: JSON) -> Iterator[str]:
    """All that stands where providers put machine words, the outer ones first."""
    error = _error(body)
    inner, details = error.get("innererror"), error.get("details")
    for part in (body, error, inner, *_details(body)):
        if isinstance(part, dict):
            yield from (word for key in ("code", "type", "status", "reason") if isinstance(word := part.get(key), str))
    if isinstance(details, dict):
        yield from (word for word in details.values() if isinstance(word, str))


def _details(body: JSON) -> list[dict[str, JSON]]:
    details = _error(body).get("details")
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []


def _error(body: JSON) -> dict[str, JSON]:
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}
