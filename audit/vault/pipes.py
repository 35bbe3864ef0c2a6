"""Opening what goes into a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from io import BufferedReader

from audit.vault.age.armor import open_form
from audit.vault.age.container import decrypt
from audit.vault.age.parties import Opener
from audit.vault.age.stream import Sink
from audit.vault.sealed_file import open_sealed


def decrypt_pipe(source: BufferedReader, sink: Sink, openers: Sequence[Opener], *, unverified: bool = False) -> None:
    """Open a sealed file into a pipe, of which nothing can be taken back.

    All of it is verified before its first byte is written. A sealed pipe is kept in an unnamed file meanwhile, sealed as it is;
    the plaintext is never on a disk.

    Args:
        source: The sealed file, or a pipe.
        sink: Takes the plaintext.
        openers: What to try.
        unverified: Whether to write each chunk once it is verified, whatever becomes of the rest. What was written may then be the
            beginning of a file that was cut.

    Raises:
        UnsealError: If anything is wrong with the file, or nothing fits.
    """
    if unverified:
        decrypt(open_form(source), sink, openers)
        return
    with open_sealed(source, openers) as payload:
        payload.verify()
        payload.copy(sink)
