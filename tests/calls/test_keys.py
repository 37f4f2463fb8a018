"""Test keys, to see each key go to the origin that it is bound to, and to no other whatever a file says."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from smoadsl.adapters.base import Adapter, Connection, Fault, Reply, Request, Usage
from smoadsl.adapters.scripted import Scripted
from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.calls.keys import Bound, Unbound, bound_of
from smoadsl.calls.route import Env, Provider
from smoadsl.calls.session import Session
from smoadsl.diagnostics.source import Source
from smoadsl.language.check import Given
from smoadsl.tools import api
from tests.canary import CANARY

KEY = Env("LAB_KEY")
LAB = Provider("lab", "openai", "https://llm.example.org/v1", KEY)
HERE = "https://llm.example.org"
TOGETHER = Provider("mine", "openai", "https://api.together.xyz/v1", Env("TOGETHER_API_KEY"))


class AllSet(Mapping[str, str]):
    """An environment in which every variable holds a secret."""

    def __getitem__(self, name: str) -> str:
        return CANARY

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def connected(provider: Provider, *allowed: str, environ: Mapping[str, str] | None = None) -> Connection:
    """What the provider's adapter is given. Raises what a session raises."""
    given: list[Connection] = []

    def opened(_kind: str, connection: Connection) -> Adapter:
        given.append(connection)
        return Scripted(lambda _: "Fine.")

    async def main() -> None:
        bounds = frozenset(bound_of(text) for text in allowed)
        async with Session({provider.name: provider}, AllSet() if environ is None else environ, opened, bounds) as one:
            one.opened(provider.name)

    asyncio.run(main())
    return given[0]


@pytest.mark.parametrize("name", [name for name, row in WELL_KNOWN.items() if row.key])
def test_a17_a_well_known_key_goes_to_its_own_provider_alone(name: str) -> None:
    row = WELL_KNOWN[name]
    own = Provider(name, row.adapter, row.base_url, Env(row.key))
    assert connected(own).api_key == CANARY
    assert connected(replace(own, name="mine", base_url=f"{row.base_url}/elsewhere")).api_key == CANARY
    for other in WELL_KNOWN.values():
        if other.key and other.base_url != row.base_url:
            with pytest.raises(Unbound):
                connected(replace(own, base_url=other.base_url))


@pytest.mark.parametrize(
    "url",
    [
        "http://api.together.xyz/v1",
        "https://api.together.xyz:8443/v1",
        "https://api.together.xyz.evil.example/v1",
        "https://evil.example/api.together.xyz/v1",
        "https://api.together.xyz./v1",
        "https://together.xyz/v1",
        "https://арі.together.xyz/v1",
        "https://10.0.0.1/v1",
        "https://127.0.0.1.evil.example/v1",
        "https://localhost.evil.example/v1",
    ],
)
def test_a17_another_host_port_or_scheme_is_another_origin(url: str) -> None:
    with pytest.raises(Unbound, match=r"TOGETHER_API_KEY would go to http.*that was never allowed") as caught:
        connected(replace(TOGETHER, base_url=url))
    assert CANARY not in str(caught.value)
    assert str(caught.value).isascii()  # a host of letters that look like others is spelled out


@pytest.mark.parametrize(
    "url", ["https://api.together.xyz", "https://API.Together.xyz:443/v1", "https://api.together.xyz/x"]
)
def test_one_origin_has_many_spellings(url: str) -> None:
    assert connected(replace(TOGETHER, base_url=url)).api_key == CANARY


def test_any_other_key_needs_to_be_allowed() -> None:
    with pytest.raises(Unbound) as caught:
        connected(LAB)
    told = f"LAB_KEY would go to {HERE} (provider lab): that was never allowed"
    assert str(caught.value) == f"{told}; if it is meant, add --allow-env LAB_KEY={HERE}"
    assert connected(LAB, f"LAB_KEY={HERE}").api_key == CANARY
    assert connected(LAB, f"LAB_KEY={HERE}:443/").api_key == CANARY
    for other in (f"OTHER={HERE}", f"LAB_KEY={HERE}:8443", "LAB_KEY=https://example.org"):
        with pytest.raises(Unbound):
            connected(LAB, other)


def test_headers_are_keys_too() -> None:
    azure = replace(LAB, api_key=None, headers={"api-key": Env("AZURE"), "X-Team": "blue"})
    with pytest.raises(Unbound, match=f"add --allow-env AZURE={HERE}$"):
        connected(azure)
    assert connected(azure, f"AZURE={HERE}").headers == {"api-key": CANARY, "X-Team": "blue"}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:9", "https://127.8.8.8"]
)
def test_this_machine_is_free(url: str) -> None:
    assert connected(replace(LAB, base_url=url)).api_key == CANARY
    assert connected(replace(TOGETHER, base_url=url)).api_key == CANARY


def test_an_adapter_that_knows_its_own_way_is_an_origin() -> None:
    lab = Provider("lab", "acme", "", KEY)
    with pytest.raises(Unbound, match=r"add --allow-env LAB_KEY=adapter:acme$"):
        connected(lab)
    assert connected(lab, "LAB_KEY=adapter:acme").api_key == CANARY


