"""Which addresses a request may go to.

Rota calls internal systems, so private and loopback addresses are fine. What is refused is where a machine
finds its own credentials: link-local addresses and the metadata services of clouds. Every connection is made
to an address that was checked itself, so a name that resolves differently the second time (DNS rebinding)
gains nothing.
"""

import ipaddress
import socket

from django.conf import settings
from django.utils.translation import gettext

from workers.handlers.errors import HandlerError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Metadata services outside the link-local ranges: AWS (IPv6), Google (IPv6), Alibaba, Oracle, Azure.
METADATA_ADDRESSES: frozenset[Address] = frozenset(
    ipaddress.ip_address(text)
    for text in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)
#: Their names, refused even when a proxy would resolve them.
METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def refused_address(address: Address) -> bool:
    """Whether the policy refuses this address, also when an IPv4 address hides in an IPv6 one."""
    return any(each.is_link_local or each.is_unspecified or each in METADATA_ADDRESSES for each in _meanings(address))


def check_name(host: str) -> None:
    """Refuse the name of a metadata service, and a refused address written as one.

    Raises HandlerError("egress_refused"). Nothing is resolved here.
    """
    if link_local_allowed():
        return
    if host.rstrip(".").lower() in METADATA_NAMES:
        raise _refusal(host, host)
    address = _literal(host)
    if address is not None and refused_address(address):
        raise _refusal(host, host)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host that may be connected to, in the resolver's order.

    One refused address refuses the host, because nobody serves the same thing under both. Raises
    HandlerError("egress_refused") and what ``socket.getaddrinfo`` raises.
    """
    check_name(host)
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    # A scoped address (fe80::1%eth0) keeps its scope only in this text form.
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not link_local_allowed():
        for text in addresses:
            if refused_address(ipaddress.ip_address(text)):
                raise _refusal(host, text)
    return addresses


def link_local_allowed() -> bool:
    """Whether the installation switched the policy off: ``WORKERS["HTTP_ALLOW_LINK_LOCAL"]``."""
    return bool(getattr(settings, "WORKERS", {}).get("HTTP_ALLOW_LINK_LOCAL", False))


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        # The short, octal, hexadecimal and decimal forms that resolvers accept: 169.254.43518, 0xa9fea9fe,
        # ...
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _meanings(address: Address) -> list[Address]:
    meanings: list[Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        plain = ipaddress.IPv6Address(int(address))
        meanings = [plain]
        for inner in (plain.ipv4_mapped, plain.sixtofour):
            if inner is not None:
                meanings.append(inner)
        if plain in _NAT64:
            meanings.append(ipaddress.IPv4Address(int(plain) & 0xFFFFFFFF))
    return meanings


def _refusal(host: str, address: str) -> HandlerError:
    message = gettext(
        "Requests to %(host)s (%(address)s) are refused: the address is link-local, unspecified "
        "or a cloud's metadata service."
    ) % {"host": host, "address": address}
    return HandlerError("egress_refused", message, retryable=False)
