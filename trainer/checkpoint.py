"""Checkpoints: a training run as one safetensors file, from which it goes on to the same weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from classifier.errors import IntegrityError
from classifier.records import canonical_json, write_atomically


@dataclass(frozen=True)
class Checkpoint:
    """Where a training run stood after an epoch.

    Args:
        key: Digest of all that determines the run; a checkpoint of another run is not taken.
        facts: Losses by epoch, the epoch whose weights are kept.
        weights: The network's tensors, by name.
        kept: Those of the best epoch.
        moments: The optimizer's tensors, by parameter and name.
    """

    key: str
    facts: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    kept: Mapping[str, Tensor]
    moments: Mapping[int, Mapping[str, Tensor]]

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        moments = {f"{index}.{name}": tensor for index, state in self.moments.items() for name, tensor in state.items()}
        parts = {"weights": self.weights, "kept": self.kept, "moments": moments}
        tensors = {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        # Weights that two layers share are written twice: safetensors refuses overlapping memory.
        plain = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
        write_atomically(path, safetensors.save(plain, {"key": self.key, "facts": canonical_json(self.facts).decode()}))

    @classmethod
    def load(cls, path: Path, key: str) -> Checkpoint | None:
        """Read the checkpoint of the run `key`; ``None`` where there is none, or one of another run.

        Raises:
            IntegrityError: If the file is no checkpoint.
        """
        if not path.is_file():
            return None
        content = path.read_bytes()
        try:
            tensors = safetensors.load(content)
            header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
            written, facts = header["key"], json.loads(header["facts"])
        except (SafetensorError, KeyError, ValueError) as error:
            raise IntegrityError(f"{path} is no checkpoint: {error}", remedy="delete it to train from the start") from error
        if written != key:
            return None
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "kept": {}, "moments": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["moments"].items():
            index, _, kind = name.partition(".")
            moments.setdefault(int(index), {})[kind] = tensor
        return cls(key, facts, parts["weights"], parts["kept"], moments)
