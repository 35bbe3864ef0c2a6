"""The header of a sealed file: one stanza a recipient, and a code that authenticates them (c2sp.org/age, "Header")."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.vault.age.failure import OpeningError

VERSION = b"age-encryption.org/v1\n"
STANZA, END = b"-> ", b"---"
COLUMNS = 64
MAC = 32
# A header that is longer, or names more recipients, is an attempt to exhaust memory or time.
LONGEST, MOST_STANZAS = 1 << 20, 256


class Lines(Protocol):
    """A binary file that is read line by line."""

    def readline(self, size: int, /) -> bytes:
        """The next line with its end, or as much of it as `size` bytes hold."""
        ...


@dataclass(frozen=True)
class Stanza:
    """The file key, wrapped for one recipient.

    Args:
        type: Kind of recipient, ``"X25519"``.
        arguments: What that kind needs to unwrap it.
        body: The wrapped key.
    """

    type: str
    arguments: tuple[str, ...]
    body: bytes


@dataclass(frozen=True)
class Header:
    """What a sealed file says before its payload.

    Args:
        stanzas: One for each recipient.
        signed: The bytes that the code covers: from the start up to and including ``---``.
        mac: The code ``(32 bytes)``.
    """

    stanzas: tuple[Stanza, ...]
    signed: bytes
    mac: bytes

    def verify(self, file_key: bytes) -> None:
        """Check that who wrote this header knew the file key.

        Raises:
            OpeningError: If the code is another.
        """
        try:
            _hmac(file_key, self.signed).verify(self.mac)
        except InvalidSignature:
            raise OpeningError("HMAC failure") from None


def write_header(stanzas: Iterable[Stanza], file_key: bytes) -> bytes:
    """The header of `stanzas`, authenticated under the file key ``(16 bytes)``."""
    signed = VERSION + b"".join(map(_written, stanzas)) + END
    return signed + b" " + encode_base64(_hmac(file_key, signed).finalize()) + b"\n"


def read_header(source: Lines) -> Header:
    """Read a header, and leave `source` where the payload begins.

    Raises:
        OpeningError: If anything is not exactly as the format wants it, or beyond the limits.
    """
    lines = _Reader(source)
    if lines.next() != VERSION:
        raise OpeningError("header failure")
    stanzas: list[Stanza] = []
    while (line := lines.next()).startswith(STANZA):
        if len(stanzas) == MOST_STANZAS:
            raise OpeningError("header failure")
        stanzas.append(_stanza(line, lines))
    end, space, code = line[: len(END)], line[len(END) : len(END) + 1], line[len(END) + 1 : -1]
    mac = decode_base64(code)
    if not stanzas or (end, space) != (END, b" ") or len(mac) != MAC:
        raise OpeningError("header failure")
    return Header(tuple(stanzas), bytes(lines.consumed[: -len(line)]) + END, mac)


def encode_base64(data: bytes) -> bytes:
    """Base64 without padding (RFC 4648, section 4)."""
    return b64encode(data).rstrip(b"=")


def decode_base64(text: bytes) -> bytes:
    """Read base64 without padding.

    Raises:
        OpeningError: If `text` is not the one way to write its bytes.
    """
    try:
        data = b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise OpeningError("header failure") from None
    if encode_base64(data) != text:
        raise OpeningError("header failure")
    return data


class _Reader:
    """Whole lines of a header, remembered for its code, and no more of them than a header may have."""

    def __init__(self, source: Lines) -> None:
        self._source = source
        self.consumed = bytearray()

    def next(self) -> bytes:
        line = self._source.readline(LONGEST - len(self.consumed))
        if not line.endswith(b"\n"):
            raise OpeningError("header failure")
        self.consumed += line
        return line


def _stanza(line: bytes, lines: _Reader) -> Stanza:
    arguments = line[len(STANZA) : -1].split(b" ")
    # Printable ASCII without the space; an empty argument is two spaces in a row.
    if not all(argument and all(33 <= byte <= 126 for byte in argument) for argument in arguments):
        raise OpeningError("header failure")
    body = bytearray()
    while True:
        text = lines.next()[:-1]
        if len(text) > COLUMNS:
            raise OpeningError("header failure")
        body += decode_base64(text)
        if len(text) < COLUMNS:
            break
    kind, *rest = (argument.decode("ascii") for argument in arguments)
    return Stanza(kind, tuple(rest), bytes(body))


def _written(stanza: Stanza) -> bytes:
    body = encode_base64(stanza.body)
    # The last line is shorter than the others, so that its end shows; it is empty where they fill all columns.
    rows = [body[start : start + COLUMNS] for start in range(0, len(body) + 1, COLUMNS)]
    return STANZA + " ".join((stanza.type, *stanza.arguments)).encode("ascii") + b"\n" + b"".join(row + b"\n" for row in rows)


def _hmac(file_key: bytes, signed: bytes) -> HMAC:
    code = HMAC(HKDF(SHA256(), 32, salt=None, info=b"header").derive(file_key), SHA256())
    code.update(signed)
    return code
