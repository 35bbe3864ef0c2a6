"""RISE: its expectation in closed form, for players and for the pixels of an image, and standard errors that hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.schema import Feature, Schema
from explain import attribute

SIDE, CELL = 16, 4


def tent() -> np.ndarray:
    """How the masks of two pixels covary with their distance along one side, in units of the variance."""
    slope = np.concatenate([np.arange(1, CELL + 1), np.arange(CELL - 1, 0, -1)]) / CELL
    covariance = np.convolve(slope, slope)
    return covariance / covariance.max()


@pytest.fixture(scope="module")
def linear_image() -> tuple[Classifier, Tensor, Tensor]:
    """A linear classifier of grey and colourless images, two of them, and what each pixel adds to the log-odds ``(2, C, H, W)``."""
    generator = torch.Generator().manual_seed(4)
    schema = Schema("image", tuple(Feature(name, "continuous", 0.0, 1.0) for name in ("a", "b")), size=(SIDE, SIDE))
    module = nn.Sequential(nn.Flatten(), nn.Linear(2 * SIDE * SIDE, 2))
    weight = torch.zeros(2, SIDE, SIDE)
    weight[:, 3:7, 9:13] = torch.rand(2, 4, 4, generator=generator)
    with torch.no_grad():
        module[1].weight.copy_(torch.stack([-weight.flatten(), weight.flatten()]) / 2)
        module[1].bias.zero_()
    x = torch.rand(2, 2, SIDE, SIDE, generator=generator)
    return Classifier.wrap(module, schema=schema, classes=("no", "yes")), x, x * weight


def test_a_player_gets_what_it_adds_on_average(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    """With a probability of 1/2 that is the value of Banzhaf, which LIME gives without a kernel."""
    truth = attribute(classifier, x, "lime", baseline=background[0], kernel_width=1e3).by_feature()
    scores, means = [], []
    for seed in range(30):
        explanation = attribute(classifier, x, "rise", baseline=background[0], samples=200, seed=seed)
        assert explanation.standard_error is not None
        means.append(explanation.by_feature())
        scores.append((explanation.by_feature() - truth) / explanation.standard_error)
    assert 0.85 < float(torch.stack(scores).square().mean().sqrt()) < 1.15
    assert float((torch.stack(means).mean(0) - truth).abs().max()) < 0.1 * float(truth.abs().max())


def test_an_ignored_feature_gets_nothing_where_weighted_means_would_give_it_the_mean_output() -> None:
    schema = Schema("tabular", (Feature("used", "continuous", 0.0, 1.0), Feature("ignored", "continuous", 0.0, 1.0)))
    classifier = Classifier.wrap(lambda x: torch.sigmoid(4 + x[:, 0]), schema=schema, classes=("no", "yes"))
    explanation = attribute(classifier, torch.ones(1, 2), "rise", baseline=torch.zeros(2), samples=2000)
    used, ignored = explanation.by_feature()[0].tolist()
    assert explanation.standard_error is not None
    assert abs(ignored) < 5 * float(explanation.standard_error[0, 1]) < 0.2
    assert used == pytest.approx(1, abs=0.01)
    assert float(explanation.base_value[0]) == pytest.approx(4, abs=1e-3)


def test_a_pixel_gets_what_lies_within_a_cell_of_it(linear_image: tuple[Classifier, Tensor, Tensor]) -> None:
    classifier, x, own = linear_image
    explanation = attribute(classifier, x, "rise", samples=3000, cells=SIDE // CELL, baseline=torch.zeros(2, SIDE, SIDE))
    kernel = np.outer(tent(), tent())
    together = convolve2d(np.ones((SIDE, SIDE)), kernel, mode="same")
    smooth = np.stack([convolve2d(picture.sum(0).numpy(), kernel, mode="same") / together / 2 for picture in own])
    truth = explanation.modality.gather(torch.from_numpy(smooth)[:, None].expand(-1, 2, -1, -1).contiguous())
    assert explanation.standard_error is not None
    score = (explanation.by_feature() - truth) / explanation.standard_error
    assert float(score.abs().max()) < 4
    assert float((explanation.by_feature() - truth).norm() / truth.norm()) < 0.2


def test_what_lies_far_from_all_that_counts_gets_nothing(linear_image: tuple[Classifier, Tensor, Tensor]) -> None:
    classifier, x, _ = linear_image
    explanation = attribute(classifier, x, "rise", samples=1000, cells=SIDE // CELL, baseline=torch.zeros(2, SIDE, SIDE))
    far = torch.zeros(1, 2, SIDE, SIDE)
    far[..., 15:, :] = 1
    players = explanation.modality.gather(far)[0] > 0
    assert explanation.standard_error is not None
    assert players.any()
    near = explanation.attributions[..., 3:7, 9:13].abs().mean()
    assert explanation.attributions[..., 15:, :].abs().mean() < 0.25 * near


def test_images_in_pieces_get_the_same(linear_image: tuple[Classifier, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, x, _ = linear_image
    whole = attribute(classifier, x, "rise", samples=64)
    monkeypatch.setattr("explain.attribution.rise.chunk_size", lambda shape: 7)
    pieces = attribute(classifier, x, "rise", samples=64)
    assert torch.allclose(pieces.attributions, whole.attributions, atol=1e-7)
    assert whole.standard_error is not None
    assert pieces.standard_error is not None
    assert torch.allclose(pieces.standard_error, whole.standard_error, atol=1e-7)


def test_an_image_smaller_than_the_grid_has_cells_of_a_pixel() -> None:
    schema = Schema("image", (Feature("a", "continuous", 0.0, 1.0),), size=(3, 5))
    classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), nn.Linear(15, 2)), schema=schema, classes=("no", "yes"))
    assert attribute(classifier, torch.rand(1, 1, 3, 5), "rise").attributions.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 8}, "samples must be at least 16"),
        ({"keep": 1.0}, "keep must lie between 0 and 1"),
        ({"cells": 1}, "cells must be at least 2"),
    ],
)
def test_options_that_cannot_be_are_refused(classifier: Classifier, x: Tensor, options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        attribute(classifier, x, "rise", **options)
