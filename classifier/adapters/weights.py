"""Weights of a module from a file that holds nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from classifier.errors import ModelError


def load_weights(module: nn.Module, path: str | Path) -> nn.Module:
    """Put the weights of a file into a module.

    A ``.pt`` or ``.pth`` file is a pickle of which torch reads tensors alone (``weights_only``); one that holds anything
    else is refused.

    Args:
        module: What the weights belong to; it is changed.
        path: A ``.safetensors``, ``.pt`` or ``.pth`` file with a state dict.

    Returns:
        The module.

    Raises:
        ModelError: If the file is missing, holds more than tensors, or does not fit the module.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"there is no file {path}", remedy="paths start at the folder of audit.toml")
    remedy = "write the weights alone: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"
    try:
        tensors = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(f"{path.name} is a pickle that holds more than weights, and is not loaded", remedy=remedy) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise ModelError(f"{path.name} holds no weights that can be read: {str(error).splitlines()[0]}", remedy=remedy) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise ModelError(f"{path.name} holds no state dict: names with a tensor each", remedy=remedy)
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"the weights of {path.name} do not fit the module: {error}", remedy="name the factory of the module that they belong to"
        ) from error
    return module
