import numpy as np
import pytest
import torch
from cases import cases
from torch import nn
from torch.nn.functional import cross_entropy

from classifier import Classifier, Splits
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed
from explain.internals import landscape
from explain.internals.landscape import loss_landscape, random_direction
from trainer import Recipe, train


@pytest.fixture(scope="module")
def trained() -> Classifier:
    data = cases("tabular", 2)
    return train(Splits(data, data, data), Recipe("logistic", epochs=10), progress=False)


def test_every_filter_of_a_direction_is_as_large_as_that_of_the_network() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = {"conv": torch.randn(5, 3, 2, 2, generator=generator), "bias": torch.randn(5, generator=generator)}
    weights["conv"][2] = 0
    way = random_direction(weights, Seed(1))
    torch.testing.assert_close(way["conv"].flatten(1).norm(dim=1), weights["conv"].flatten(1).norm(dim=1))
    assert (way["bias"] == 0).all()
    assert not torch.equal(way["conv"], random_direction(weights, Seed(2))["conv"])


def test_losses_are_those_of_moved_weights_and_the_network_stays(trained: Classifier, monkeypatch) -> None:
    data = cases("tabular", 2)
    before = {name: weight.clone() for name, weight in trained.module.state_dict().items()}
    found = loss_landscape(trained, data, points=5, reach=0.8, seed=3)
    assert found.losses.shape == (5, 5)
    assert found.loss == pytest.approx(float(cross_entropy(trained.logits(data.inputs), data.labels)), rel=1e-6)
    assert found.losses[2, 2] == found.loss
    weights = dict(trained.module.named_parameters())
    ways = [random_direction(weights, Seed(3, ("loss landscape",)).child(axis)) for axis in range(2)]
    moved = Classifier.wrap(trained.module, schema=data.schema, classes=data.classes)
    with torch.no_grad():
        for name, weight in moved.module.named_parameters():
            weight += 0.4 * ways[0][name] - 0.8 * ways[1][name]
    truth = float(cross_entropy(moved.logits(data.inputs), data.labels))
    assert found.losses[3, 0] == pytest.approx(truth, rel=1e-5)
    assert all(torch.equal(weight, before[name]) for name, weight in trained.module.state_dict().items())
    monkeypatch.setattr(landscape, "ELEMENTS", 30)
    np.testing.assert_allclose(loss_landscape(trained, data, points=5, reach=0.8, seed=3).losses, found.losses, rtol=1e-6)


def test_the_loss_of_a_linear_classifier_is_convex_along_every_line(trained: Classifier) -> None:
    found = loss_landscape(trained, cases("tabular", 2), dimensions=1, points=31, reach=3.0)
    assert (np.diff(found.losses, 2) >= -1e-6).all()
    assert np.diff(found.losses, 2).max() > 1e-5


def test_a_line_is_the_middle_of_its_plane(trained: Classifier) -> None:
    data = cases("tabular", 2)
    plane, line = (loss_landscape(trained, data, points=5, dimensions=axes) for axes in (2, 1))
    np.testing.assert_allclose(plane.losses[:, 2], line.losses)
    assert len(plane.to_frame()) == 25
    assert plane.to_frame().query("first == 0 and second == 0").loss.item() == plane.loss


@pytest.mark.parametrize(
    ("modality", "architecture"), [("text", "transformer_text"), ("sequence", "attention_recurrent"), ("image", "cnn")]
)
def test_every_kind_of_network_has_one(modality: str, architecture: str) -> None:
    data = cases(modality, 2)
    options = {"width": 8, "buckets": 64} if modality == "text" else {}
    network = Recipe(architecture, options=options).network().build(data.schema, 2)
    classifier = Classifier.wrap(network, schema=data.schema, classes=data.classes)
    found = loss_landscape(classifier, data, points=3)
    assert np.isfinite(found.losses).all()
    assert found.loss == pytest.approx(float(cross_entropy(classifier.logits(data.inputs), data.labels)), rel=1e-5)
    assert np.ptp(found.losses) > 0


def test_of_many_rows_some_are_taken(trained: Classifier) -> None:
    data = cases("tabular", 2)
    x, y = data.inputs.repeat(60, 1), data.labels.repeat(60)
    assert loss_landscape(trained, x, y, points=3).rows == 1000


def test_impossible_options_are_refused(trained: Classifier, numbers) -> None:
    data = cases("tabular", 2)
    for options, said in (
        ({"dimensions": 3}, "dimensions must be 1 or 2"),
        ({"points": 4}, "points must be odd"),
        ({"reach": 0.0}, "reach"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            loss_landscape(trained, data, **options)

    class Scales(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :2] * self.scale

    scales = Classifier.wrap(Scales(), schema=numbers(3), classes=("a", "b"))
    with pytest.raises(NotApplicableError, match="no filters that could be moved"):
        loss_landscape(scales, torch.rand(4, 3), torch.tensor([0, 1, 0, 1]))
