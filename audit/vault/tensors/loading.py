"""Sealed tensors into memory: opened in place, and hashed on the way."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

import torch
from torch import Tensor

from audit.vault.age.payload import Payload, Stretch, blocks
from audit.vault.age.stream import CHUNK
from audit.vault.age.threads import share_out
from audit.vault.tensors.types import torch_type
from classifier.errors import IntegrityError
from classifier.formats.safetensors_layout import Layout, Slot, read_layout


@dataclass(frozen=True)
class SealedTensors:
    """A safetensors file under encryption, of which the header is open.

    Args:
        payload: The file.
        layout: Where its tensors lie in the plaintext.
    """

    payload: Payload
    layout: Layout

    @classmethod
    def open(cls, payload: Payload) -> SealedTensors:
        """Open the header, and no more chunks than it lies in.

        Raises:
            UnsealError: If a chunk was changed.
            IntegrityError: If what is inside is no safetensors file.
        """
        return cls(payload, read_layout(_Beginning(payload), payload.size))

    def load(self, *, hashed: bool) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Every tensor, in one stretch of memory that was never written to before.

        Args:
            hashed: Whether to take the SHA-256 of each, in the same pass.

        Returns:
            The tensors by their names, and their digests.

        Raises:
            UnsealError: If a chunk was changed.
            ModelError: If a type is one that torch does not have.
        """
        start = self.layout.data_start
        # The first tensor lies where torch wants memory to begin, so the others are where a file's offsets put them.
        buffer = torch.empty(self.payload.size - start, dtype=torch.uint8).numpy().data
        tensors = {name: _tensor(buffer[slot.begin - start : slot.end - start], slot) for name, slot in self.layout.tensors.items()}
        hashes = _Hashes(self.layout, buffer) if hashed else None

        def worker() -> Callable[[Stretch], None]:
            fill = self.payload.opener()

            def open_block(block: Stretch) -> None:
                fill(buffer[block[0] - start : block[1] - start], block[0])
                if hashes is not None:
                    hashes.note(block)

            return open_block

        share_out(blocks(start, self.payload.size), worker)
        return tensors, hashes.digests() if hashes is not None else {}

    def tensor(self, name: str, expected: str | None) -> Tensor:
        """One tensor, of which no other chunks are opened than it lies in.

        Args:
            name: Its name.
            expected: The SHA-256 that it must have; over the very memory that is handed out.

        Raises:
            UnsealError: If a chunk was changed.
            IntegrityError: If it has another digest.
        """
        slot = self.layout.tensors[name]
        buffer = torch.empty(slot.end - slot.begin, dtype=torch.uint8).numpy().data
        tensor = _tensor(buffer, slot)
        self.payload.read_into(buffer, slot.begin)
        if expected is not None and sha256(buffer).hexdigest() != expected:
            raise IntegrityError(f"tensor {name!r} has other numbers than were signed", remedy="take the file from its origin again")
        return tensor


class _Hashes:
    """The digests of tensors, each taken piece by piece as its blocks open, while they are still in the cache."""

    def __init__(self, layout: Layout, buffer: memoryview) -> None:
        self._start, self._buffer, self._lock = layout.data_start, buffer, Lock()
        self._begins = [slot.begin for slot in layout.tensors.values()]
        self._ends = [slot.end for slot in layout.tensors.values()]
        self._hashes = {name: _Hash(slot.begin) for name, slot in layout.tensors.items()}
        self._ordered = list(self._hashes.values())

    def note(self, block: Stretch) -> None:
        """Tell that a block is open, and hash what can be hashed now."""
        # Tensors lie in order and do not overlap: those that end after its begin and begin before its end.
        for i in range(bisect_right(self._ends, block[0]), bisect_left(self._begins, block[1])):
            begin, end = max(self._begins[i], block[0]), min(self._ends[i], block[1])
            with self._lock:
                self._ordered[i].waiting[begin] = end
            self._advance(self._ordered[i])

    def digests(self) -> dict[str, str]:
        """The digest of each tensor, once all blocks are open."""
        return {name: found.hash.hexdigest() for name, found in self._hashes.items()}

    def _advance(self, found: _Hash) -> None:
        while True:
            with self._lock:
                # A thread that is at it takes what came meanwhile, before it leaves.
                if found.busy or found.at not in found.waiting:
                    return
                found.busy, end = True, found.waiting.pop(found.at)
            found.hash.update(self._buffer[found.at - self._start : end - self._start])
            with self._lock:
                found.busy, found.at = False, end


class _Hash:
    """A digest in the making: how far it is, and the open stretches that follow."""

    def __init__(self, begin: int) -> None:
        self.hash, self.at, self.busy = sha256(), begin, False
        self.waiting: dict[int, int] = {}


class _Beginning:
    """The plaintext from its start, a chunk at a time at least, so that none is opened twice."""

    def __init__(self, payload: Payload) -> None:
        self._payload, self._fill = payload, payload.opener()
        self._content, self._at = b"", 0

    def read(self, size: int, /) -> bytes:
        end = min(self._at + size, self._payload.size)
        if end > len(self._content):
            start, stop = len(self._content), min(-(-end // CHUNK) * CHUNK, self._payload.size)
            more = bytearray(stop - start)
            self._fill(memoryview(more), start)
            self._content += more
        found, self._at = self._content[self._at : end], end
        return found


def _tensor(buffer: memoryview, slot: Slot) -> Tensor:
    """The tensor whose bytes are, or will be, in `buffer`."""
    dtype = torch_type(slot.dtype)
    if not buffer:
        return torch.empty(slot.shape, dtype=dtype)
    return torch.frombuffer(buffer, dtype=dtype).reshape(slot.shape)
