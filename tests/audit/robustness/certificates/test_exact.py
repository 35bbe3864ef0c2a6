"""Exact answers against closed forms, grids and enumerations."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from audit.robustness import attack
from audit.robustness.certificates.exact import exact_robust
from audit.robustness.certificates.exact_bounds import neuron_bounds
from audit.robustness.certificates.exact_known_answers import measure_known_answers
from audit.robustness.certificates.exact_network import DenseNetwork
from audit.robustness.certificates.exact_region import LawfulRegion
from classifier import Classifier, Feature, Schema
from classifier.calibration import Calibration
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.modality import modality_of
from classifier.schema import Relation
from classifier.seeds import Seed


def numbers(count: int, **fields: Any) -> Schema:
    return Schema("tabular", tuple(Feature(f"x{i}", "continuous", **{"low": 0.0, "high": 1.0, **fields}) for i in range(count)))


def network(seed: int, *widths: int) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layer = nn.Linear(before, after)
        layer.weight.data = torch.randn(after, before, generator=generator)
        layer.bias.data = torch.randn(after, generator=generator) / 2
        layers += [layer, nn.ReLU()]
    module = nn.Sequential(*layers[:-1]).requires_grad_(False)
    # Every class about as often.
    layer.bias -= module(torch.rand(200, widths[0], generator=generator)).mean(0)
    return module


def wrapped(module: nn.Module, schema: Schema, classes: int) -> Classifier:
    return Classifier.wrap(module, schema=schema, classes=[f"class {k}" for k in range(classes)])


def rows(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_a_linear_classifier_meets_the_closed_form_in_the_box(classes: int) -> None:
    module = network(1, 6, classes)
    classifier, x, eps = wrapped(module, numbers(6), classes), rows(2, 80, 6), 0.05
    y = classifier.predict(x)
    weight, bias = module[0].weight.double(), module[0].bias.double()  # type: ignore[operator]
    low, high = (x.double() - eps).clamp(0, 1), (x.double() + eps).clamp(0, 1)
    difference = weight[y][:, None] - weight[None]
    margin = torch.where(difference > 0, difference * low[:, None], difference * high[:, None]).sum(2) + bias[y][:, None] - bias
    margin = margin.scatter(1, y[:, None], torch.inf).amin(1)
    exact = exact_robust(classifier, x, y, eps=eps)
    assert exact.decided.all()
    assert torch.equal(exact.robust, margin > 0)
    assert 5 < exact.robust.sum() < 75


@pytest.mark.parametrize("classes", [2, 3])
def test_without_a_box_the_l1_radius_is_the_margin_over_the_largest_weight(classes: int) -> None:
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", scale=2.0) for i in range(5)), encoding="natural")
    module = network(3, 5, classes)
    classifier, x = wrapped(module, schema, classes), 4 * rows(4, 40, 5)
    z, y = classifier.logits(x).double(), classifier.predict(x)
    weight = module[0].weight.double()  # type: ignore[operator]
    reach = 2.0 * (weight[y][:, None] - weight[None]).abs().amax(2)
    radius = ((z.gather(1, y[:, None]) - z) / reach).scatter(1, y[:, None], torch.inf).amin(1)
    eps = float(radius.median()) + 1e-4
    exact = exact_robust(classifier, x, y, eps=eps, norm="L1")
    assert exact.decided.all()
    assert torch.equal(exact.robust, radius > eps)
    moved = ((exact.adversarial - x).abs() / 2.0).sum(1)
    assert (moved <= eps * (1 + 1e-5)).all()


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4), eps=st.sampled_from([0.05, 0.15, 0.4]), norm=st.sampled_from(["Linf", "L1"]))
def test_a_dense_grid_says_the_same_in_two_dimensions(seed: int, classes: int, eps: float, norm: str) -> None:
    classifier = wrapped(network(seed, 2, 8, 6, classes), numbers(2), classes)
    x = rows(seed, 6, 2)
    y = classifier.predict(x)
    exact = exact_robust(classifier, x, y, eps=eps, norm=norm)
    side = torch.linspace(-eps, eps, 81)
    ball = torch.cartesian_prod(side, side)
    ball = ball[ball.abs().sum(1) <= eps] if norm == "L1" else ball
    grid = (x[:, None] + ball).clamp(0, 1)
    fallen = (classifier.predict(grid.flatten(0, 1)).reshape(len(x), -1) != y[:, None]).any(1)
    assert exact.decided.all()
    # Robust: no point of the grid falls. Not robust: a point inside is shown, though the grid may have missed it.
    assert not (exact.robust & fallen).any()
    assert (classifier.predict(exact.adversarial)[~exact.robust] != y[~exact.robust]).all()
    delta = (exact.adversarial - x).abs()
    assert ((delta.sum(1) if norm == "L1" else delta.amax(1)) <= eps + 1e-6).all()
    assert (exact.adversarial >= 0).all()
    assert (exact.adversarial <= 1).all()


ACTS = (
    Relation({"a": 1.0, "b": 2.0}, "<=", 9.0),
    Relation({"a": 1.0, "c": -1.0}, "==", 2.0),
)


@pytest.mark.parametrize("eps", [0.3, 1.0])
@pytest.mark.parametrize("norm", ["Linf", "L1"])
@pytest.mark.parametrize("relations", [(), ACTS[:1], ACTS], ids=["free", "at most", "both"])
def test_over_valid_rows_an_enumeration_says_the_same(relations: tuple[Relation, ...], norm: str, eps: float) -> None:
    features = (
        Feature("a", "integer", low=1, high=6),
        Feature("b", "integer", low=0, high=4, direction="increase"),
        Feature("c", "integer", low=-1, high=4),
        Feature("own", "binary", categories=("no", "yes")),
        Feature("job", "categorical", categories=("x", "y", "z")),
        Feature("age", "integer", low=0, high=3, mutable=False),
    )
    schema = Schema("tabular", features, relations)
    cells = itertools.product(range(1, 7), range(5), range(-1, 5), ("no", "yes"), ("x", "y", "z"), range(4))
    every = schema.encode(pd.DataFrame(cells, columns=[feature.name for feature in features]))
    every = every[modality_of(schema).valid(every)]
    classifier = wrapped(network(5, 8, 10, 3), schema, 3)
    x = every[torch.randperm(len(every), generator=torch.Generator().manual_seed(0))[:25]]
    y, answers = classifier.predict(x), classifier.predict(every)
    delta = every[None] - x[:, None]
    near = (delta.abs().sum(2) if norm == "L1" else delta.abs().amax(2)) <= eps + 1e-4
    near &= (delta[..., 1] >= -1e-6) & (delta[..., -1] == 0)
    truth = ~(near & (answers[None] != y[:, None])).any(1)
    exact = exact_robust(classifier, x, y, eps=eps, norm=norm, constrained=True)
    assert exact.decided.all()
    assert torch.equal(exact.robust, truth)
    assert modality_of(schema).valid(exact.adversarial).all()
    free = exact_robust(classifier, x, y, eps=eps, norm=norm)
    assert not (free.robust & ~exact.robust).any()


def test_a_row_that_is_itself_not_valid_is_undecided_among_valid_ones() -> None:
    schema = Schema("tabular", (Feature("a", "integer", low=0, high=4), Feature("b", "continuous", low=0, high=1)))
    classifier = wrapped(network(26, 2, 4, 2), schema, 2)
    x = torch.tensor([[0.3, 0.5], [0.25, 0.5]])
    exact = exact_robust(classifier, x, classifier.predict(x), eps=0.1, constrained=True)
    assert exact.decided.tolist() == [False, True]
    assert not exact.robust[0]


def test_where_nothing_may_change_what_is_right_is_robust() -> None:
    classifier, x = wrapped(network(7, 4, 5, 3), numbers(4), 3), rows(8, 30, 4)
    y = torch.arange(30) % 3
    for found in (
        exact_robust(classifier, x, y, eps=0.0),
        exact_robust(wrapped(network(7, 4, 5, 3), numbers(4, mutable=False), 3), x, y, eps=0.5, constrained=True),
    ):
        assert found.decided.all()
        assert torch.equal(found.robust, classifier.predict(x) == y)
        assert torch.equal(found.adversarial, x)


def test_bounds_exact_answer_and_attack_come_in_this_order_for_every_row() -> None:
    classifier = wrapped(network(9, 30, 16, 2), numbers(30), 2)
    x = rows(10, 60, 30)
    y = classifier.predict(x)
    standing = torch.ones(60, dtype=torch.bool)
    for eps in (0.01, 0.03, 0.06):
        exact = exact_robust(classifier, x, y, eps=eps)
        bounds = neuron_bounds(DenseNetwork.of(classifier), LawfulRegion.around(classifier, x, eps=eps, norm="Linf", constrained=False), y)
        attacked = attack(classifier, x, y, eps=eps, constrained=False).robust
        assert exact.decided.all()
        assert not ((bounds.margins.amin(1) > bounds.tolerance) & ~exact.robust).any()
        assert not (exact.robust & ~attacked).any()
        assert not (exact.robust & ~standing).any()
        standing = exact.robust
    assert 0 < standing.sum() < 60


@pytest.mark.parametrize("threshold", [0.2, 0.9])
def test_the_decision_at_the_threshold_is_what_must_hold(threshold: float) -> None:
    classifier = wrapped(network(11, 2, 8, 2), numbers(2), 2)
    x = rows(12, 40, 2)
    y = (classifier.probabilities(x)[:, 1] >= threshold).long()
    exact = exact_robust(classifier, x, y, eps=0.1, threshold=threshold)
    ball = torch.cartesian_prod(*[torch.linspace(-0.1, 0.1, 61)] * 2)
    event = classifier.probabilities((x[:, None] + ball).clamp(0, 1).flatten(0, 1))[:, 1].reshape(40, -1) >= threshold
    assert exact.decided.all()
    assert torch.equal(exact.robust, ~(event.long() != y[:, None]).any(1))
    assert not torch.equal(exact.robust, exact_robust(classifier, x, classifier.predict(x), eps=0.1).robust)


CALIBRATIONS = (
    Calibration(kind="temperature", temperature=3.0),
    Calibration(kind="bias_corrected", temperature=0.5, bias=(1.0, -0.5)),
    Calibration(kind="isotonic", knots=((-2.0, -3.0), (0.0, 1.0), (1.0, 1.5))),
)


@pytest.mark.parametrize("calibration", CALIBRATIONS, ids=lambda calibration: calibration.kind)
def test_calibrated_logits_decide(calibration: Calibration) -> None:
    classifier = wrapped(network(13, 2, 8, 1), numbers(2), 2).calibrated(calibration)
    x = rows(14, 40, 2)
    y = (classifier.probabilities(x)[:, 1] >= 0.7).long()
    exact = exact_robust(classifier, x, y, eps=0.08, threshold=0.7)
    ball = torch.cartesian_prod(*[torch.linspace(-0.08, 0.08, 61)] * 2)
    event = classifier.probabilities((x[:, None] + ball).clamp(0, 1).flatten(0, 1))[:, 1].reshape(40, -1) >= 0.7
    assert exact.decided.all()
    assert torch.equal(exact.robust, ~(event.long() != y[:, None]).any(1))


def test_convolutions_normalisation_and_leaky_relu_are_read_as_they_compute() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3)
    norm.running_mean, norm.running_var = torch.randn(3), torch.rand(3) + 0.5
    module = nn.Sequential(
        nn.Conv2d(1, 3, 3, stride=2, padding=1), norm, nn.LeakyReLU(0.1), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 5), nn.ReLU(),
        nn.Dropout(), nn.Linear(5, 4),
    )  # fmt: skip
    schema = Schema("image", (Feature("gray", "continuous", low=0.0, high=1.0),), size=(8, 8))
    classifier = wrapped(module, schema, 4)
    x = rows(15, 8, 1, 8, 8)
    dense = DenseNetwork.of(classifier)
    torch.testing.assert_close(dense(x.double().flatten(1)).float(), classifier.logits(x), atol=1e-5, rtol=1e-5)
    assert dense.slopes == (pytest.approx(0.1), 0.0)
    exact = exact_robust(classifier, x, classifier.predict(x), eps=0.03)
    assert exact.decided.all()
    assert not (exact.robust & ~attack(classifier, x, classifier.predict(x), eps=0.03, constrained=False).robust).any()


def test_a_row_that_is_wrong_falls_without_being_asked() -> None:
    classifier, x = wrapped(network(16, 4, 6, 3), numbers(4), 3), rows(17, 10, 4)
    exact = exact_robust(classifier, x, (classifier.predict(x) + 1) % 3, eps=0.1)
    assert exact.decided.all()
    assert not exact.robust.any()
    assert torch.equal(exact.adversarial, x)
    assert exact.nodes == 0


def test_few_nodes_leave_rows_undecided_and_never_call_them_robust() -> None:
    classifier, x = wrapped(network(18, 10, 30, 30, 3), numbers(10), 3), rows(19, 20, 10)[:8]
    y = classifier.predict(x)
    whole = exact_robust(classifier, x, y, eps=0.08)
    few = exact_robust(classifier, x, y, eps=0.08, nodes=1, binaries=15)
    assert not few.decided.all()
    assert not (few.robust & ~whole.robust).any()
    assert not (few.robust & ~few.decided).any()


class Doubled(nn.Linear):
    """A subclass that computes something else."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_what_cannot_be_answered_is_refused_with_the_reason() -> None:
    schema, x, y = numbers(4), rows(20, 8, 4), torch.zeros(8, dtype=torch.int64)
    plain = wrapped(network(21, 4, 5, 2), schema, 2)
    normed = wrapped(nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2)), schema, 2)
    doubled = wrapped(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), Doubled(4, 2)), schema, 2)
    with pytest.raises(NotApplicableError, match="LayerNorm at 1"):
        exact_robust(normed, x, y, eps=0.1)
    with pytest.raises(NotApplicableError, match="Doubled at 2"):
        exact_robust(doubled, x, y, eps=0.1)
    with pytest.raises(NotApplicableError, match="black box"):
        exact_robust(Classifier.wrap(plain.probabilities, schema=schema, classes=plain.classes), x, y, eps=0.1)
    with pytest.raises(NotApplicableError, match="L2"):
        exact_robust(plain, x, y, eps=0.1, norm="L2")
    wide = wrapped(network(18, 10, 30, 30, 3), numbers(10), 3)
    x = rows(19, 20, 10)[[1, 2, 5]]
    with pytest.raises(NotApplicableError, match=r"every row has [0-9]+ or more unstable activations, at most 2 are tried"):
        exact_robust(wide, x, wide.predict(x), eps=0.08, binaries=2)
    bent = wrapped(network(21, 4, 5, 2), schema, 2)
    bent.module[0].forward = lambda x: 3 * nn.functional.linear(x, bent.module[0].weight)  # type: ignore[index,union-attr,method-assign]
    with pytest.raises(NotApplicableError, match="methods of its own"):
        exact_robust(bent, rows(20, 8, 4), y, eps=0.1)
    other = wrapped(network(24, 4, 5, 2), schema, 2)
    with pytest.raises(NotApplicableError, match="otherwise than its layers"):
        DenseNetwork.of(plain).require_alike(other, rows(20, 8, 4), threshold=0.5)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"eps": -0.1}, ConfigurationError, "eps must be at least 0"),
        ({"eps": float("nan")}, ConfigurationError, "eps must be at least 0"),
        ({"eps": 0.1, "nodes": 0}, ConfigurationError, "nodes must be at least 1"),
        ({"eps": 0.1, "norm": "L7"}, ConfigurationError, "norm must be"),
        ({"eps": 0.1, "threshold": 1.0}, ConfigurationError, "threshold must lie between"),
        ({"eps": 0.1, "labels": torch.full((5,), 3)}, DataError, "labels must lie in 0 to 1"),
        ({"eps": 0.1, "inputs": torch.zeros(0, 4), "labels": torch.zeros(0)}, DataError, "needs rows"),
    ],
    ids=["negative eps", "no eps", "no nodes", "no norm", "no threshold", "no class", "no rows"],
)
def test_bad_input_is_named(options: dict[str, Any], error: type[Exception], words: str) -> None:
    classifier = wrapped(network(22, 4, 5, 2), numbers(4), 2)
    given_ = {"inputs": rows(23, 5, 4), "labels": torch.zeros(5, dtype=torch.int64), **options}
    with pytest.raises(error, match=words):
        exact_robust(classifier, given_.pop("inputs"), given_.pop("labels"), **given_)


def test_the_known_answers_hold_for_any_seed() -> None:
    for value in range(2):
        for answer in measure_known_answers(Seed(value, ("known",))):
            assert answer.holds, answer
    assert np.isfinite([answer.measured for answer in measure_known_answers(Seed(9))]).all()
