"""A calibration is a map of the logits that is part of the classifier, and keeps how rows rank."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from classifier import Classifier, Schema
from classifier.architectures.logistic import Logistic
from classifier.calibration import Calibration
from classifier.errors import ConfigurationError
from classifier.seeds import Seed

CALIBRATIONS = (
    Calibration(kind="temperature", temperature=2.5),
    Calibration(kind="bias_corrected", temperature=0.7, bias=(0.3, -1.1)),
    Calibration(kind="isotonic", knots=((-2.0, -1.0), (0.5, -0.9), (1.0, 2.0))),
)


@pytest.fixture(scope="module")
def classifier(mixed_schema: Schema) -> Classifier:
    module = Logistic().build(mixed_schema, 2)
    return Classifier.wrap(module, schema=mixed_schema, classes=("good", "bad"), factory=Logistic())


def logits(rows: int = 50) -> torch.Tensor:
    return 3 * torch.randn(rows, 2, generator=Seed(0, ("logits",)).torch())


def odds(z: torch.Tensor) -> torch.Tensor:
    return z[:, 1] - z[:, 0]


def test_logits_are_divided_and_shifted_as_the_formula_says() -> None:
    z = logits()
    assert torch.allclose(CALIBRATIONS[0](z), z / 2.5)
    assert torch.allclose(CALIBRATIONS[1](z), z / 0.7 + torch.tensor([0.3, -1.1]))


def test_an_isotonic_map_goes_through_its_knots_straight_between_them_and_with_slope_1_beyond() -> None:
    given = torch.tensor([-5.0, -2.0, -0.75, 0.5, 0.75, 1.0, 4.0])
    expected = torch.tensor([-4.0, -1.0, -0.95, -0.9, 0.55, 2.0, 5.0])
    z = torch.stack([torch.zeros(7), given], 1)
    assert torch.allclose(odds(CALIBRATIONS[2](z)), expected, atol=1e-6)


@pytest.mark.parametrize("calibration", CALIBRATIONS, ids=lambda calibration: calibration.kind)
def test_rows_rank_as_before_and_gradients_pass(calibration: Calibration) -> None:
    z = logits().requires_grad_()
    calibrated = odds(calibration(z))
    assert torch.equal(calibrated.argsort(), odds(z).argsort())
    slope = torch.autograd.grad(calibrated.sum(), z)[0][:, 1]
    assert (slope > 0).all()
    step = 1e-3
    moved = odds(calibration(z + torch.tensor([0.0, step])))
    assert ((moved - calibrated) > 0).all()


@pytest.mark.parametrize("calibration", CALIBRATIONS, ids=lambda calibration: calibration.kind)
def test_a_calibrated_classifier_is_another_one_and_comes_back_from_its_folder(
    calibration: Calibration, classifier: Classifier, mixed_schema: Schema, tmp_path: Path
) -> None:
    calibrated = classifier.calibrated(calibration)
    x = torch.rand(9, *mixed_schema.shape, generator=Seed(1, ("x",)).torch())
    assert torch.allclose(calibrated.logits(x), calibration(classifier.logits(x)))
    assert torch.allclose(calibrated.logits(x.requires_grad_()).detach(), calibrated.logits(x.detach()))
    assert calibrated.digest != classifier.digest
    calibrated.save(tmp_path / "saved")
    loaded = Classifier.load(tmp_path / "saved")
    assert loaded.digest == calibrated.digest
    assert torch.equal(loaded.logits(x), calibrated.logits(x))
    assert calibrated.to("cpu").digest == calibrated.digest


def test_a_file_of_a_release_without_calibration_is_read_with_the_same_digest(classifier: Classifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "old")
    path = tmp_path / "old" / "classifier.json"
    document = json.loads(path.read_text())
    del document["calibration"]
    path.write_text(json.dumps(document))
    assert Classifier.load(tmp_path / "old").digest == classifier.digest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "platt"}, "must be one of temperature, bias_corrected, isotonic, got 'platt'"),
        ({"kind": "temperature", "temperature": 0.0}, "temperature must be above 0"),
        ({"kind": "temperature", "bias": (0.0, 1.0)}, "no other has"),
        ({"kind": "bias_corrected"}, "no other has"),
        ({"kind": "isotonic"}, "no other has"),
        ({"kind": "bias_corrected", "bias": (0.0, float("nan"))}, "must be finite"),
        ({"kind": "isotonic", "knots": ((0.0, 0.0), (1.0, 0.0))}, "rise strictly"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Calibration(**options)


def test_a_calibration_for_another_number_of_classes_is_refused(classifier: Classifier) -> None:
    with pytest.raises(ConfigurationError, match="a bias for 3 classes, there are 2"):
        classifier.calibrated(Calibration(kind="bias_corrected", bias=(0.0, 0.0, 1.0)))
    with pytest.raises(ConfigurationError, match="for two classes, there are 3"):
        CALIBRATIONS[2].require(3)
