from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from audit import Subject
from audit.check import make_check
from audit.evidence import Evidence
from audit.report.catalogue import read_catalogue
from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.subject import Decision
from classifier import Classifier, Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed
from classifier.statistics import wilson

ID = "robustness.corruptions"


@pytest.fixture(scope="module")
def halves() -> Dataset:
    """Images of 28 x 28 whose left half is brighter than the right, or darker; and one pixel that is 255 or 0 with it."""
    generator = np.random.default_rng(0)
    labels = np.arange(80) % 2
    images = generator.integers(90, 160, (80, 28, 28))
    for image, label in zip(images, labels, strict=True):
        image[:, :14] += 40 * (1 if label else -1)
        image[0, 0] = 255 * label
    frame = pd.DataFrame({"case": pd.Series(list(images.astype(np.uint8)), dtype=object), "y": np.where(labels, "left", "right")})
    return Dataset.from_frame(frame, target="y", event="left", modality="image")


class Halves(nn.Module):
    """Compares the means of two halves."""

    def __init__(self, steepness: float = 50.0) -> None:
        super().__init__()
        self.steepness = steepness

    def forward(self, x: Tensor) -> Tensor:
        return self.steepness * (x[..., :14].mean((1, 2, 3)) - x[..., 14:].mean((1, 2, 3)))


class OnePixel(nn.Module):
    """Looks at the pixel in the corner alone, which has to be quite white."""

    def forward(self, x: Tensor) -> Tensor:
        return 200 * (x[:, 0, 0, 0] - 0.97)


def measured(module: nn.Module, data: Dataset, **options: Any) -> Evidence:
    classifier = Classifier.wrap(module, schema=data.schema, classes=data.classes)
    return make_check(ID, {"resamples": 200, **options}).measure(
        Subject(data, classifier=classifier, independence="held out"), Seed(0, (ID,))
    )


@pytest.fixture(scope="module")
def sound(halves: Dataset) -> Evidence:
    return measured(Halves(), halves, severities=(1, 3, 5))


def test_a_classifier_that_hangs_on_one_pixel_falls_and_one_that_sees_the_whole_does_not(halves: Dataset, sound: Evidence) -> None:
    planted = measured(OnePixel(), halves, severities=(1, 3, 5))
    for evidence in (sound, planted):
        assert evidence.metric("robustness.corruption_accuracy", corruption="none").value == 1
    whole = sound.metric("robustness.mean_corruption_accuracy", corruption="all")
    fallen = planted.metric("robustness.mean_corruption_accuracy", corruption="all")
    assert whole.low is not None
    assert fallen.high is not None
    assert whole.low > 0.9 > 0.85 > fallen.high
    worst = planted.metric("robustness.worst_corruption_accuracy")
    assert worst.value == min(m.value for m in planted.metrics if m.name.endswith("mean_corruption_accuracy") and m.value is not None)
    assert worst.value <= 0.5


def test_a_confidence_that_stays_while_accuracy_falls_shows_in_the_calibration(halves: Dataset) -> None:
    evidence = measured(OnePixel(), halves, kinds=("fog",), severities=(5,))
    clean, fogged = (evidence.metric("robustness.corruption_calibration_error", corruption=kind).value for kind in ("none", "fog"))
    accuracy = evidence.metric("robustness.corruption_accuracy", corruption="fog").value
    assert clean is not None
    assert fogged is not None
    assert accuracy is not None
    assert clean < 0.01
    assert fogged == pytest.approx(1 - accuracy, abs=0.01)
    assert evidence.metric("robustness.corruption_brier", corruption="fog").value == pytest.approx(2 * (1 - accuracy), abs=0.02)


