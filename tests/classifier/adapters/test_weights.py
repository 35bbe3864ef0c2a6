"""Weights come from a file that holds nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from classifier.adapters.weights import load_weights
from classifier.errors import ModelError


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


def test_a_module_takes_the_weights_of_either_format(tmp_path: Path) -> None:
    original = nn.Linear(3, 2)
    save_file(original.state_dict(), tmp_path / "weights.safetensors")
    torch.save(original.state_dict(), tmp_path / "weights.pt")
    for name in ("weights.safetensors", "weights.pt"):
        loaded = load_weights(nn.Linear(3, 2), tmp_path / name).state_dict()
        assert all(torch.equal(loaded[key], tensor) for key, tensor in original.state_dict().items())


@pytest.mark.parametrize("content", [nn.Linear(3, 2), "trap"], ids=["a module", "a trap"])
def test_a_pickle_that_holds_more_is_refused_and_not_run(tmp_path: Path, content: Any) -> None:
    torch.save(Trap(str(tmp_path / "sprung")) if content == "trap" else content, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match="holds more than weights, and is not loaded; write the weights alone: safetensors"):
        load_weights(nn.Linear(3, 2), tmp_path / "weights.pt")
    assert not (tmp_path / "sprung").exists()


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    save_file(nn.Linear(4, 2).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="do not fit the module"):
        load_weights(nn.Linear(3, 2), tmp_path / "other.safetensors")
    torch.save([torch.zeros(2)], tmp_path / "list.pt")
    with pytest.raises(ModelError, match="holds no state dict"):
        load_weights(nn.Linear(3, 2), tmp_path / "list.pt")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10")
    with pytest.raises(ModelError, match="holds no weights that can be read"):
        load_weights(nn.Linear(3, 2), tmp_path / "cut.safetensors")
    with pytest.raises(ModelError, match="there is no file"):
        load_weights(nn.Linear(3, 2), tmp_path / "absent.safetensors")


@pytest.mark.parametrize("name", ["empty.pt", "empty.safetensors"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ModelError, match=r"holds no weights that can be read: \w+"):
        load_weights(nn.Linear(3, 2), tmp_path / name)


def test_complex_weights_are_refused_where_real_ones_belong(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2, 3) + 1j, "bias": torch.zeros(2)}, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match="has complex numbers in 'weight', required are real ones"):
        load_weights(nn.Linear(3, 2), tmp_path / "weights.pt")
    loaded = load_weights(nn.Linear(3, 2, dtype=torch.complex64), tmp_path / "weights.pt")
    assert torch.equal(loaded.weight, torch.ones(2, 3) + 1j)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_program_of_torchscript_is_refused_without_advice_to_run_it(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(3, 2)), tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=r"is a program of TorchScript, required are weights alone; write the weights") as raised:
        load_weights(nn.Linear(3, 2), tmp_path / "weights.pt")
    assert "weights_only" not in str(raised.value)
