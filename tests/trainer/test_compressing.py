"""Compression: how many weights are 0, what grid they lie on, and that the record says so."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from classifier import Dataset
from classifier.errors import ConfigurationError
from trainer import Recipe, train
from trainer.compressing import compress


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def weights(module: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in module.parameters() if parameter.dim() > 1]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_the_smallest_weights_of_the_whole_network_become_0_and_the_others_stay(share: float) -> None:
    before = network()
    after = copy.deepcopy(before)
    record = compress(after, prune=share, bits=None)
    old, new = (torch.cat([weight.flatten() for weight in weights(module)]) for module in (before, after))
    gone = new == 0
    assert int(gone.sum()) == round(share * len(old)) == round(record["zeros"] * record["weights"])
    assert torch.equal(new[~gone], old[~gone])
    if gone.any():
        assert old[gone].abs().max() <= old[~gone].abs().min()
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True) if a.dim() == 1)


@pytest.mark.parametrize("bits", [8, 4])
def test_weights_lie_on_the_grid_of_their_output_within_half_a_step(bits: int) -> None:
    before = network()
    after = copy.deepcopy(before)
    compress(after, prune=0.0, bits=bits)
    for old, new in zip(weights(before), weights(after), strict=True):
        step = old.flatten(1).abs().amax(1) / (2 ** (bits - 1) - 1)
        whole = new.flatten(1) / step[:, None]
        assert torch.allclose(whole, whole.round(), atol=1e-4)
        assert whole.abs().max() <= 2 ** (bits - 1) - 1 + 1e-4
        assert ((new - old).flatten(1).abs() <= step[:, None] / 2 * (1 + 1e-4)).all()


def test_ties_prune_no_more_than_the_share_and_zeros_stay_on_the_grid() -> None:
    module = nn.Sequential(nn.Linear(4, 4))
    nn.init.ones_(module[0].weight)  # type: ignore[arg-type]
    record = compress(module, prune=0.5, bits=4)
    assert record["zeros"] == 0.5
    nn.init.zeros_(module[0].weight)  # type: ignore[arg-type]
    compress(module, prune=0.0, bits=4)
    assert torch.equal(weights(module)[0], torch.zeros(4, 4))


def test_biases_of_networks_that_are_evaluated_at_once_stay_and_terms_keep_their_mean() -> None:
    splits = Dataset.builtin("moons").split(seed=0)
    recipe = Recipe("additive", hidden=(8,), epochs=10, learning_rate=0.01)
    whole, small = (train(splits, replace(recipe, prune=share), progress=False) for share in (0.0, 0.5))
    assert whole.module is not None
    assert small.module is not None
    for (name, before), after in zip(whole.module.named_parameters(), small.module.parameters(), strict=True):
        if "biases" in name:
            assert torch.equal(before, after), name
        elif "weights" in name:
            assert (after == 0).any(), name
    terms = small.module.contributions(splits.train.inputs).mean(0)  # type: ignore[operator]
    assert terms.abs().max() < 1e-6


def test_weights_that_were_0_before_do_not_fill_the_share() -> None:
    module = nn.Sequential(nn.Linear(10, 10))
    with torch.no_grad():
        module[0].weight[:6] = 0  # type: ignore[index]
    compress(module, prune=0.5, bits=None)
    assert int((weights(module)[0] == 0).sum()) == 60 + 20


def test_the_record_names_the_uncompressed_network_and_the_rest_of_the_run_is_the_same() -> None:
    splits = Dataset.builtin("moons").split(seed=0)
    recipe = Recipe("mlp", hidden=(8,), epochs=3, calibration="temperature")
    whole = train(splits, recipe, progress=False)
    small = train(splits, replace(recipe, prune=0.5, quantise=8), progress=False)
    record = small.card["training"]["compression"]
    assert record["uncompressed"] == whole.digest != small.digest
    assert record["zeros"] == pytest.approx(0.5, abs=0.05)
    assert record["simulated"]
    assert small.description.architecture == "mlp"
    assert small.description.calibration is not None
    assert small.card["training"]["loss"] == whole.card["training"]["loss"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prune": 1.0}, "prune must be a share"),
        ({"quantise": 3}, "quantise must be 8 or 4 bits, got 3"),
        ({"calibration": "platt"}, "calibration must be"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Recipe("mlp", **options)
