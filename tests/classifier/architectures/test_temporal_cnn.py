"""The temporal convolutions see far, and nothing of what was not observed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from classifier import Dataset, Feature, Schema, Splits
from classifier.architectures.temporal_cnn import TemporalCNN
from classifier.errors import ConfigurationError
from trainer import Recipe, train

FLAG = Feature("(observed)", "binary", mutable=False)
VARIABLES = (Feature("a", "continuous", low=0.0, high=1.0), Feature("b", "continuous", low=0.0, high=1.0))


def network(steps: int, *, flag: bool = True) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        schema = Schema("sequence", (*VARIABLES, FLAG) if flag else VARIABLES, size=(steps,))
        return TemporalCNN(hidden=(6, 6, 4), kernel=3).build(schema, 3).eval()


def ragged(steps: int, lengths: tuple[int, ...]) -> torch.Tensor:
    x = torch.rand(len(lengths), steps, 3, generator=torch.Generator().manual_seed(1))
    x[..., 2] = (torch.arange(steps) < torch.tensor(lengths)[:, None]).float()
    return x


def test_steps_that_were_not_observed_change_no_logit() -> None:
    x = ragged(9, (9, 4, 1))
    other = x.clone()
    other[1, 4:, :2] = 5.0
    other[2, 1:, :2] = -3.0
    module = network(9)
    assert torch.allclose(module(other), module(x), atol=1e-6)


def test_more_room_at_the_end_changes_no_logit() -> None:
    x = ragged(9, (9, 4, 1))
    longer = torch.cat([x, torch.ones(3, 5, 3)], dim=1)
    longer[:, 9:, 2] = 0
    short, long = network(9), network(14)
    long.load_state_dict(short.state_dict())
    assert torch.allclose(long(longer), short(x), atol=1e-6)


def test_without_a_flag_every_step_counts() -> None:
    x = torch.rand(2, 9, 2, generator=torch.Generator().manual_seed(2))
    flagged, plain = network(9), network(9, flag=False)
    plain.load_state_dict(flagged.state_dict())
    assert torch.allclose(plain(x), flagged(torch.cat([x, torch.ones(2, 9, 1)], dim=2)), atol=1e-6)


def test_an_empty_series_has_finite_logits() -> None:
    assert network(5)(ragged(5, (0,))).isfinite().all()


def test_a_kernel_without_a_middle_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="kernel must be odd and at least 1, got 4"):
        TemporalCNN(kernel=4)


@pytest.mark.slow
def test_it_learns_gunpoint(gunpoint: Path) -> None:
    """Mean of three seeds, trained on the 50 series of the training file and judged on the 150 of the test file."""
    data = Dataset.read(gunpoint / "GunPoint_TRAIN.ts", target="label", modality="sequence")
    test = Dataset.read(gunpoint / "GunPoint_TEST.ts", target="label", modality="sequence", schema=data.schema, classes=data.classes)
    accuracies = []
    for seed in range(3):
        recipe = Recipe("temporal_cnn", epochs=100, batch_size=16, patience=None, seed=seed)
        classifier = train(Splits(data, data, test, independence="given"), recipe, progress=False)
        accuracies.append((classifier.predict(test.inputs) == test.labels).float().mean().item())
    assert sum(accuracies) / 3 >= 0.95, accuracies
