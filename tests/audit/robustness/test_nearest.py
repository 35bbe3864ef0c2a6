"""The nearest wrong rows, and the check that tells how far they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from audit import Subject
from audit.check import make_check
from audit.robustness.attacks.fab import FAB
from audit.robustness.attacks.fmn import FMN
from audit.robustness.attacks.hop_skip_jump import HopSkipJump
from audit.robustness.nearest import nearest_wrong
from classifier import Classifier, Dataset, Feature, Schema
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.seeds import Seed


def line(threshold_at: float = 0.5) -> Classifier:
    """Two features from 0 to 10, of which the first decides at a share of its range; the probability rises by e with each unit."""
    layer = nn.Linear(2, 2)
    layer.weight.data = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    layer.bias.data = torch.tensor([0.0, -10 * threshold_at])
    features = (Feature("a", "continuous", low=0.0, high=10.0, unit="years"), Feature("b", "integer", low=0.0, high=10.0))
    return Classifier.wrap(layer, schema=Schema("tabular", features, encoding="natural"), classes=("no", "yes"))


def rows() -> tuple[Tensor, Tensor]:
    x = torch.stack([torch.linspace(0.25, 9.75, 20), torch.arange(20) % 11.0], 1)
    return x, (x[:, 0] > 5).long()


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_the_distance_is_the_known_one_in_units_of_change(norm: str) -> None:
    x, y = rows()
    found = nearest_wrong(line(), x, y, norm=norm, attacks=(FMN(steps=60), FAB(steps=30)))  # type: ignore[arg-type]
    exact = (x[:, 0] - 5).abs() / 10
    assert torch.allclose(found.distance, exact, rtol=2e-3, atol=1e-5)
    assert torch.all(line().predict(found.adversarial) != y)
    assert set(found.found_by) <= {"fmn", "fab"}


def test_what_is_decided_at_the_threshold_is_what_is_attacked() -> None:
    x, y = rows()
    # The probability is .9 where a is ln 9 above the middle.
    shifted = 5 + np.log(9)
    found = nearest_wrong(line(), x, y, threshold=0.9)
    wrong = (x[:, 0] > 5) & (x[:, 0] < shifted)
    exact = torch.where(wrong, 0.0, (x[:, 0] - shifted).abs() / 10)
    assert torch.allclose(found.distance.double(), exact.double(), rtol=2e-3, atol=1e-5)
    assert [by == "clean" for by in found.found_by] == wrong.tolist()
    assert torch.equal(found.adversarial[wrong], x[wrong])


def test_a_black_box_is_measured_from_its_decisions() -> None:
    x, y = rows()
    black_box = Classifier.wrap(line().probabilities, schema=line().schema, classes=("no", "yes"))
    found = nearest_wrong(black_box, x, y, norm="L2", attacks=(HopSkipJump(queries=1500),))
    assert torch.allclose(found.distance, (x[:, 0] - 5).abs() / 10, rtol=0.05, atol=1e-3)
    with pytest.raises(NotApplicableError, match="needs gradients"):
        nearest_wrong(black_box, x, y, attacks=(FMN(),))
    with pytest.raises(NotApplicableError, match="no attack without them knows L1"):
        nearest_wrong(black_box, x, y, norm="L1")


@pytest.mark.parametrize("elements", [6, 300])
def test_the_size_of_a_part_changes_nothing(monkeypatch: pytest.MonkeyPatch, elements: int) -> None:
    x, y = rows()
    whole = nearest_wrong(line(), x, y, attacks=(FMN(steps=20),))
    monkeypatch.setattr("audit.robustness.nearest.chunk_size", lambda shape: elements)
    assert torch.allclose(nearest_wrong(line(), x, y, attacks=(FMN(steps=20),)).distance, whole.distance, rtol=1e-5)


def test_bad_input_is_refused() -> None:
    x, y = rows()
    with pytest.raises(DataError, match="needs rows"):
        nearest_wrong(line(), x[:0], y[:0])
    with pytest.raises(DataError, match="labels must lie in 0 to 1"):
        nearest_wrong(line(), x, y + 1)
    with pytest.raises(ConfigurationError, match="knows no changes in L1"):
        nearest_wrong(line(), x, y, norm="L1", attacks=(HopSkipJump(),))


def test_the_check_tells_quantiles_of_right_rows_and_a_curve_that_falls(credit_subject: Subject) -> None:
    options = {"limit": 60, "steps": 30, "targets": 1}
    evidence = make_check("robustness.distance", options).measure(credit_subject, Seed(0, ("robustness.distance",)))
    distance = evidence.arrays["distance_Linf"]
    middle = evidence.metric("robustness.least_distance", norm="Linf", quantile=0.5)
    right = distance[distance > 0]
    assert middle.value == pytest.approx(np.sort(right)[int(np.ceil(0.5 * len(right))) - 1])
    assert middle.bound == "upper"
    assert middle.low is not None
    assert middle.high is not None
    assert middle.low <= middle.value <= middle.high
    for norm in ("Linf", "L2"):
        curve = [m for m in evidence.metrics if m.name == "robustness.accuracy_by_distance" and m.where["norm"] == norm]
        values = [m.value or 0.0 for m in curve]
        assert len(curve) >= 6
        assert values == sorted(values, reverse=True)
        assert values[-1] < values[0]
        assert values[0] == pytest.approx(np.mean(evidence.arrays[f"distance_{norm}"] > 0))
        assert all(m.bound == "upper" for m in curve)
    assert {table.name for table in evidence.tables} == {"moved_linf", "moved_l2"}


def test_a_steeper_classifier_of_the_same_decisions_is_as_far_and_one_whose_boundary_is_nearer_is_nearer() -> None:
    x = rows()[0]

    def measured(classifier: Classifier) -> float:
        labels = classifier.predict(x)
        data = Dataset(x, labels, np.arange(20), classifier.schema, classifier.classes, pd.DataFrame(index=range(20)))
        evidence = make_check("robustness.distance", {"steps": 30, "norms": ["Linf"]}).measure(
            Subject(data, classifier=classifier), Seed(0)
        )
        value = evidence.metric("robustness.least_distance", quantile=0.5).value
        assert value is not None
        return value

    steep = line()
    assert steep.module is not None
    steep.module.weight.data *= 8  # type: ignore[operator, union-attr]
    steep.module.bias.data *= 8  # type: ignore[operator, union-attr]
    plain = measured(line())
    assert measured(steep) == pytest.approx(plain, rel=1e-2)
    assert measured(line(0.95)) > 1.5 * plain


def test_the_check_refuses_inputs_that_cannot_change_by_a_little() -> None:
    schema = Schema("tabular", (Feature("flag", "binary", low=0.0, high=1.0),))
    layer = nn.Linear(1, 2)
    classifier = Classifier.wrap(layer, schema=schema, classes=("no", "yes"))
    data = Dataset(torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1]), np.arange(2), schema, ("no", "yes"), pd.DataFrame(index=range(2)))
    with pytest.raises(NotApplicableError, match="no change is small"):
        make_check("robustness.distance", {}).measure(Subject(data, classifier=classifier), Seed(0))
    with pytest.raises(ConfigurationError, match="norms must hold"):
        make_check("robustness.distance", {"norms": ["L1"]})
