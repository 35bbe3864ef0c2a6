"""Tensors into a sealed file: hashed and sealed by the same threads, and last the header, which states their digests."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedWriter
from operator import itemgetter

import torch
from torch import Tensor

from audit.vault.age.parties import Recipient
from audit.vault.age.payload import BLOCK, Stretch
from audit.vault.age.plaintext import OnDisk, Plaintext
from audit.vault.age.threads import share_out
from audit.vault.age.writing import PayloadWriter
from audit.vault.tensors.manifest import KEY, TensorDigests
from audit.vault.tensors.types import safetensors_type
from classifier.errors import ModelError
from classifier.formats.safetensors_layout import LENGTH, LONGEST_HEADER, Layout, parse_layout, write_header

Content = memoryview | OnDisk


@dataclass(frozen=True)
class Unsealed:
    """A safetensors file that is to be sealed.

    Args:
        head: What stands before the tensors.
        layout: Where they lie.
        contents: The bytes of each, in their order.
    """

    head: bytes
    layout: Layout
    contents: Sequence[Content]

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Unsealed:
        """Tensors in memory, contiguous and on the processor; the widest numbers first, so that all lie at multiples of their width.

        Raises:
            ModelError: If safetensors has no such type.
        """
        ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
        head = write_header([(name, safetensors_type(tensor.dtype), tuple(tensor.shape)) for name, tensor in ordered], metadata)
        contents = [tensor.reshape(-1).view(torch.uint8).numpy().data for _, tensor in ordered]
        return cls(head, parse_layout(head[LENGTH:], sum(map(len, contents))), contents)

    @classmethod
    def of_file(cls, descriptor: int, layout: Layout, name: str) -> Unsealed:
        """The tensors of a file on disk, whose layout was read."""
        contents = [OnDisk(descriptor, slot.begin, slot.end - slot.begin, name) for slot in layout.tensors.values()]
        return cls(os.pread(descriptor, layout.data_start, 0), layout, contents)

    def write(self, file: BufferedWriter, recipients: Sequence[Recipient], *, salt: str | None) -> tuple[Layout, tuple[str, ...]]:
        """Seal into an empty file.

        Args:
            file: The file; no pipe.
            recipients: Whom it is for.
            salt: What makes its root unguessable, in hexadecimal, to stand with the digests in its metadata; without it, the
                file is sealed as it is.

        Returns:
            Where the tensors lie in the plaintext, and the digest of each.

        Raises:
            ConfigurationError: If the recipients may not stand in one header.
            IntegrityError: If a file became shorter while it was read.
            ModelError: If the header would be longer with the digests than any reader takes.
        """
        digests = ["0" * 64] * len(self.contents)
        head = bytearray(self._head(salt, digests))
        if len(head) - LENGTH > LONGEST_HEADER:
            raise ModelError(
                f"its header would have {len(head) - LENGTH:,} bytes with the digests of {len(digests):,} tensors, "
                f"allowed are {LONGEST_HEADER:,}",
                remedy="cut the model into shards, whose digests stand in their index",
            )
        writer = PayloadWriter(Plaintext([memoryview(head), *self.contents]), file, recipients)
        blocks = writer.blocks()

        def worker() -> Callable[[int | Stretch], None]:
            seal, scratch = writer.sealer(), memoryview(bytearray(BLOCK))

            def work(task: int | Stretch) -> None:
                if isinstance(task, int):
                    digests[task] = _digest(self.contents[task], scratch)
                else:
                    seal(task)

            return work

        share_out(self._tasks(len(head), [block for block in blocks if block[0] >= len(head)]), worker)
        # The digests are known now, and as long as what stood in their place.
        head[:] = self._head(salt, digests)
        share_out([block for block in blocks if block[0] < len(head)], writer.sealer)
        return parse_layout(bytes(head[LENGTH:]), sum(map(_size, self.contents))), tuple(digests)

    def _tasks(self, start: int, blocks: Sequence[Stretch]) -> Iterator[int | Stretch]:
        """Tensors to hash and blocks to seal, each tensor beside its blocks, so that what one reads is in the cache of the other."""
        end, sealed = start, 0
        for i, content in enumerate(self.contents):
            yield i
            end += _size(content)
            reached = bisect_right(blocks, end, lo=sealed, key=itemgetter(0))
            yield from blocks[sealed:reached]
            sealed = reached

    def _head(self, salt: str | None, digests: Sequence[str]) -> bytes:
        if salt is None:
            return self.head
        tensors = [(name, slot.dtype, slot.shape) for name, slot in self.layout.tensors.items()]
        return write_header(tensors, {**self.layout.metadata, KEY: TensorDigests(salt, {"": tuple(digests)}).written()})


def _size(content: Content) -> int:
    return len(content) if isinstance(content, memoryview) else content.size


def _digest(content: Content, scratch: memoryview) -> str:
    if isinstance(content, memoryview):
        return sha256(content).hexdigest()
    found = sha256()
    for start in range(0, content.size, len(scratch)):
        part = scratch[: min(len(scratch), content.size - start)]
        content.read_into(part, start)
        found.update(part)
    return found.hexdigest()
