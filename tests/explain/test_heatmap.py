"""A heat map shows the image as it is, and each attribution where it lies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from classifier import Classifier, Feature, Schema
from classifier.errors import ConfigurationError, NotApplicableError
from explain import attribute
from explain.figures.heatmap import draw_heatmap

SCHEMA = Schema("image", tuple(Feature(name, "integer", low=0.0, high=255.0) for name in ("red", "green", "blue")), size=(12, 16))


@pytest.fixture
def ax() -> Axes:
    return Figure().add_subplot()


@pytest.fixture
def pictures() -> Classifier:
    """Logits that are linear in the pixels."""
    layer = nn.Linear(3 * 12 * 16, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(2, 576, generator=torch.Generator().manual_seed(0)))
    return Classifier.wrap(nn.Sequential(nn.Flatten(), layer), schema=SCHEMA, classes=("day", "night"))


def test_a_heat_map_shows_the_image_and_each_value_with_zero_in_the_middle(ax: Axes) -> None:
    picture = np.linspace(0, 1, 12).reshape(3, 4, 1)
    values = np.arange(12).reshape(3, 4) - 3.0
    assert draw_heatmap(picture, values, label="logit of night", title="Why", words=("Bild", "Beitrag"), ax=ax) is ax
    image, effect = ax.images
    assert np.allclose(np.asarray(image.get_array()), np.broadcast_to(picture, (3, 4, 3)))
    assert np.array_equal(np.asarray(effect.get_array()), values)
    assert effect.get_clim() == (-8, 8)
    assert np.allclose(effect.cmap(effect.norm(0.0)), 1, atol=0.02), "zero is white"
    assert image.get_extent()[1] < effect.get_extent()[0], "they lie beside each other"
    assert {"Bild", "Beitrag"} <= {text.get_text() for text in ax.texts}
    (bar,) = ax.child_axes
    assert bar.get_ylabel() == "logit of night"
    assert [label.get_text() for label in bar.get_yticklabels()] == ["−8", "0", "+8"]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 3)])
def test_a_plain_image_and_no_effect_are_drawn_too(shape: tuple[int, int]) -> None:
    axes = draw_heatmap(np.ones((*shape, 3)), np.zeros(shape), label="logit")
    axes.figure.canvas.draw()
    assert axes.images[1].get_clim() == (-1, 1)


def test_one_image_draws_itself_as_a_heat_map(pictures: Classifier, ax: Axes) -> None:
    x = torch.rand(2, *SCHEMA.shape, generator=torch.Generator().manual_seed(1))
    explanation = attribute(pictures, x, "integrated_gradients")
    assert explanation[0].plot(ax=ax) is ax
    image, effect = ax.images
    assert np.allclose(np.asarray(image.get_array()), x[0].permute(1, 2, 0))
    # Integrated gradients of a linear classifier are weight times distance from the baseline, here summed over the channels.
    assert pictures.module is not None
    weight = next(iter(pictures.module.state_dict().values()))
    exact = (weight[1] - weight[0]).reshape(3, 12, 16) * (x[0] - 0.5)
    assert np.allclose(np.asarray(effect.get_array()), exact.sum(0), atol=1e-5)
    with pytest.raises(ConfigurationError, match="a heat map shows one image, got 2"):
        explanation.plot("heatmap")


def test_patches_of_one_value_are_drawn_even(pictures: Classifier, ax: Axes) -> None:
    x = torch.rand(1, *SCHEMA.shape, generator=torch.Generator().manual_seed(1))
    explanation = attribute(pictures, x, "kernel_shap")
    explanation.plot("heatmap", ax)
    patches = np.asarray(ax.images[1].get_array()).reshape(6, 2, 8, 2)
    assert np.allclose(patches, patches[:, :1, :, :1])
    assert np.allclose(patches[:, 0, :, 0].flatten(), explanation.by_feature()[0]), "the numbers of the table"
    assert bar_label(ax) == f"{explanation.label}, per patch"


def bar_label(ax: Axes) -> str:
    return ax.child_axes[0].get_ylabel().replace("\n", " ")


def test_numbers_of_pixels_are_called_so(pictures: Classifier, ax: Axes) -> None:
    explanation = attribute(pictures, torch.rand(1, *SCHEMA.shape), "integrated_gradients")
    explanation.plot("heatmap", ax)
    assert bar_label(ax) == f"{explanation.label}, per pixel"


def test_what_a_reader_must_know_stands_under_the_map_as_does_that_it_is_empty(pictures: Classifier, ax: Axes) -> None:
    explanation = attribute(pictures, torch.rand(1, *SCHEMA.shape), "integrated_gradients")
    noted = replace(explanation, attributions=torch.zeros_like(explanation.attributions), notes=("layer '3' (ReLU): 4 maps of 2 x 2",))
    noted.plot("heatmap", ax)
    said = ax.texts[-1].get_text().split("\n")
    assert said == ["0 everywhere: integrated gradients gives no part of this image anything", *noted.notes]
    assert [label.get_text() for label in ax.child_axes[0].get_yticklabels()] == ["0"]


def test_a_table_is_no_picture(credit: Classifier, applicants: Tensor) -> None:
    with pytest.raises(NotApplicableError, match="a heat map shows images, and the inputs are tabular; draw a waterfall"):
        attribute(credit, applicants[:1]).plot("heatmap")
