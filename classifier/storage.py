"""Storage: tensors in memory, or beyond a size in a file that is mapped to memory.

What came from sealed files stays in memory whatever its size: a temporary file would hold on a disk, in the clear, what
somebody sealed to keep it off one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from classifier.chunks import chunk_size
from classifier.errors import StorageError
from classifier.opening import stays_in_memory
from classifier.records import explain_storage_errors

# A tensor of more bytes than this lies on disk; the system keeps in memory what is used of it.
IN_MEMORY = 2**30
# Bytes of one input beyond which no network is trained on such inputs.
LARGEST = 2**30


def room(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor to be filled, in memory or, if it is large and of no sealed files, in a temporary file that goes when the tensor does.

    Args:
        shape: Its shape.
        dtype: Type of its elements.

    Raises:
        StorageError: If the disk is full, or what must stay in memory is more than is free.
    """
    size = prod(shape) * dtype.itemsize
    if size > IN_MEMORY and stays_in_memory():
        # Asked first, since the system promises memory that it has not, and then kills the process that uses it.
        if (free := _free_memory()) is not None and size > free:
            raise StorageError(
                f"{size:,} bytes from sealed files must stay in memory, and {free:,} are free",
                remedy="state a smaller size, take fewer rows, or more memory; a temporary file would hold them in the clear",
            )
        return torch.empty(shape, dtype=dtype)
    if size <= IN_MEMORY:
        return torch.empty(shape, dtype=dtype)
    with explain_storage_errors(Path(tempfile.gettempdir())), tempfile.NamedTemporaryFile(prefix="assay-") as file:
        # Laid out in full, since a hole in a file fails only when it is written to, and then kills the process.
        os.posix_fallocate(file.fileno(), 0, size)
        return torch.from_file(file.name, shared=True, size=prod(shape), dtype=dtype).reshape(shape)


def room_for(count: int, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Room for encoded inputs, or a refusal that says how much they would take.

    Args:
        count: How many inputs there are.
        shape: Shape of one.
        dtype: Type of their elements.

    Raises:
        StorageError: If a single input is too large to work with, or the disk has no room for all.
    """
    each, folder = prod(shape) * dtype.itemsize, tempfile.gettempdir()
    if each > LARGEST:
        raise StorageError(f"an input of {shape} takes {each:,} bytes, at most {LARGEST:,} can be handled", remedy="state a smaller size")
    # Asked first, since the system may fill the disk to the last byte before it says no.
    if not stays_in_memory() and count * each > IN_MEMORY and count * each > (free := shutil.disk_usage(folder).free):
        raise StorageError(
            f"{count:,} inputs of {shape} take {count * each:,} bytes, and {folder} has {free:,} left",
            remedy="state a smaller size, or name a folder on a larger disk in TMPDIR",
        )
    return room((count, *shape), dtype)


def take(x: Tensor, index: Tensor) -> Tensor:
    """The rows `index` of `x`; see :func:`room` for where they lie.

    Args:
        x: Rows ``(N, *S)``.
        index: Which ``(M,)``.
    """
    if x[:1].nbytes * len(index) <= IN_MEMORY:
        return x[index]
    taken = room((len(index), *x.shape[1:]), x.dtype)
    size = chunk_size(tuple(x.shape[1:]))
    for start in range(0, len(index), size):
        taken[start : start + size] = x[index[start : start + size]]
    return taken


def joined(parts: list[Tensor]) -> Tensor:
    """Several batches one after the other; see :func:`room` for where they lie."""
    whole = room((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    start = 0
    for part in parts:
        whole[start : start + len(part)] = part
        start += len(part)
    return whole


def _free_memory() -> int | None:
    """Bytes that can be had without swapping; ``None`` where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None
