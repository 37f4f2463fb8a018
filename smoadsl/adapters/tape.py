"""Tape, to write what was asked and answered to a file, and to know one that was cut or edited since."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson

from smoadsl.adapters.base import Choice, Connection, Fault, FaultKind, Finish, Reason, Reply, Request, Usage
from smoadsl.adapters.http import encoded
from smoadsl.adapters.values import model_of
from smoadsl.adapters.words import redacted, without
from smoadsl.frozen import Frozen

_SIZE_LIMIT = 64 << 20
_VERSION: Literal[1] = 1


class Damaged(Exception):
    """A file that is no tape, or not as it was written; the message says why, as the end of a sentence."""


class _Strict(Frozen):
    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}


class TapedFault(_Strict):
    """A fault, by what decides over it and by what a person reads. `took_s`: after how long it came, `text_after_s`:
    after how long the first text did, where there was some."""

    kind: str
    message: str
    status: int | None
    retry_after_s: float | None
    billed: bool
    reason: Reason | None
    should_retry: bool | None
    took_s: float = 0.0
    text_after_s: float | None = None


class TapedChoice(_Strict):
    """One answer of those that a reply holds."""

    text: str
    finish: Finish
    reasoning: str


class TapedReply(_Strict):
    """A reply, but for what the exchange showed besides it. `took_s`: after how long all of it had come,
    `text_after_s`: the first of its text, where it was streamed."""

    choices: list[TapedChoice]
    faults: list[TapedFault]
    usage: dict[str, int | bool]
    model: str
    lost_events: int
    took_s: float = 0.0
    text_after_s: float | None = None


class TapedSilence(_Strict):
    """No answer: whoever asked did not wait for one any longer. `text_after_s`: when text came all the same."""

    silence: Literal[True] = True
    text_after_s: float | None = None


Taped = TapedReply | TapedFault | TapedSilence


class Tape(_Strict):
    """All that was answered to one request, in the order in which it was asked."""

    tape: Literal[1]
    request: dict[str, Any]
    answers: list[Taped]
    sha256: str


def told(connection: Connection, request: Request) -> dict[str, Any]:
    """A request as it is written down: who is asked what and how, and nothing of keys, headers or addresses. What is
    not set is left out, so that a tape outlives settings that are yet to come. Raises `Fault` for what no JSON holds.
    """
    sampling = {name: value for name, value in asdict(request.sampling).items() if value not in (None, (), {})}
    asked = {
        "provider": connection.provider,
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "sampling": sampling,
        **({"schema": request.schema} if request.schema is not None else {}),
        **({"n": request.n} if request.n > 1 else {}),
        **({"given": dict(request.given)} if request.given else {}),
    }
    plain: dict[str, Any] = orjson.loads(encoded(connection, asked))
    return plain


def digest(value: Any) -> str:
    """The SHA-256 of a JSON value in one spelling."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def taped(answer: Reply | Fault, connection: Connection | None = None) -> TapedReply | TapedFault:
    """An answer as it is written down. A key of the connection's that came back in it is not; one that was handed on by
    a call has none in it."""
    if isinstance(answer, Fault):
        return _taped_fault(answer, connection)
    usage, choices = answer.usage, [_taped_choice(answer)]
    if answer.others:
        choices += map(_taped_choice, answer.others)
    model = answer.model
    if connection is not None:
        choices = [_without(choice, connection.secrets) for choice in choices]
        model = without(model, connection.secrets)
    return model_of(
        TapedReply,
        choices=choices,
        faults=[_taped_fault(fault, connection) for fault in answer.faults] if answer.faults else [],
        usage={
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "estimated": usage.estimated,
            "cached_tokens": usage.cached_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
        },
        model=model,
        lost_events=answer.lost_events,
        took_s=0.0,
        text_after_s=None,
    )


def _taped_choice(one: Reply | Choice) -> TapedChoice:
    return model_of(TapedChoice, text=one.text, finish=one.finish, reasoning=one.reasoning)


def _without(choice: TapedChoice, secrets: Iterable[str]) -> TapedChoice:
    return replace(choice, text=without(choice.text, secrets), reasoning=without(choice.reasoning, secrets))


def _taped_fault(fault: Fault, connection: Connection | None) -> TapedFault:
    return TapedFault(
        kind=fault.kind.value,
        message=fault.message if connection is None else redacted(fault.message, connection),
        status=fault.status,
        retry_after_s=fault.retry_after_s,
        billed=fault.billed,
        reason=fault.reason,
        should_retry=fault.should_retry,
    )


def untaped(answer: TapedReply | TapedFault) -> Reply | Fault:
    """The answer that was written down."""
    if isinstance(answer, TapedFault):
        return Fault(
            FaultKind(answer.kind),
            answer.message,
            status=answer.status,
            retry_after_s=answer.retry_after_s,
            billed=answer.billed,
            reason=answer.reason,
            should_retry=answer.should_retry,
        )
    first, *others = [Choice(choice.text, choice.finish, choice.reasoning) for choice in answer.choices]
    return Reply(
        text=first.text,
        finish=first.finish,
        usage=Usage(**answer.usage),  # type: ignore[arg-type]
        model=answer.model,
        lost_events=answer.lost_events,
        reasoning=first.reasoning,
        others=tuple(others),
        faults=tuple(fault for fault in map(untaped, answer.faults) if isinstance(fault, Fault)),
    )


def write_tape(path: Path, request: dict[str, Any], answers: list[Taped]) -> None:
    """Write a tape in one go: who finds the file finds a whole one, which only its owner can read."""
    body = {"tape": _VERSION, "request": request, "answers": [asdict(answer) for answer in answers]}
    content = orjson.dumps({**body, "sha256": digest(body)}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tape-")  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_tape(path: Path, request: dict[str, Any]) -> list[Taped]:
    """The answers on the tape at `path`. Raises `FileNotFoundError`, `OSError`, and `Damaged`."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        content = file.read(_SIZE_LIMIT + 1)
    if len(content) > _SIZE_LIMIT:
        raise Damaged(f"it has more than {_SIZE_LIMIT} bytes")
    try:
        body = orjson.loads(content)
        tape = Tape.model_validate_json(content)
        for answer in tape.answers:
            if not isinstance(answer, TapedSilence):
                untaped(answer)  # so that what can not be read is known here
    except orjson.JSONDecodeError:
        raise Damaged("it breaks off or is no JSON") from None
    except (ValueError, TypeError):
        raise Damaged("it has not the shape of a tape") from None
    del body["sha256"]
    if digest(body) != tape.sha256:
        raise Damaged("it was changed after it was recorded")
    if tape.request != request:
        raise Damaged("it holds the answers to another request")
    return tape.answers
