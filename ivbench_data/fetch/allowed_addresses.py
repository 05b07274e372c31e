"""Which addresses a fetch may connect to: public ones, and the local ones that the user named.

A name that resolves to one address when it is checked and to another when it is used, or a redirect into the local
network, would let a hostile video page read what only this machine can reach. So the check stands where the connection
is made, on the very address that is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefusedError(ValueError):
    """A connection that a fetch does not make; no `OSError`, which would be tried again."""


class AddressGuard:
    """Decides about each connection of one fetch."""

    def __init__(self, allowed: Iterable[tuple[str, int]] = ()) -> None:
        self._allowed = frozenset((host.lower(), port) for host, port in allowed)

    def allows_named(self, host: str, port: int) -> bool:
        """Whether the user named this host and port, so that it may be local."""
        return (host.strip("[]").lower(), port) in self._allowed

    def check_address(self, host: str, port: int, address: str) -> None:
        """Pass when `host` may be connected to at `address`.

        Raises:
            AddressRefusedError: the address is not public, and neither a named source nor a named proxy.
        """
        if not self.allows_named(host, port) and not is_public(address):
            raise AddressRefusedError(f"refused address: {host}:{port} is {address}, which is not a public address")

    def check_url(self, url: str) -> None:
        """Pass when the URL is one that may be asked for, as far as its text tells: behind a proxy that is all we see.

        Raises:
            AddressRefusedError: not http or https, or the host is written as an address that is not public.
        """
        parts = urlsplit(url)
        if parts.scheme.lower() not in ("http", "https"):
            raise AddressRefusedError(
                f"refused redirect: {parts.scheme or 'no'} scheme; only http and https are followed"
            )
        host = parts.hostname or ""
        if self.allows_named(host, parts.port or _DEFAULT_PORTS[parts.scheme.lower()]):
            return
        local_name = host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
        if local_name or (_is_address(host) and not is_public(host)):
            raise AddressRefusedError(f"refused address: {host} is not a public address")


def is_public(address: str) -> bool:
    """Whether the IP address is one of the open internet; those that carry an IPv4 address are what it is."""
    ip: IPAddress = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def endpoint_of(url: str) -> tuple[str, int]:
    """Host and port of an address, the scheme's own port where none is given."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    return (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(parts.scheme.lower(), 80)


def is_local_endpoint(host: str, port: int) -> bool:
    """Whether all addresses of the host are local ones; a name that does not resolve is not."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and not any(is_public(address) for address in found)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
