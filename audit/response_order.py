"""The certificates of a time stamp in the order that DER asks for.

They are a set (RFC 5652, 5.1), which DER writes in the order of its elements' bytes. OpenSSL, and with it many an authority, writes
them in the order of the chain, and strict readers refuse that. No signature covers the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

_CERTIFICATES = 0xA0  # [0] IMPLICIT


def in_order(response: bytes) -> bytes:
    """The same response with its certificates in order; unchanged where it is no response, or has none."""
    try:
        place = _certificates(response)
    except (IndexError, ValueError):
        return response
    if place is None:
        return response
    begin, end = place
    ordered = b"".join(sorted(response[start:stop] for _, start, _, stop in _elements(response, begin, end)))
    return response[:begin] + ordered + response[end:]


def _certificates(response: bytes) -> tuple[int, int] | None:
    """Where the content of ``SignedData.certificates`` lies."""
    # TimeStampResp, its second field TimeStampToken, its second field the explicit content, and in that SignedData.
    place = 0, len(response)
    for field in (0, 1, 1, 0):
        _, _, begin, end = list(_elements(response, *place))[field]
        place = begin, end
    for tag, _, begin, end in islice(_elements(response, *place), 3, 4):
        if tag == _CERTIFICATES:
            return begin, end
    return None


def _elements(content: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The elements of DER between two places: the tag of each, where it begins, where its content does, and where it ends."""
    while begin < end:
        length, body = content[begin + 1], begin + 2
        if length >= 0x80:
            octets = length & 0x7F
            length, body = int.from_bytes(content[body : body + octets], "big"), body + octets
        if body + length > end:
            raise ValueError("an element is longer than what holds it")
        yield content[begin], begin, body, body + length
        begin = body + length
