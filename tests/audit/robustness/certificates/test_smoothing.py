"""Smoothing against the margins of linear classifiers, which no radius may exceed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from audit.robustness.certificates.smoothing import ABSTAINED, movable_numbers, smooth
from classifier import Classifier, Feature, Schema
from classifier.errors import ConfigurationError, DataError, NotApplicableError

CLASSES = ("a", "b")


def numbers(count: int, **fields: Any) -> Schema:
    features = (Feature(f"x{i}", "continuous", **{"scale": 1.0, **fields}) for i in range(count))
    return Schema("tabular", tuple(features), encoding="natural")


def linear(schema: Schema, *, classes: int = 2, width: int = 6) -> tuple[Classifier, Tensor]:
    """A linear classifier, and its weights."""
    generator = torch.Generator().manual_seed(1)
    layer = nn.Linear(width, classes)
    layer.weight.data, layer.bias.data = torch.randn(classes, width, generator=generator), torch.zeros(classes)
    return Classifier.wrap(layer, schema=schema, classes=[f"class {k}" for k in range(classes)]), layer.weight.data


def rows(count: int, width: int = 6) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_the_radius_comes_near_to_a_linear_margin_from_below(sigma: float, scale: float) -> None:
    classifier, weight = linear(numbers(6, scale=scale))
    x = scale * rows(60)
    z = classifier.logits(x)
    margin = ((z[:, 1] - z[:, 0]).abs() / (scale * (weight[1] - weight[0]).norm())).double()
    found = smooth(classifier, x, z.argmax(1), sigma=sigma, n=4000, alpha=1e-6)
    assert (found.radius <= margin).all()
    near = (margin > sigma / 2) & (margin < 2 * sigma)
    assert near.sum() > 5
    assert (found.radius / margin)[near].mean() > 0.8
    assert torch.equal(found.predicted[~found.abstained], z.argmax(1)[~found.abstained])


def test_too_large_radii_are_as_rare_as_alpha_says() -> None:
    classifier, weight = linear(numbers(6))
    x = rows(600)
    z = classifier.logits(x)
    margin = ((z[:, 1] - z[:, 0]).abs() / (weight[1] - weight[0]).norm()).double()
    found = smooth(classifier, x, z.argmax(1), sigma=1.0, n0=50, n=400, alpha=0.1)
    share = (found.radius > margin).double().mean().item()
    # Not more often than alpha, by three standard errors, and not never: the bound is no wider than it says.
    assert 0.02 < share < 0.1 + 3 * (0.1 * 0.9 / 600) ** 0.5


def test_certified_rows_fall_with_the_radius_and_wrong_ones_are_none() -> None:
    classifier, _ = linear(numbers(6), classes=10)
    x, y = rows(40), classifier.predict(rows(40))
    found = smooth(classifier, x, y, sigma=0.25, n=500)
    curve = [found.certified(radius).sum().item() for radius in (0.0, 0.1, 0.2, 0.4, 5.0)]
    assert curve == sorted(curve, reverse=True)
    assert curve[0] > curve[-1] == 0
    assert not smooth(classifier, x, (y + 1) % 10, sigma=0.25, n=500).certified(0.0)[~found.abstained].any()
    assert torch.equal(found.base, y)


def test_it_abstains_where_the_decision_is_a_coin_flip() -> None:
    def stripes(x: Tensor) -> Tensor:
        event = (torch.sin(1000 * x[:, 0]) > 0).double()
        return torch.stack([1 - event, event], 1)

    classifier = Classifier.wrap(stripes, schema=numbers(1), classes=CLASSES)
    found = smooth(classifier, rows(20, 1), torch.zeros(20, dtype=torch.int64), sigma=1.0, n=1000)
    assert found.abstained.all()
    assert (found.predicted == ABSTAINED).all()
    assert not found.radius.any()
    assert not found.certified(0.0).any()


def test_a_constant_black_box_is_certified_as_far_as_so_many_draws_can_tell() -> None:
    classifier = Classifier.wrap(lambda x: torch.tensor([[0.9, 0.1]]).repeat(len(x), 1), schema=numbers(2), classes=CLASSES)
    found = smooth(classifier, rows(3, 2), torch.zeros(3, dtype=torch.int64), sigma=0.5, n=300, alpha=0.01)
    torch.testing.assert_close(found.radius, torch.full((3,), 0.5 * stats.norm.ppf(0.01 ** (1 / 300)), dtype=torch.float64))


def test_neither_chunks_nor_neighbours_nor_order_change_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, _ = linear(numbers(6))
    x, y = rows(12), torch.zeros(12, dtype=torch.int64)
    whole = smooth(classifier, x, y, sigma=0.5, n=700, seed=3)
    monkeypatch.setattr("classifier.chunks.chunk_size", lambda shape: 37)
    turned = smooth(classifier, x.flip(0)[:5], y[:5], sigma=0.5, n=700, seed=3)
    assert torch.equal(whole.radius.flip(0)[:5], turned.radius)
    assert not torch.equal(whole.radius, smooth(classifier, x, y, sigma=0.5, n=700, seed=4).radius)


def test_a_large_input_draws_its_noise_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, weight = linear(numbers(6))
    x, y = rows(20), classifier.predict(rows(20))
    monkeypatch.setattr("audit.robustness.certificates.smoothing._BLOCK", 6 * 64)
    found = smooth(classifier, x, y, sigma=1.0, n=2000, alpha=1e-6)
    z = classifier.logits(x)
    margin = ((z[:, 1] - z[:, 0]).abs() / (weight[1] - weight[0]).norm()).double()
    assert (found.radius <= margin).all()
    assert (found.radius / margin)[(margin > 0.5) & (margin < 2)].mean() > 0.75


def test_only_numbers_that_may_change_are_moved() -> None:
    features = (
        Feature("fixed", "continuous", scale=1.0, mutable=False),
        Feature("moving", "continuous", scale=1.0),
        Feature("flag", "binary", low=0, high=1),
        Feature("kind", "categorical", categories=("p", "q")),
    )
    schema = Schema("tabular", features, encoding="natural")
    assert movable_numbers(schema).tolist() == [False, True, False, False, False]

    def kept(x: Tensor) -> Tensor:
        # The event where anything but the number that may change is not as it was.
        moved = (x[:, [0, 2, 3, 4]] != torch.tensor([0.3, 1.0, 0.0, 1.0])).any(1).double()
        return torch.stack([1 - moved, moved], 1)

    classifier = Classifier.wrap(kept, schema=schema, classes=CLASSES)
    found = smooth(classifier, torch.tensor([[0.3, 0.5, 1.0, 0.0, 1.0]]), torch.tensor([0]), sigma=1.0, n=200)
    assert found.certified(1.0).all()


@pytest.mark.parametrize("threshold", [0.1, 0.9])
def test_the_decision_at_the_threshold_is_what_is_smoothed(threshold: float) -> None:
    classifier, weight = linear(numbers(6))
    x = rows(50)
    odds = classifier.logits(x) @ torch.tensor([-1.0, 1.0]) - torch.tensor(threshold).logit()
    margin = (odds.abs() / (weight[1] - weight[0]).norm()).double()
    found = smooth(classifier, x, (odds >= 0).long(), sigma=0.7, n=1000, alpha=1e-6, threshold=threshold)
    assert (found.radius <= margin).all()
    assert found.certified(0.1)[margin > 0.5].all()


def test_what_noise_cannot_move_is_refused() -> None:
    schema = Schema("tabular", (Feature("flag", "binary", low=0, high=1), Feature("kind", "categorical", categories=("p", "q", "r"))))
    classifier, _ = linear(schema, width=4)
    with pytest.raises(NotApplicableError, match="there or not"):
        smooth(classifier, torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64), sigma=0.5)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sigma": 0.0}, ConfigurationError, "sigma must be above 0"),
        ({"sigma": 0.5, "n": 0}, ConfigurationError, "n0 and n must be at least 1"),
        ({"sigma": 0.5, "alpha": 0.6}, ConfigurationError, "alpha must lie between"),
        ({"sigma": 0.5, "threshold": 0.0}, ConfigurationError, "threshold must lie between"),
        ({"sigma": 0.5, "labels": torch.tensor([0, 7])}, DataError, "labels must lie in 0 to 1"),
        ({"sigma": 0.5, "inputs": torch.zeros(0, 6), "labels": torch.zeros(0)}, DataError, "needs rows"),
        ({"sigma": 0.5, "inputs": torch.full((2, 6), torch.nan)}, DataError, "not finite"),
    ],
    ids=["no noise", "no draws", "no alpha", "no threshold", "no class", "no rows", "no numbers"],
)
def test_bad_input_is_named(options: dict[str, Any], error: type[Exception], words: str) -> None:
    classifier, _ = linear(numbers(6))
    given = {"inputs": rows(2), "labels": torch.zeros(2, dtype=torch.int64), **options}
    with pytest.raises(error, match=words):
        smooth(classifier, given.pop("inputs"), given.pop("labels"), **given)
