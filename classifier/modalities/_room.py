"""Room for encoded inputs, or a refusal that says how much they would take."""

from __future__ import annotations

import shutil
import tempfile
from math import prod

import torch
from torch import Tensor

from classifier.errors import StorageError
from classifier.storage import IN_MEMORY, room


def room_for(count: int, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor for `count` inputs, in memory or, if it is large, on disk; what is in it is arbitrary.

    Args:
        count: How many inputs there are.
        shape: Shape of one.
        dtype: Type of their elements.

    Raises:
        StorageError: If a single input is too large to work with, or there is no room for all.
    """
    each, folder = prod(shape) * dtype.itemsize, tempfile.gettempdir()
    if each > IN_MEMORY:
        raise StorageError(f"an input of {shape} takes {each:,} bytes, at most {IN_MEMORY:,} can be handled", remedy="state a smaller size")
    # Asked first, since the system may fill the disk to the last byte before it says no.
    if count * each > IN_MEMORY and count * each > (free := shutil.disk_usage(folder).free):
        raise StorageError(
            f"{count:,} inputs of {shape} take {count * each:,} bytes, and {folder} has {free:,} left",
            remedy="state a smaller size, or name a folder on a larger disk in TMPDIR",
        )
    return room((count, *shape), dtype)
