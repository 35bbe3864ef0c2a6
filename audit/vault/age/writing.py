"""Writing a sealed file by place, in several threads (c2sp.org/age)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from io import BufferedWriter

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from audit.vault.age.container import NONCE, new_header, payload_key
from audit.vault.age.parties import Recipient
from audit.vault.age.payload import BLOCK, Stretch, blocks, write_at
from audit.vault.age.plaintext import Plaintext
from audit.vault.age.stream import AT_ONCE, CHUNK, TAG, nonce
from audit.vault.age.threads import share_out


class PayloadWriter:
    """Seals blocks of plaintext to where they belong in a file, in any order. Each must be written once, and not again.

    It writes the header at once, with a fresh file key.

    Args:
        plaintext: What is sealed.
        file: An empty file that is no pipe.
        recipients: Whom it is for.

    Raises:
        ConfigurationError: If `recipients` may not stand in one header.
    """

    def __init__(self, plaintext: Plaintext, file: BufferedWriter, recipients: Sequence[Recipient]) -> None:
        header, file_key = new_header(recipients)
        salt = os.urandom(NONCE)
        file.write(header + salt)
        file.flush()
        self._plaintext, self._descriptor, self._start = plaintext, file.fileno(), file.tell()
        self._cipher = ChaCha20Poly1305(payload_key(file_key, salt))

    def blocks(self) -> list[Stretch]:
        """The blocks to be written; of an empty plaintext one that is empty, since a payload has a last chunk."""
        return list(blocks(0, self._plaintext.size)) or [(0, 0)]

    def sealer(self) -> Callable[[Stretch], None]:
        """What seals a block and writes it. It has buffers of its own: every thread needs one."""
        scratch, sealed = memoryview(bytearray(BLOCK)), memoryview(bytearray(AT_ONCE * (CHUNK + TAG)))

        def seal(block: Stretch) -> None:
            start, end = block
            plain = self._plaintext.view(start, end, scratch)
            filled = 0
            for begin in range(0, max(1, end - start), CHUNK):
                chunk = plain[begin : begin + CHUNK]
                final = start + begin + CHUNK >= self._plaintext.size
                stop = filled + len(chunk) + TAG
                self._cipher.encrypt_into(nonce((start + begin) // CHUNK, final), chunk, None, sealed[filled:stop])
                filled = stop
            write_at(self._descriptor, sealed[:filled], self._start + start // CHUNK * (CHUNK + TAG))

        return seal


def write_sealed(plaintext: Plaintext, file: BufferedWriter, recipients: Sequence[Recipient]) -> None:
    """Seal `plaintext` into an empty file, in several threads; see `PayloadWriter`."""
    writer = PayloadWriter(plaintext, file, recipients)
    share_out(writer.blocks(), writer.sealer)
