"""What a sealed file shows without a key: its form, whom it was sealed for by kind, its sizes, and what is plainly wrong with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BufferedReader

from audit.vault.age import hybrid, scrypt, x25519
from audit.vault.age.armor import open_form
from audit.vault.age.container import NONCE, Sealed
from audit.vault.age.failure import OpeningError
from audit.vault.age.header import Stanza, decode_base64, read_header
from audit.vault.age.stream import CHUNK, TAG
from classifier.errors import IntegrityError

BLOCK = 1 << 20
# What each kind is worth against a quantum computer. Kinds that other tools write are known by name only.
POST_QUANTUM = {
    hybrid.TYPE: True,
    scrypt.TYPE: True,
    "mlkem768p256tag": True,
    x25519.TYPE: False,
    "ssh-rsa": False,
    "ssh-ed25519": False,
    "piv-p256": False,
    "p256tag": False,
}
KNOWN = (hybrid.TYPE, x25519.TYPE, scrypt.TYPE)


@dataclass(frozen=True)
class StanzaKind:
    """Stanzas of a header that look the same.

    Args:
        type: Kind of recipient, ``"mlkem768x25519"``; chosen by who wrote the file.
        count: How many there are.
        argument_characters: Length of each argument.
        body_bytes: Length of the body.
        known: Whether this release opens such a file.
        work_factor: Of a passphrase: the power of two of its cost.
    """

    type: str
    count: int
    argument_characters: tuple[int, ...]
    body_bytes: int
    known: bool
    work_factor: int | None = None

    @property
    def grease(self) -> bool:
        """Whether it stands for nobody, and is there so that readers keep passing over what they do not know."""
        return self.type.endswith("-grease")


@dataclass(frozen=True)
class Inspection:
    """What a sealed file shows without a key. Nothing of it is authenticated.

    Args:
        armored: Whether it is in its text form.
        stanzas: By kind, in the order of the header.
        post_quantum: Whether it stays shut to quantum computers; ``None`` if there are recipients of kinds unknown here.
        header_bytes: Length of the header.
        payload_bytes: Length of all that follows it.
        chunks: How many chunks the payload has.
        plaintext_bytes: Length of what was sealed, if nothing was cut off or added.
        complaints: What is plainly wrong, as sentences.
    """

    armored: bool
    stanzas: tuple[StanzaKind, ...]
    post_quantum: bool | None
    header_bytes: int
    payload_bytes: int
    chunks: int
    plaintext_bytes: int
    complaints: tuple[str, ...]


def inspect_sealed(file: BufferedReader) -> Inspection:
    """Read a sealed file's structure, in constant memory and without a key.

    Args:
        file: The file at its start, or a pipe.

    Raises:
        IntegrityError: If it is no age file, or its header or its armour is malformed.
    """
    source = open_form(file)
    try:
        header = read_header(source)
        payload = _rest(source)
    except OpeningError:
        # There is no key at hand that an answer could tell about.
        raise IntegrityError(
            "this is no age file, or its header or its armour is malformed", remedy="ask its sender for a new copy"
        ) from None
    header_bytes = len(header.signed) + len(b" \n") + 43
    chunks, plaintext, wrong = _measure(payload)
    complaints = [f"recipient {i}: {fault}" for i, stanza in enumerate(header.stanzas, 1) if (fault := _fault(stanza))]
    if len(header.stanzas) > 1 and any(stanza.type == scrypt.TYPE for stanza in header.stanzas):
        complaints.append("a passphrase stands beside other recipients, which no reader accepts")
    return Inspection(
        armored=source is not file,
        stanzas=_grouped(header.stanzas),
        post_quantum=_post_quantum(header.stanzas),
        header_bytes=header_bytes,
        payload_bytes=payload,
        chunks=chunks,
        plaintext_bytes=plaintext,
        complaints=(*complaints, *wrong),
    )


def _rest(source: Sealed) -> int:
    """How many bytes follow the header."""
    if isinstance(source, BufferedReader) and source.seekable():
        start = source.tell()
        return source.seek(0, os.SEEK_END) - start
    buffer = memoryview(bytearray(BLOCK))
    total = 0
    while count := source.readinto(buffer):
        total += count
    return total


def _measure(payload: int) -> tuple[int, int, list[str]]:
    """Chunks and bytes of plaintext in a payload of so many bytes, and what is wrong with this length."""
    if payload < NONCE:
        return 0, 0, [f"it was cut within the {NONCE} bytes after its header"]
    full, last = divmod(payload - NONCE, CHUNK + TAG)
    chunks = full + (last > 0)
    plaintext = max(0, payload - NONCE - chunks * TAG)
    if chunks == 0:
        return chunks, 0, ["it was cut after its header: it has no chunk"]
    if 0 < last < TAG:
        return chunks, plaintext, [f"it was cut within a chunk: the last has {last} bytes, required are {TAG} or more"]
    if last == TAG and full:
        return chunks, plaintext, ["its last chunk is empty, which only that of an empty file may be"]
    return chunks, plaintext, []


def _fault(stanza: Stanza) -> str | None:
    """What no reader would accept of a stanza of a known kind."""
    if stanza.type not in KNOWN:
        return None
    if len(stanza.body) != hybrid.FILE_KEY + hybrid.TAG:
        return f"its body has {len(stanza.body)} bytes, required are {hybrid.FILE_KEY + hybrid.TAG}"
    wanted = 2 if stanza.type == scrypt.TYPE else 1
    if len(stanza.arguments) != wanted:
        return f"it has {len(stanza.arguments)} arguments, required are {wanted}"
    size = {hybrid.TYPE: hybrid.SHARE, x25519.TYPE: x25519.KEY, scrypt.TYPE: scrypt.SALT}[stanza.type]
    try:
        length = len(decode_base64(stanza.arguments[0].encode("ascii")))
    except OpeningError:
        return "its argument is not in base64's one form"
    if length != size:
        return f"its argument has {length} bytes, required are {size}"
    if stanza.type == scrypt.TYPE and _work_factor(stanza) is None:
        return "its work factor is no number"
    return None


def _work_factor(stanza: Stanza) -> int | None:
    if stanza.type != scrypt.TYPE or len(stanza.arguments) != 2 or not scrypt.DECIMAL.fullmatch(stanza.arguments[1]):
        return None
    return int(stanza.arguments[1])


def _grouped(stanzas: tuple[Stanza, ...]) -> tuple[StanzaKind, ...]:
    looks = [
        (stanza.type, tuple(map(len, stanza.arguments)), len(stanza.body), stanza.type in KNOWN, _work_factor(stanza)) for stanza in stanzas
    ]
    return tuple(
        StanzaKind(kind, looks.count(look), arguments, body, known, work)
        for look in dict.fromkeys(looks)
        for kind, arguments, body, known, work in [look]
    )


def _post_quantum(stanzas: tuple[Stanza, ...]) -> bool | None:
    worth = [POST_QUANTUM.get(stanza.type) for stanza in stanzas if not stanza.type.endswith("-grease")]
    if False in worth:
        return False
    return None if None in worth or not worth else True