def test_an_adapter_of_others_is_trusted_with_nothing_unasked() -> None:
    """It may send where it likes, whatever its `base_url` says."""
    for url in ("http://127.0.0.1:8000", TOGETHER.base_url):
        mine = replace(TOGETHER, adapter="acme", base_url=url)
        with pytest.raises(Unbound) as caught:
            connected(mine)
        asked = str(caught.value).rpartition(" ")[2]
        assert connected(mine, asked).api_key == CANARY


def test_a_key_that_is_not_set_can_go_nowhere() -> None:
    with pytest.raises(Fault, match="lab needs a key: set LAB_KEY"):
        connected(LAB, environ={})


def test_all_that_is_missing_is_told_at_once_and_can_be_pasted() -> None:
    evil = Env("A B;$(reboot)")
    lab = replace(LAB, headers={"x": evil, "y": KEY})
    with pytest.raises(Unbound) as caught:
        connected(lab)
    assert str(caught.value).endswith(f"add --allow-env LAB_KEY={HERE} --allow-env 'A B;$(reboot)={HERE}'")


def test_a_session_that_was_not_entered_gives_no_key_either() -> None:
    with pytest.raises(Fault, match="that was never allowed"):
        Session({"lab": LAB}, AllSet(), lambda kind, connection: Scripted(lambda _: "Fine.")).opened("lab")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "takes NAME=ORIGIN"),
        ("LAB_KEY", "takes NAME=ORIGIN"),
        ("=https://x.example", "takes NAME=ORIGIN"),
        ("LAB_KEY=", "takes NAME=ORIGIN"),
        ("LAB_KEY=x.example", "takes an origin such as"),
        ("LAB_KEY=*", "takes an origin such as"),
        ("LAB_KEY=https://*.x.example", "takes an origin such as"),
        ("LAB_KEY=https://", "takes an origin such as"),
        ("LAB_KEY=https://[::1", "takes an origin such as"),
        ("LAB_KEY=https://x.example:99999", "takes an origin such as"),
        ("LAB_KEY=https://me:secret@x.example", "takes an origin such as"),
        ("LAB_KEY=ftp://x.example", "takes an origin such as"),
        ("LAB_KEY=http://x.example", "takes no http:// but to this machine"),
        ("LAB_KEY=https://x.example/v1", "takes scheme, host and port alone: LAB_KEY=https://x.example$"),
    ],
)
def test_what_allows_nothing(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("*", r"\*")):
        bound_of(text)


def test_what_is_allowed_has_one_spelling() -> None:
    assert bound_of(" LAB_KEY = HTTPS://LLM.example.org:443/ ") == Bound("LAB_KEY", HERE)
    assert str(bound_of("LAB_KEY=https://bücher.example:8443")) == "LAB_KEY=https://xn--bcher-kva.example:8443"


PROGRAM = """
provider lab = openai {
  base_url = "https://llm.example.org/v1"
  api_key  = env("LAB_KEY")
  headers  = { "x" = env("X") }
}
model small = "groq/x"
model big = "lab/x"
pipeline p {
  layer a { propose small * 3 }
  aggregate big
}
"""


def test_from_python_nothing_is_asked_before_all_keys_may_go(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Connection] = []

    def answer(request: Request) -> Reply:
        return Reply("Fine.", "stop", Usage(1, 1), request.model)

    def opened(_kind: str, connection: Connection) -> Adapter:
        seen.append(connection)
        return Scripted(answer)

    environ = {"LAB_KEY": CANARY, "X": CANARY, "GROQ_API_KEY": CANARY}
    with pytest.raises(Unbound, match=r"LAB_KEY would go .* X would go "):
        api.run_sync(Source("p.moa", PROGRAM), "hi", environ=environ, opener=opened)
    assert not seen
    allowed = (f"LAB_KEY={HERE}", f"X={HERE}")
    assert (
        api.run_sync(Source("p.moa", PROGRAM), "hi", environ=environ, opener=opened, allow_env=allowed).text == "Fine."
    )
    assert {one.provider for one in seen} == {"groq", "lab"}
    with pytest.raises(ValueError, match="takes NAME=ORIGIN"):
        api.run_sync(Source("p.moa", PROGRAM), "hi", environ=environ, opener=opened, allow_env=("LAB_KEY",))


def test_a_key_stays_behind_when_its_provider_is_reached_elsewhere() -> None:
    """Also where it may go: who types an address for a while has not thought of keys."""
    seen: list[Connection] = []

    def opened(_kind: str, connection: Connection) -> Adapter:
        seen.append(connection)
        return Scripted(lambda _: "Fine.")

    for url in ("https://other.example/v1", "https://llm.example.org:8443/v1", "http://127.0.0.1:9/v1"):
        plan = api.compile(Source("p.moa", PROGRAM), given=Given(base_urls={"lab": url, "groq": url})).value
        assert plan
        api.run_sync(plan, "hi", environ=AllSet(), opener=opened, allow_env=(f"LAB_KEY={HERE}", f"X={HERE}"))
    assert len(seen) == 6
    assert not any(one.api_key or one.headers for one in seen)
