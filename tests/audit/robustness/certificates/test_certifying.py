"""Certificates: given to rows that are right and stay so, and to no other; what cannot be certified says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from audit.robustness.certificates.certifying import certify
from audit.robustness.certificates.known_answers import measure_known_answers
from audit.robustness.certificates.margins import margin_lower_bounds
from classifier import Classifier, Feature, Schema
from classifier.adapters.module import from_module
from classifier.calibration import Calibration
from classifier.errors import AssayError, ConfigurationError, DataError, NotApplicableError
from classifier.seeds import Seed

Build = Callable[[str, int], Classifier]
METHODS = ["ibp", "crown_ibp", "crown", "alpha_crown", "auto"]


def plane(classes: int, *, seed: int = 0) -> tuple[Classifier, Tensor, Tensor]:
    """A linear classifier of 6 numbers in [0, 1], and rows with what it answers."""
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(6)))
    layer, generator = nn.Linear(6, classes), Seed(seed, ("plane",)).torch()
    layer.weight.data = torch.randn(classes, 6, generator=generator)
    layer.bias.data = -layer.weight.data.sum(1) / 2
    classifier = Classifier.wrap(layer, schema=schema, classes=[str(k) for k in range(classes)])
    x = torch.rand(80, 6, generator=generator)
    return classifier, x, classifier.predict(x)


def robust(classifier: Classifier, x: Tensor, y: Tensor, eps: float, shift: float = 0.0) -> Tensor:
    """Which rows of `plane` stand every change ``(N,)``, by the closed form over ball and box."""
    assert isinstance(classifier.module, nn.Linear)
    weight, bias = classifier.module.weight, classifier.module.bias.clone()
    bias[1] += shift
    difference = weight[y][:, None] - weight
    low, high = (x - eps).clamp(0, 1)[:, None], (x + eps).clamp(0, 1)[:, None]
    margin = (difference * torch.where(difference > 0, low, high)).sum(2) + bias[y][:, None] - bias
    return margin.scatter(1, y[:, None], torch.inf).amin(1) > 0


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("method", METHODS)
def test_the_rows_of_a_linear_classifier_are_certified_exactly(classes: int, method: str) -> None:
    classifier, x, y = plane(classes)
    truth = robust(classifier, x, y, 0.04)
    assert 0 < truth.sum() < len(x)
    assert torch.equal(certify(classifier, x, y, eps=0.04, method=method), truth)  # type: ignore[arg-type]


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8])
def test_what_is_decided_is_what_is_certified(threshold: float) -> None:
    classifier, x, _ = plane(2)
    shift = float(torch.tensor((1 - threshold) / threshold).log())
    y = (classifier.probabilities(x)[:, 1] >= threshold).long()
    truth = robust(classifier, x, y, 0.05, shift)
    assert torch.equal(certify(classifier, x, y, eps=0.05, threshold=threshold), truth)
    assert not torch.equal(truth, certify(classifier, x, classifier.predict(x), eps=0.05)) or threshold == 0.5


@pytest.mark.parametrize(
    ("calibration", "classes"),
    [
        (Calibration(kind="temperature", temperature=3.0), 3),
        (Calibration(kind="bias_corrected", temperature=0.5, bias=(0.6, -0.4, 0.0)), 3),
        (Calibration(kind="bias_corrected", temperature=2.0, bias=(0.4, -0.3)), 2),
        (Calibration(kind="isotonic", knots=((-1.0, -2.0), (0.1, -0.5), (2.0, 3.0))), 2),
    ],
    ids=["temperature", "bias", "bias of two", "isotonic"],
)
def test_bounds_are_those_of_the_calibrated_logits(calibration: Calibration, classes: int) -> None:
    plain, x, _ = plane(classes)
    classifier = plain.calibrated(calibration)
    y = classifier.predict(x)
    still = margin_lower_bounds(classifier, x, y, eps=0.0)
    z = classifier.logits(x).double()
    margins, others = z.gather(1, y[:, None]) - z, still.isfinite()
    assert torch.allclose(still[others], margins[others], atol=2e-4)
    assert (still <= margins)[others].all()
    assert not torch.equal(y, plain.predict(x)) or calibration.kind == "temperature"


def test_with_no_change_right_rows_are_certified_and_wrong_ones_never(random_network: Build) -> None:
    classifier = random_network("residual", 0)
    x = torch.rand(12, 2, 6, 6, generator=Seed(0, ("x",)).torch())
    y = torch.arange(12) % 3
    assert torch.equal(certify(classifier, x, y, eps=0.0), classifier.predict(x) == y)
    assert not certify(classifier, x, (classifier.predict(x) + 1) % 3, eps=0.0001).any()


def test_auto_certifies_what_any_bound_does(random_network: Build) -> None:
    classifier = random_network("relu", 1)
    x = torch.rand(40, 5, generator=Seed(0, ("x",)).torch())
    y = classifier.predict(x)
    each = {method: certify(classifier, x, y, eps=0.02, method=method) for method in METHODS}  # type: ignore[arg-type]
    assert torch.equal(each["auto"], torch.stack([each[m] for m in METHODS[:-1]]).any(0))
    assert each["crown"].sum() > each["ibp"].sum()


def test_outputs_in_another_order_are_certified_in_the_order_of_the_classes() -> None:
    classifier, x, _ = plane(3)
    assert classifier.module is not None
    ordered = from_module(
        classifier.module, schema=classifier.schema, classes=("0", "1", "2"), output="logits", output_classes=("2", "0", "1")
    )
    y = ordered.predict(x)
    bounds, z = margin_lower_bounds(ordered, x, y, eps=0.0), ordered.logits(x).double()
    others = bounds.isfinite()
    assert torch.allclose(bounds[others], (z.gather(1, y[:, None]) - z)[others], atol=1e-4)


def test_one_row_is_enough() -> None:
    classifier, x, y = plane(3)
    assert certify(classifier, x[:1], y[:1], eps=0.001).shape == (1,)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"eps": -0.1}, ConfigurationError, "eps must be at least 0"),
        ({"eps": float("nan")}, ConfigurationError, "eps must be at least 0"),
        ({"method": "magic"}, ConfigurationError, "method must be one of"),
        ({"norm": "L0"}, ConfigurationError, "norm must be one of"),
        ({"threshold": 1.0}, ConfigurationError, "threshold must be above 0"),
        ({"labels": torch.full((80,), 3)}, DataError, "labels must lie in 0 to 2, got 3 to 3"),
        ({"labels": torch.zeros(80)}, DataError, "needs whole labels, got torch.float32"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, DataError, "a label for each"),
        ({"inputs": torch.zeros(0, 6), "labels": torch.zeros(0, dtype=torch.int64)}, DataError, "needs rows"),
        ({"inputs": torch.full((80, 6), torch.nan)}, DataError, "must be finite"),
        ({"inputs": torch.zeros(80, 7)}, DataError, "must have the shape"),
    ],
)
def test_what_cannot_be_asked_is_refused(changed: dict[str, Any], error: type[AssayError], message: str) -> None:
    classifier, x, y = plane(3)
    with pytest.raises(error, match=message):
        certify(classifier, **{"inputs": x, "labels": y, "eps": 0.1, **changed})


class _Twice(nn.Module):
    """A network that answers otherwise where one row stands alone in memory, which no trace can tell."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, torch.fx.Proxy):
            return -x
        return x


def test_a_network_that_answers_otherwise_than_its_trace_is_refused() -> None:
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=0.0, high=1.0) for i in range(3)))
    classifier = Classifier.wrap(_Twice(), schema=schema, classes=("a", "b", "c"))
    with pytest.raises(NotApplicableError, match="answer otherwise than the network"):
        certify(classifier, torch.rand(2, 3), torch.tensor([0, 1]), eps=0.1)


def test_a_black_box_is_refused() -> None:
    classifier, x, y = plane(3)
    box = Classifier.wrap(classifier.probabilities, schema=classifier.schema, classes=classifier.classes)
    with pytest.raises(NotApplicableError, match="not certifiable: the classifier is a black box"):
        certify(box, x, y, eps=0.1)


def test_the_known_answers_hold() -> None:
    assert all(answer.holds for seed in range(3) for answer in measure_known_answers(Seed(seed)))
