"""The recurrent network reads both ways, skips what was not observed, and shows its attention."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import conv1d, layer_norm

from classifier import Dataset, Feature, Schema, Splits
from classifier.architectures.attention_recurrent import AttentionRecurrent, AttentionRecurrentNetwork
from classifier.errors import ConfigurationError
from trainer import Recipe, train

FLAG = Feature("(observed)", "binary", mutable=False)
VARIABLES = (Feature("a", "continuous", low=0.0, high=1.0), Feature("b", "continuous", low=0.0, high=1.0))


def network(steps: int, *, flag: bool = True, hidden: tuple[int, ...] = (6, 4)) -> AttentionRecurrentNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        schema = Schema("sequence", (*VARIABLES, FLAG) if flag else VARIABLES, size=(steps,))
        module = AttentionRecurrent(hidden=hidden).build(schema, 3)
    assert isinstance(module, AttentionRecurrentNetwork)
    return module.eval()


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
    longer = torch.cat([x, torch.zeros(3, 5, 3)], dim=1)
    short, long = network(9), network(14)
    long.load_state_dict(short.state_dict())
    assert torch.allclose(long(longer), short(x), atol=1e-6)


def test_a_gap_in_the_middle_is_skipped() -> None:
    x = ragged(6, (6,))
    gap = torch.cat([x[:, :3], torch.zeros(1, 2, 3), x[:, 3:]], dim=1)
    short, long = network(6), network(8)
    long.load_state_dict(short.state_dict())
    assert torch.allclose(long(gap), short(x), atol=1e-6)
    weights = long.attention(gap)[0]
    assert weights[3:5].tolist() == [0.0, 0.0]
    assert torch.allclose(weights[[0, 1, 2, 5, 6, 7]], short.attention(x)[0], atol=1e-6)


def test_attention_sums_to_one_over_the_observed_steps() -> None:
    x = ragged(9, (9, 4, 1))
    weights = network(9).attention(x)
    assert weights.shape == (3, 9)
    assert torch.allclose(weights.sum(1), torch.ones(3))
    assert (weights[x[..., 2] == 0] == 0).all()
    assert (weights[x[..., 2] == 1] > 0).all()


def test_an_empty_series_has_finite_logits_and_no_attention() -> None:
    x = ragged(5, (0,))
    assert network(5)(x).isfinite().all()
    assert network(5).attention(x).sum() == 0


def test_it_is_a_bidirectional_lstm_with_a_weighted_mean() -> None:
    """Against torch's own layers with the same weights, where every step is observed."""
    module, x = network(7, flag=False, hidden=(5,)), torch.rand(4, 7, 2, generator=torch.Generator().manual_seed(2))
    read = layer_norm(conv1d(x.mT, *module.around.parameters(), padding=3).mT, (5,)).relu()
    outside = torch.nn.LSTM(5, 5, batch_first=True, bidirectional=True)
    weights = dict(module.forwards[0].named_parameters())
    reverse = {f"{name}_reverse": value for name, value in module.backwards[0].named_parameters()}
    outside.load_state_dict({**weights, **reverse})
    known = layer_norm(torch.cat([outside(read)[0], read], dim=2), (15,))
    attention = module.score(known)[..., 0].softmax(1)
    assert torch.allclose(module.attention(x), attention, atol=1e-6)
    read_out = torch.cat([(attention[..., None] * known).sum(1), known.relu().amax(1)], dim=1)
    assert torch.allclose(module(x), module.head(read_out), atol=1e-6)


def test_it_standardizes_each_variable_over_the_observed_steps() -> None:
    x, module = ragged(9, (9, 4, 1)), network(9)
    module.standardize.fit(x)
    seen = x[x[..., 2] == 1][:, :2]
    assert torch.allclose(module.standardize.mean, seen.mean(0), atol=1e-6)
    assert torch.allclose(module.standardize.deviation, seen.std(0, correction=0), atol=1e-6)


def test_a_kernel_without_a_middle_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="kernel must be odd and at least 1, got 4"):
        AttentionRecurrent(kernel=4)


@pytest.mark.slow
def test_it_learns_gunpoint(gunpoint: Path) -> None:
    """Mean of three seeds, trained on the 50 series of the training file and judged on the 150 of the test file."""
    data = Dataset.read(gunpoint / "GunPoint_TRAIN.ts", target="label", modality="sequence")
    test = Dataset.read(gunpoint / "GunPoint_TEST.ts", target="label", modality="sequence", schema=data.schema, classes=data.classes)
    accuracies = []
    for seed in range(3):
        recipe = Recipe(
            "attention_recurrent", epochs=150, learning_rate=3e-3, schedule="cosine", batch_size=8, clip_norm=1.0, patience=None, seed=seed
        )
        classifier = train(Splits(data, data, test, independence="given"), recipe, progress=False)
        accuracies.append((classifier.predict(test.inputs) == test.labels).float().mean().item())
    assert sum(accuracies) / 3 >= 0.95, accuracies
