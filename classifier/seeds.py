"""Seeds: every part of the work has its own random stream, whatever the order it is done in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classifier.errors import ConfigurationError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Seed:
    """A named random stream: the same value and path always give the same numbers.

    A stream is named by what it is for, so that chunks, workers and order change nothing.

    Args:
        value: The seed that the user chose.
        path: The names of the parts of the work, from the whole to the piece.
    """

    value: int
    path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not hasattr(self.value, "__index__"):
            raise ConfigurationError(f"a seed must be a whole number, got {self.value!r}")

    def child(self, *parts: object) -> Seed:
        """The seed of one part of this work."""
        return Seed(self.value, (*self.path, *(str(part) for part in parts)))

    def integer(self) -> int:
        """A 63-bit integer that stands for this stream."""
        name = "/".join((str(self.value), *self.path))
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 1

    def numpy(self) -> np.random.Generator:
        """A fresh NumPy generator at the start of this stream."""
        return np.random.default_rng(self.integer())

    def torch(self, device: str | torch.device = "cpu") -> torch.Generator:
        """A fresh torch generator at the start of this stream, on `device`."""
        import torch

        return torch.Generator(device).manual_seed(self.integer())
