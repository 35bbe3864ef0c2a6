"""Convolutional networks take images of any size, save and load, and read digits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from classifier import Classifier, Dataset, Feature, Schema
from classifier.architecture import ARCHITECTURES, Architecture
from classifier.architectures._layers import Standardize
from classifier.architectures.cnn import CNN
from classifier.architectures.resnet import ResNet
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed
from trainer import Recipe, train

NETWORKS: list[Architecture] = [
    make(normalisation=norm)  # type: ignore[operator]
    for make in (CNN, ResNet)
    for norm in ("batch", "group", "none")
]
named = pytest.mark.parametrize("network", NETWORKS, ids=lambda n: f"{type(n).__name__}-{n.normalisation}")


def schema(channels: int, height: int, width: int) -> Schema:
    features = tuple(Feature(f"channel {i + 1}", "integer", low=0.0, high=255.0) for i in range(channels))
    return Schema("image", features, size=(height, width))


@named
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 5), (1, 1, 2), (4, 33, 20)])
@pytest.mark.parametrize("classes", [2, 10])
def test_an_image_of_any_size_gets_a_logit_a_class(network: Architecture, shape: tuple[int, int, int], classes: int) -> None:
    torch.manual_seed(0)
    module = network.build(schema(*shape), classes)
    x = torch.rand(3, *shape, generator=Seed(0).torch())
    loss = module(x).logsumexp(1).sum()
    assert module(x).shape == (3, classes)
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in module.parameters())
    # The last rows of an epoch may be one row alone.
    assert module(x[:1]).isfinite().all()


@named
def test_a_saved_network_answers_the_same(network: Architecture, tmp_path: Path) -> None:
    torch.manual_seed(1)
    shape = schema(1, 8, 8)
    classifier = Classifier.wrap(network.build(shape, 3), schema=shape, classes=("a", "b", "c"), factory=network)
    classifier.save(tmp_path / "saved")
    again = Classifier.load(tmp_path / "saved")
    x = torch.rand(4, 1, 8, 8, generator=Seed(0).torch())
    assert again.digest == classifier.digest
    assert torch.equal(again.logits(x), classifier.logits(x))


@named
def test_only_batch_normalisation_lets_a_row_answer_for_another(network: Architecture) -> None:
    torch.manual_seed(2)
    module = network.build(schema(1, 8, 8), 3)
    x = torch.rand(6, 1, 8, 8, generator=Seed(0).torch()).requires_grad_()
    module(x)[0].sum().backward()
    assert x.grad is not None
    others = x.grad[1:].abs().max().item()
    norms = sum(isinstance(layer, nn.BatchNorm2d) for layer in module.modules())
    assert (norms > 0) == (network.normalisation == "batch")  # type: ignore[attr-defined]
    assert norms > 0 or others == 0


def test_a_block_of_a_fresh_residual_network_passes_on_what_came_in() -> None:
    torch.manual_seed(3)
    module = ResNet(channels=(8,), blocks=3, normalisation="none").build(schema(1, 8, 8), 2)
    assert isinstance(module, nn.Sequential)
    x = torch.rand(2, 1, 8, 8, generator=Seed(0).torch())
    stem = module[:3](x)
    assert torch.equal(module[:6](x), stem)


def test_a_channel_has_one_mean_and_one_deviation() -> None:
    x = torch.rand(50, 3, 4, 5, generator=Seed(0).torch()) * torch.tensor([1.0, 5.0, 0.0])[:, None, None] + 2
    layer = Standardize((3, 1, 1))
    layer.fit(x)
    z = layer(x)
    assert torch.allclose(z.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(z.std((0, 2, 3), correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-4)
    whole = Standardize((3, 4, 5))
    whole.fit(x)
    assert torch.allclose(whole.mean, x.mean(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CNN(channels=()), r"channels must hold widths of at least 1, got \[\]"),
        (lambda: ResNet(channels=(8, 0)), r"channels must hold widths of at least 1, got \[8, 0\]"),
        (lambda: CNN(normalisation="grup"), "there is no normalisation 'grup'; did you mean 'group'"),
        (lambda: ResNet(dropout=1.0), r"dropout must lie in \[0, 1\), got 1.0"),
        (lambda: CNN(hidden=(0,)), r"hidden must hold widths of at least 1, got \[0\]"),
        (lambda: ResNet(blocks=0), "blocks must be at least 1, got 0"),
    ],
)
def test_options_that_cannot_be_are_refused(make: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_a_table_is_refused(name: str, german_credit: Dataset) -> None:
    assert ARCHITECTURES[name].modalities == {"image"}
    with pytest.raises(NotApplicableError, match=f"the architecture '{name}' takes inputs of modality image, got tabular"):
        train(german_credit, Recipe(name), progress=False)


def accuracy(recipe: Recipe) -> float:
    splits = Dataset.builtin("digits").split(seed=recipe.seed)
    classifier = train(splits, recipe, device="cpu", progress=False)
    return (classifier.predict(splits.test.inputs) == splits.test.labels).float().mean().item()


@pytest.mark.parametrize("recipe", [Recipe("cnn", epochs=4, learning_rate=3e-3), Recipe("resnet", epochs=3, learning_rate=5e-3)])
def test_a_few_epochs_read_most_digits(recipe: Recipe) -> None:
    assert accuracy(recipe) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("name", "learning_rate", "smoothing"), [("cnn", 3e-3, 0.1), ("resnet", 5e-3, 0.0)], ids=["cnn", "resnet"])
def test_the_recipe_of_the_documentation_reads_digits(name: str, learning_rate: float, smoothing: float) -> None:
    reached = [
        accuracy(
            Recipe(name, epochs=30, learning_rate=learning_rate, schedule="cosine", patience=None, label_smoothing=smoothing, seed=seed)
        )
        for seed in range(5)
    ]
    assert sum(reached) / len(reached) >= 0.98
