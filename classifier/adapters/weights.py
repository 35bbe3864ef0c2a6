"""Weights of a module from a file that holds nothing else."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from classifier.adapters._first_line import first_line
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
        ModelError: If the file is missing, holds more than tensors, or does not fit the module, as complex numbers do not
            fit real ones.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"there is no file {path}", remedy="paths start at the folder of audit.toml")
    remedy = "write the weights alone: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"
    if _is_torchscript(path):
        # torch's own error advises to set weights_only=False, which runs what is pickled in the file.
        raise ModelError(f"{path.name} is a program of TorchScript, required are weights alone", remedy=remedy)
    try:
        tensors = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(f"{path.name} is a pickle that holds more than weights, and is not loaded", remedy=remedy) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise ModelError(f"{path.name} holds no weights that can be read: {first_line(error)}", remedy=remedy) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise ModelError(f"{path.name} holds no state dict: names with a tensor each", remedy=remedy)
    complex_ones = [name for name, value in tensors.items() if value.is_complex() and not _takes_complex(module, name)]
    if complex_ones:
        # torch would leave out the imaginary parts with no more than a warning.
        raise ModelError(
            f"{path.name} has complex numbers in {complex_ones[0]!r}, required are real ones",
            remedy="name the factory of the module that they belong to",
        )
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"the weights of {path.name} do not fit the module: {error}", remedy="name the factory of the module that they belong to"
        ) from error
    return module


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False  # torch says what is wrong with it


def _takes_complex(module: nn.Module, name: str) -> bool:
    own = module.state_dict().get(name)
    return own is not None and own.is_complex()
