"""Addresses of the Internet Protocol (RFC 791, RFC 4291)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from audit.data.personal_identifiers.kind import Kind, register
from audit.data.personal_identifiers.kinds._digits import NO_FRACTION


@register
@dataclass(frozen=True)
class IpAddress(Kind):
    """Four numbers below 256, or up to eight groups of hexadecimal digits."""

    noun = "IP addresses"
    evidence = "form"
    pattern = re.compile(
        rf"(?<![\w:]){NO_FRACTION}(?:\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?!\w|\.\d)|[0-9A-Fa-f]{{0,4}}(?::[0-9A-Fa-f]{{0,4}}){{2,7}}(?![\w:]))",
        re.ASCII,
    )
    column_names = ("ip", "ipaddress", "ipaddr", "ipv4", "ipv6")

    def holds(self, candidate: str) -> bool:
        """It is an address; and not one that a version number or a clock could be: a number above 31, or three groups and ``::``."""
        try:
            if ":" not in candidate:
                IPv4Address(candidate)
                return any(int(number) > 31 for number in candidate.split("."))
            IPv6Address(candidate)
        except AddressValueError:
            return False
        return sum(bool(group) for group in candidate.split(":")) >= 3
