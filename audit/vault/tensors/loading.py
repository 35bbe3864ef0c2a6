"""Sealed tensors into memory: opened in place, and hashed on the way."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

import torch
from torch import Tensor

from audit.vault.age.payload import BLOCK, Payload, Stretch, blocks, write_at
from audit.vault.age.stream import CHUNK
from audit.vault.age.threads import share_out
from audit.vault.tensors.types import torch_type
from classifier.errors import IntegrityError, UnsealError
from classifier.formats.safetensors_layout import Layout, Slot, read_layout


@dataclass(frozen=True)
class SealedTensors:
    """A safetensors file under encryption, of which the header is open.

    Args:
        payload: The file.
        layout: Where its tensors lie in the plaintext.
        head: What stands before them there, as the layout was read from it.
    """

    payload: Payload
    layout: Layout
    head: bytes

    @classmethod
    def open(cls, payload: Payload) -> SealedTensors:
        """Open the header, and no more chunks than it lies in.

        Raises:
            UnsealError: If a chunk was changed.
            IntegrityError: If what is inside is no safetensors file.
        """
        beginning = _Beginning(payload)
        layout = read_layout(beginning, payload.size)
        return cls(payload, layout, beginning.content[: layout.data_start])

    def load(self, *, hashed: bool) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Every tensor, in one stretch of memory that was never written to before.

        Args:
            hashed: Whether to take the SHA-256 of each, in the same pass.

        Returns:
            The tensors by their names, and their digests.

        Raises:
            UnsealError: If a chunk was changed, or there is not as much memory.
            ModelError: If a type is one that torch does not have.
        """
        start = self.layout.data_start
        # The first tensor lies where torch wants memory to begin, so the others are where a file's offsets put them.
        buffer = _memory(self.payload.size - start)
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
            UnsealError: If a chunk was changed, or there is not as much memory.
            IntegrityError: If it has another digest.
            ModelError: If its type is one that torch does not have.
        """
        slot = self.layout.tensors[name]
        buffer = _memory(slot.end - slot.begin)
        tensor = _tensor(buffer, slot)
        self.payload.read_into(buffer, slot.begin)
        if expected is not None and sha256(buffer).hexdigest() != expected:
            raise _other_numbers(name)
        return tensor

    def extract(self, descriptor: int | None, expected: Mapping[str, str] | None) -> None:
        """Open everything once, in constant memory: what is written out is what was hashed.

        Args:
            descriptor: An empty file to write the plaintext to, which is not to be used before this returns; ``None`` writes none.
            expected: The SHA-256 that each tensor must have; ``None`` where nothing says so.

        Raises:
            UnsealError: If a chunk was changed.
            IntegrityError: If a tensor has another digest.
        """
        if descriptor is not None:
            write_at(descriptor, memoryview(self.head), 0)

        def worker() -> Callable[[list[str]], None]:
            fill, scratch = self.payload.opener(), memoryview(bytearray(BLOCK))

            def work(names: list[str]) -> None:
                slots = [self.layout.tensors[name] for name in names]
                found, at = [sha256() for _ in slots], 0
                for start, end in blocks(slots[0].begin, slots[-1].end):
                    plain = scratch[: end - start]
                    fill(plain, start)
                    if descriptor is not None:
                        write_at(descriptor, plain, start)
                    while at < len(slots) and slots[at].begin < end:
                        found[at].update(plain[max(slots[at].begin - start, 0) : slots[at].end - start])
                        if slots[at].end > end:
                            break
                        at += 1
                for name, digest in zip(names, found, strict=True):
                    if expected is not None and digest.hexdigest() != expected[name]:
                        raise _other_numbers(name)

            return work

        share_out(self._runs(), worker)

    def _runs(self) -> Iterator[list[str]]:
        """Tensors that follow one another, together as long as a block: small ones share the chunks that they lie in."""
        run: list[str] = []
        length = 0
        for name, slot in self.layout.tensors.items():
            run.append(name)
            length += slot.end - slot.begin
            if length >= BLOCK:
                yield run
                run, length = [], 0
        if run:
            yield run


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
        self.content, self._at = b"", 0

    def read(self, size: int, /) -> bytes:
        end = min(self._at + size, self._payload.size)
        if end > len(self.content):
            start, stop = len(self.content), min(-(-end // CHUNK) * CHUNK, self._payload.size)
            more = bytearray(stop - start)
            self._fill(memoryview(more), start)
            self.content += more
        found, self._at = self.content[self._at : end], end
        return found


def _memory(size: int) -> memoryview:
    """As many bytes, none of which was written to before."""
    try:
        return torch.empty(size, dtype=torch.uint8).numpy().data
    except (RuntimeError, MemoryError):
        # A file of any size costs its sender nothing, if most of it is a hole.
        raise UnsealError(
            f"there is no memory for {size} bytes of tensors", remedy="open it with open_tensors, or where there is more memory"
        ) from None


def _other_numbers(name: str) -> IntegrityError:
    return IntegrityError(f"tensor {name!r} has other numbers than were signed", remedy="take the file from its origin again")


def _tensor(buffer: memoryview, slot: Slot) -> Tensor:
    """The tensor whose bytes are, or will be, in `buffer`."""
    dtype = torch_type(slot.dtype)
    if buffer:
        return torch.frombuffer(buffer, dtype=dtype).reshape(slot.shape)
    try:
        return torch.empty(slot.shape, dtype=dtype)
    except RuntimeError:
        raise UnsealError(f"torch has no tensor of the shape {list(slot.shape)}", remedy="take the file from its origin again") from None
