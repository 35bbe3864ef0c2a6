"""Evidence about single rows, sealed where what was measured was sealed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from classifier.errors import UnsealError

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class SealedRows:
    """Who may read what a check found of single rows.

    Args:
        recipients: To whom it is sealed.
        encrypt: Seals bytes to them, such as `audit.vault.encrypt_bytes` with `recipients` filled in.
        decrypt: Opens such bytes again, or ``None`` where nothing at hand does: a pipeline may seal to others alone.
    """

    recipients: tuple[str, ...]
    encrypt: Callable[[bytes], bytes]
    decrypt: Callable[[bytes], bytes] | None = None

    def seal(self, arrays: Arrays) -> bytes:
        """Arrays as a sealed safetensors file."""
        return self.encrypt(write_arrays(arrays))

    def open(self, content: bytes) -> Arrays | None:
        """What :meth:`seal` made, or ``None`` where it does not open."""
        try:
            return None if self.decrypt is None else read_arrays(self.decrypt(content))
        except UnsealError:
            return None


def write_arrays(arrays: Arrays) -> bytes:
    """Arrays as a safetensors file."""
    import numpy as np
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def read_arrays(content: bytes) -> Arrays:
    """The arrays of a safetensors file."""
    from safetensors.numpy import load

    return dict(load(content))
