"""Whether a sealed file holds tensors, whatever its name says: who sends it chooses its name."""

from __future__ import annotations

from audit.vault.age.payload import Payload
from classifier.formats.safetensors_layout import LENGTH, LONGEST_HEADER


def holds_tensors(payload: Payload) -> bool:
    """Whether the plaintext begins as a safetensors file does: with the length of a header that fits, and its first brace.

    Raises:
        UnsealError: If the first chunk was changed.
    """
    if payload.size <= LENGTH:
        return False
    beginning = bytearray(LENGTH + 1)
    payload.read_into(memoryview(beginning))
    length = int.from_bytes(beginning[:LENGTH], "little")
    return beginning[LENGTH:] == b"{" and 2 <= length <= min(LONGEST_HEADER, payload.size - LENGTH)
