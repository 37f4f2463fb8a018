"""Test reach, to let a provider stand in a private network only where its author says so, whatever its name says."""

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from smoadsl.adapters.address import endpoint, is_loopback, is_private
from smoadsl.adapters.base import Connection, Fault, FaultKind
from smoadsl.adapters.resolve import Resolver

PRIVATE = [
    "10.0.0.5", "172.16.0.1", "192.168.1.5", "100.64.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "240.0.0.1",
    "fd00::1", "fe80::1", "fe80::1%eth0", "::", "ff02::1", "::ffff:192.168.1.5", "2852039166", "0xA9FEA9FE", "10.1",
    "012.0.0.1", "vllm", "metadata.google.internal", "printer.local", "NAS.Home.Arpa.",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "2606:4700::1111", "api.example.com", "api.example.com.", "local.example.com", "10.example.com"]
HERE = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "a.localhost", "2130706433", "0x7f.1"]


def test_what_is_private() -> None:
    assert [host for host in PRIVATE if not is_private(host)] == []
    assert [host for host in [*PUBLIC, *HERE] if is_private(host)] == []
    assert [host for host in [*PRIVATE, *PUBLIC] if is_loopback(host)] == []
    assert [host for host in HERE[:3] if not is_loopback(host)] == []


def test_a_private_address_needs_a_local_provider() -> None:
    url = "http://10.0.0.5:8000/v1"
    with pytest.raises(Fault, match="private network: declare the provider with local = true") as refused:
        endpoint(Connection("lab", url), "/x")
    assert refused.value.kind is FaultKind.LOCAL
    assert endpoint(Connection("lab", url, local=True), "/x") == f"{url}/x"


class Names(AbstractResolver):
    """Names that lead where they are told to."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=found, port=port, family=family, proto=0, flags=0) for found in self.hosts
        ]

    async def close(self) -> None:
        return None


def resolved(connection: Connection, *hosts: str, name: str = "api.example.com") -> list[str]:
    found = asyncio.run(Resolver(connection, Names(*hosts)).resolve(name, 443))
    return [one["host"] for one in found]


def test_a_public_name_does_not_lead_into_a_private_network() -> None:
    lab = Connection("lab", "https://api.example.com/v1")
    assert resolved(lab, "8.8.8.8", "10.0.0.5", "127.0.0.1") == ["8.8.8.8", "127.0.0.1"]
    with pytest.raises(Fault, match="private network") as refused:
        resolved(lab, "10.0.0.5", "169.254.169.254")
    assert refused.value.kind is FaultKind.LOCAL
    assert resolved(Connection("lab", lab.base_url, local=True), "10.0.0.5") == ["10.0.0.5"]


def test_a_name_of_this_machine_leads_to_it_alone() -> None:
    """Any key may go there, in the clear."""
    for lab in (Connection("lab", "http://a.localhost/v1"), Connection("lab", "http://a.localhost/v1", local=True)):
        assert resolved(lab, "127.0.0.1", "::1", name="a.localhost") == ["127.0.0.1", "::1"]
        for hosts in (["8.8.8.8"], ["127.0.0.1", "8.8.8.8"], ["10.0.0.5"]):
            with pytest.raises(Fault, match="names this machine, and leads to another") as refused:
                resolved(lab, *hosts, name="a.localhost")
            assert refused.value.kind is FaultKind.LOCAL
