"""Test secrets, to see a key go to the one place it is for, in one header, and into nothing that can be read later."""

import asyncio
import base64
import logging
import subprocess
import sys
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from smoadsl.adapters import ADAPTERS, IN_PROCESS, open_adapter
from smoadsl.adapters.address import endpoint, is_loopback, origin
from smoadsl.adapters.base import Connection, Fault, FaultKind
from smoadsl.adapters.openai import OpenAI
from tests.adapters.attempts import ACME, CLOSE, REQUEST, RESET, STREAM, attempt, completion, keeps_the_key, tried
from tests.adapters.wall import STREAM_HEAD, Act, Wall, answer, head
from tests.canary import CANARY

OK = completion()


def test_the_key_is_sent_in_one_header_and_nowhere_else() -> None:
    """A22."""
    (sent,) = tried([answer(OK)], connection=replace(ACME, headers={"X-Team": "blue"})).attempts
    assert sent.headers["authorization"] == f"Bearer {CANARY}"
    assert sent.headers["x-team"] == "blue"
    assert sent.headers["accept-encoding"] == "identity"
    assert sent.headers["user-agent"] == "smoadsl"
    rest = {name: value for name, value in sent.headers.items() if name != "authorization"}
    assert CANARY not in f"{rest}{sent.path}{sent.body!r}"


def test_without_a_key_no_header_is_sent() -> None:
    (sent,) = tried([answer(OK)], connection=replace(ACME, api_key=None)).attempts
    assert "authorization" not in sent.headers


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "place",
    [
        "other port",
        "//{host}/x?key=1",
        "http://me:secret@{host}/x",
        "//evil@{host}",
        "\\\\{host}\\x",
        "/elsewhere",
        "file:///etc/passwd",
        "",
        "http://[",
    ],
)
def test_f37_a16_no_redirect_is_followed(status: int, place: str) -> None:
    async def main() -> None:
        async with Wall(lambda _: [answer(OK)]) as other, Wall(lambda _: []) as wall:
            host = other.url.removeprefix("http://")
            target = f"{other.url}/secret/path?token=abc#{CANARY}" if place == "other port" else place.format(host=host)
            wall.script = lambda _: [answer({"error": f"see {target}"}, status, {"Location": target})]
            async with aclosing(OpenAI(replace(ACME, base_url=wall.url))) as adapter:
                result = await attempt(adapter)
                assert (len(wall.attempts), other.connections) == (1, 0)
                assert result.kind is FaultKind.STATUS
                assert result.fault
                assert result.fault.status == status
                for part in ("secret", "token", "key=", "passwd", CANARY):
                    assert part not in result.fault.message
                if place == "other port":
                    assert other.url in result.fault.message

    asyncio.run(main())


def test_f29_the_sentence_says_whose_key_was_refused() -> None:
    body = {"error": {"message": f"Incorrect API key provided: {CANARY}."}}
    for status in (401, 403):
        refused = tried([answer(body, status)]).fault
        assert refused
        assert f"acme refused the key given for it (status {status})" in refused.message
        assert "Incorrect API key provided: [redacted]." in refused.message
        missing = tried([answer({}, status)], connection=replace(ACME, api_key=None)).fault
        assert missing
        assert f"acme wants a key, and none was given for it (status {status})" in missing.message


ECHOES = {
    "plain": CANARY,
    "quoted": quote(f"a b{CANARY}", safe=""),
    "base64": base64.b64encode(CANARY.encode()).decode(),
}


@pytest.mark.parametrize("form", ECHOES)
def test_a24_a25_a_key_that_comes_back_is_not_shown(form: str) -> None:
    echo = ECHOES[form]
    error = {"error": {"code": 400, "message": f"headers were: Bearer {echo}, {'x' * 250}{echo}"}}
    refusal = {"choices": [{"message": {"refusal": echo}}]}
    acts: list[list[Act]] = [
        [answer(error, 400)],
        [answer(echo.encode(), 500, {"Content-Type": "text/plain"})],
        [answer(error)],
        [answer(refusal)],
        [answer(b"", 302, {"Location": f"https://x.invalid/{echo}"})],
        [answer(echo.encode())],
        [STREAM_HEAD, b"data: " + echo.encode() + b"\xff\n\n", CLOSE],
        [head(200, {"X": echo * 400})],
        [echo.encode(), CLOSE],
    ]
    for said in acts:
        fault = tried(said, stream=said[0] is STREAM_HEAD).fault
        assert fault
        assert echo not in fault.message
        assert CANARY not in fault.message


def test_a_header_that_holds_a_secret_is_not_shown_either() -> None:
    acts = [answer({"error": {"message": "gateway: s3cret-token is unknown"}}, 403)]
    fault = tried(acts, connection=replace(ACME, headers={"X-Gateway": "s3cret-token"})).fault
    assert fault
    assert "s3cret" not in fault.message


