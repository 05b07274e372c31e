from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivbench_data.fetch.allowed_addresses import (
    AddressGuard,
    AddressRefusedError,
    endpoint_of,
    is_local_endpoint,
    is_public,
)

LOCAL = [
    "127.0.0.1", "127.8.9.10", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::",
]  # fmt: skip


@pytest.mark.parametrize("address", LOCAL)
def test_local_addresses_are_refused_in_every_disguise(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(AddressRefusedError, match="not a public address"):
        AddressGuard().check_address("video.example", 443, address)


@pytest.mark.parametrize("address", ["142.250.74.206", "8.8.8.8", "2a00:1450:400f:80d::200e", "64:ff9b::808:808"])
def test_public_addresses_pass(address: str) -> None:
    AddressGuard().check_address("video.example", 443, address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_as_public_inside_ipv6(address: object) -> None:
    assert is_public(f"::ffff:{address}") == is_public(str(address))


def test_only_the_named_host_and_port_may_be_local() -> None:
    guard = AddressGuard([("Mirror.Lab", 8080)])
    guard.check_address("mirror.lab", 8080, "10.0.0.7")
    for host, port in (("mirror.lab", 22), ("other.lab", 8080)):
        with pytest.raises(AddressRefusedError):
            guard.check_address(host, port, "10.0.0.7")


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a.example/x", "data:video/mp4;base64,AAAA", "http://localhost/x", "http://a.local/",
     "http://[::1]/x", "http://127.0.0.1:8000/x", "https://169.254.169.254/latest/meta-data/", "gopher://a.example"],
)  # fmt: skip
def test_addresses_that_are_refused_by_their_text(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        AddressGuard().check_url(url)


def test_endpoints() -> None:
    assert endpoint_of("https://A.example/x") == ("a.example", 443)
    assert endpoint_of("http://a.example:81/x") == ("a.example", 81)
    assert endpoint_of("socks5://user:pw@[::1]") == ("::1", 1080)


def test_a_name_that_resolves_to_a_public_address_is_not_local(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"both.example": ["10.0.0.1", "8.8.8.8"], "lab.example": ["10.0.0.1"]}

    def resolve(host: str, port: int, **kwargs: object) -> list[tuple[object, ...]]:
        if host not in answers:
            raise socket.gaierror("Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert is_local_endpoint("lab.example", 80)
    assert not is_local_endpoint("both.example", 80)
    assert not is_local_endpoint("absent.example", 80)