def test_every_number_is_what_the_rows_beside_it_add_up_to(sound: Evidence) -> None:
    kinds = CORRUPTIONS["image"].ids()
    assert sound.parameters["done"] == list(kinds)
    means = []
    for kind in kinds:
        right = sound.arrays[f"right_{kind}"]
        assert right.shape == (80, 3)
        for column, severity in enumerate((1, 3, 5)):
            metric = sound.metric("robustness.corruption_accuracy", corruption=kind, severity=severity)
            assert (metric.low, metric.high) == wilson(int(right[:, column].sum()), 80)
        mean = sound.metric("robustness.mean_corruption_accuracy", corruption=kind)
        assert mean.value == pytest.approx(right.mean())
        assert mean.n == 80
        means.append(right.mean())
    assert sound.metric("robustness.mean_corruption_accuracy", corruption="all").value == pytest.approx(np.mean(means))
    assert len(sound.arrays["ids"]) == 80


def test_the_table_goes_from_the_worst_to_the_most_harmless_and_pictures_show_all(sound: Evidence) -> None:
    (table, *_), (curves, pictures) = sound.tables, sound.figures
    assert table.rows[0][0] == "none"
    accuracies = [row[1] for row in table.rows[1:] if isinstance(row[1], float)]
    assert accuracies == sorted(accuracies)
    assert [series.name for series in curves.series] == ["mean", "worst", "best"]
    assert curves.series[0].x == (0.0, 1.0, 3.0, 5.0)
    assert pictures.single
    assert len(pictures.series) == len(pictures.labels) == 16
    assert all(len(series.y) == 28 * 28 and 0 <= min(series.y) <= max(series.y) <= 1 for series in pictures.series)


def test_the_decision_is_that_of_the_subject(halves: Dataset) -> None:
    # The event has a probability of about 0.95 where it is true.
    classifier = Classifier.wrap(Halves(10.0), schema=halves.schema, classes=halves.classes)
    check = make_check(ID, {"kinds": ["brightness"], "severities": [1], "resamples": 20})
    for threshold, accuracy in ((0.5, 1.0), (0.999, 0.5)):
        evidence = check.measure(Subject(halves, classifier=classifier, decision=Decision(threshold)), Seed(0))
        for kind in ("none", "brightness"):
            metric = evidence.metric("robustness.corruption_accuracy", corruption=kind)
            assert metric.value == accuracy
            # Nobody knows whether the classifier learned from these rows.
            assert metric.bound == "upper"


def test_what_cannot_be_done_is_left_out_with_its_reason(letters: Dataset) -> None:
    classifier = Classifier.wrap(lambda x: torch.full((len(x), 2), 0.5), schema=letters.schema, classes=letters.classes)
    evidence = make_check(ID, {"severities": [3], "resamples": 20}).measure(Subject(letters, classifier=classifier), Seed(0))
    (left_out,) = (table for table in evidence.tables if table.name == "left_out")
    assert left_out.rows == (("wrong case", "the tokenizer does not tell large letters from small"),)
    (example,) = (table for table in evidence.tables if table.name == "example")
    assert example.single
    assert [row[0] for row in example.rows] == ["none", "dropped words", "swapped words", "typing errors"]
    assert all(row[1] for row in example.rows)


def test_a_kind_that_cannot_be_done_is_refused_with_the_reason(letters: Dataset) -> None:
    classifier = Classifier.wrap(lambda x: torch.full((len(x), 2), 0.5), schema=letters.schema, classes=letters.classes)
    with pytest.raises(NotApplicableError, match="wrong_case: the tokenizer does not tell large letters from small"):
        make_check(ID, {"kinds": ["wrong_case"]}).measure(Subject(letters, classifier=classifier), Seed(0))


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="severities must be of 1 to 5, got"):
        make_check(ID, {"severities": [0]})
    with pytest.raises(ConfigurationError, match="limit, bins and resamples must be at least 1"):
        make_check(ID, {"limit": 0})


def test_every_corruption_has_its_words() -> None:
    catalogue = read_catalogue()
    kinds = {"none", *(kind for registry in CORRUPTIONS.values() for kind in registry)}
    assert set(catalogue.under("where_value.corruption")) == {*kinds, "all"}
    assert set(catalogue.under(f"table.{ID}.by_corruption.cells.corruption")) == kinds