@pytest.mark.parametrize("key", ["k\r\nX-Evil: 1", "k\n", "k\0", "k\x7f", "kéy"])
@pytest.mark.parametrize("where", ["key", "value", "name"])
def test_a21_no_header_is_forged(key: str, where: str) -> None:
    headers: Mapping[str, str] = {"value": {"X": key}, "name": {key: "x"}}.get(where, {})
    secret = key if where == "key" else None

    async def main() -> None:
        async with (
            Wall(lambda _: [answer(OK)]) as wall,
            aclosing(OpenAI(Connection("acme", wall.url, secret, headers))) as adapter,
        ):
            result = await attempt(adapter)
            assert result.kind is FaultKind.LOCAL
            assert wall.connections == 0

    asyncio.run(main())


@pytest.mark.parametrize("name", [name for name in ADAPTERS if name not in IN_PROCESS])
@pytest.mark.parametrize(
    "model", ["m\r\nX-Evil: 1", "m HTTP/1.1\r\n\r\nGET /x", "m\0", "../../x?key=1#", "//evil.example/x"]
)
def test_a21_no_header_or_path_is_forged_by_a_models_name(name: str, model: str) -> None:
    for stream in (False, True):
        (sent,) = tried([answer({}, 404)], stream, replace(REQUEST, model=model), adapter=name).attempts
        assert "x-evil" not in sent.headers
        assert sent.path.startswith("/v1/")
        assert not {"..", "//", "evil.example"} & set(sent.path.split("/"))
        assert "//" not in sent.path


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is not set"),
        ("acme.invalid/v1", "must start with http:// or https://"),
        ("ftp://acme.invalid", "must start with http:// or https://"),
        ("https://", "name a host"),
        ("https://me:secret@acme.invalid", "holds a user name or password"),
        ("https://acme.invalid?x=1", "must not hold a query"),
        ("https://acme.invalid#x", "must not hold a query or a fragment"),
        ("https://acme.invalid /v1", "holds a space"),
        ("https://acme.invalid\n", "holds a space or a control character"),
        ("https://acme.invalid:99999", "can not be read"),
        ("https://[::1", "can not be read"),
        ("http://acme.invalid/v1", "would send the key in the clear to acme.invalid"),
        ("http://127.0.0.1.acme.invalid", "in the clear"),
        ("http://2130706433", "in the clear"),
    ],
)
def test_a19_a_key_goes_only_to_a_fit_address(url: str, words: str) -> None:
    with pytest.raises(Fault, match=words) as caught:
        endpoint(replace(ACME, base_url=url), "/x")
    assert caught.value.kind is FaultKind.LOCAL
    assert "secret" not in caught.value.message


def test_addresses_that_are_fit() -> None:
    assert endpoint(replace(ACME, base_url="https://acme.invalid/v1/"), "/x") == "https://acme.invalid/v1/x"
    assert endpoint(replace(ACME, base_url="http://[::1]:80"), "/x") == "http://[::1]:80/x"
    assert endpoint(replace(ACME, base_url="http://acme.invalid", api_key=None), "/x") == "http://acme.invalid/x"
    assert [is_loopback(host) for host in ("localhost", "a.localhost", "127.9.9.9", "10.0.0.1", "localhost.x")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert origin("https://u:p@x.invalid:8/path?q#f") == "https://x.invalid:8"


def test_a20_neither_proxy_nor_netrc_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (sent,) = tried([answer(OK)], connection=replace(ACME, api_key=None)).attempts
    assert "authorization" not in sent.headers


def test_a26_cookies_are_not_kept() -> None:
    async def main() -> None:
        # By name, as a usual jar keeps no cookies of bare addresses anyway.
        async with (
            Wall(lambda _: [answer(OK, headers={"Set-Cookie": "a=b; Path=/"})]) as wall,
            aclosing(OpenAI(replace(ACME, base_url=wall.url.replace("127.0.0.1", "localhost")))) as adapter,
        ):
            for _ in range(3):
                await attempt(adapter)
            assert len(wall.attempts) == 3
            assert not any("cookie" in sent.headers for sent in wall.attempts)

    asyncio.run(main())


def test_a23_the_key_is_in_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    acts: list[list[Act]] = [[answer(OK)], [STREAM_HEAD, STREAM, CLOSE], [RESET], [answer({}, 401)], [b"SSH-2.0\r\n"]]
    for said in acts:
        for streamed in (False, True):
            tried(said, streamed)
    assert CANARY not in caplog.text
    connection = replace(ACME, headers={"X": CANARY})
    assert CANARY not in f"{connection!r}{connection}{OpenAI(connection)!r}"


def test_only_known_names_open_an_adapter() -> None:
    for name in ADAPTERS:
        adapter = open_adapter(name, ACME)
        asyncio.run(adapter.aclose())
    with pytest.raises(Fault, match="no adapter is called 'opneai': there are openai, anthropic, ") as caught:
        open_adapter("opneai", ACME)
    assert caught.value.kind is FaultKind.LOCAL
    keeps_the_key(caught.value)


def test_names_are_checked_without_loading_anything_heavy() -> None:
    code = "import sys, smoadsl.adapters, smoadsl.adapters.base; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"aiohttp", "orjson", "xllamacpp", "asyncio", "importlib.metadata"} & set(loaded)
