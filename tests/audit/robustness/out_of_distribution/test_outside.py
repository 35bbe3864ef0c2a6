"""The rows that are made, and what the check says of classifiers that know and do not know what they do not know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import CASES, cases
from torch import Tensor, nn

from audit import Evidence, Subject
from audit.check import make_check
from audit.robustness.out_of_distribution import Outside, make_outside
from classifier import Classifier, Dataset
from classifier.errors import ConfigurationError, DataError
from classifier.modality import modality_of
from classifier.seeds import Seed


@pytest.mark.parametrize("modality", CASES)
def test_rows_are_valid_inputs_that_differ_from_their_source_and_keep_its_length(modality: str) -> None:
    data = cases(modality, 2)
    made = make_outside(data, Seed(0))
    assert len(made) == 5
    for name, outside in made.items():
        assert isinstance(outside, Outside), (name, outside)
        assert modality_of(data.schema).valid(outside.rows).all(), name
        assert (outside.rows != data.inputs[outside.source]).flatten(1).any(1).all(), name
        present = modality_of(data.schema).present
        assert torch.equal(present(outside.rows), present(data.inputs[outside.source])), name
        assert outside.rows.dtype == data.inputs.dtype


@pytest.mark.parametrize("modality", CASES)
def test_the_same_seed_makes_the_same_rows_and_another_makes_others(modality: str) -> None:
    data = cases(modality, 2)
    first, again, other = (make_outside(data, Seed(seed)) for seed in (0, 0, 1))
    for name, outside in first.items():
        assert isinstance(outside, Outside)
        assert torch.equal(outside.rows, again[name].rows)  # type: ignore[union-attr]
        assert not torch.equal(outside.rows[:5], other[name].rows[:5])  # type: ignore[union-attr]


def test_shuffled_tables_keep_every_column_and_lose_what_binds_them(german_credit: Dataset) -> None:
    made = make_outside(german_credit, Seed(0))["shuffled"]
    assert isinstance(made, Outside)
    assert len(made.rows) == len(german_credit)
    assert torch.equal(made.rows.sort(0).values, german_credit.inputs.sort(0).values)


def test_shuffled_images_and_texts_keep_what_they_hold() -> None:
    for modality in ("image", "text"):
        data = cases(modality, 2)
        made = make_outside(data, Seed(0))["shuffled"]
        assert isinstance(made, Outside)
        assert torch.equal(made.rows.flatten(1).sort(1).values, data.inputs[made.source].flatten(1).sort(1).values)


def test_spliced_rows_have_each_part_from_one_of_two_rows_of_different_classes(german_credit: Dataset) -> None:
    made = make_outside(german_credit, Seed(0))["spliced"]
    assert isinstance(made, Outside)
    own = german_credit.inputs[made.source]
    others = [german_credit.inputs[german_credit.labels == label] for label in (0, 1)]
    for row in range(20):
        moved = made.rows[row] != own[row]
        donors = others[1 - int(german_credit.labels[made.source[row]])]
        assert (donors[:, moved] == made.rows[row, moved]).all(1).any()


def test_noise_moves_numbers_by_a_tenth_of_their_range() -> None:
    data = cases("tabular", 10)
    made = make_outside(data, Seed(0))["noisy"]
    assert isinstance(made, Outside)
    apart = (made.rows - data.inputs[made.source])[:, :2].abs()
    # Of a normal with deviation 0.1 the mean size is 0.08, less what the bounds cut off.
    assert 0.04 < float(apart.mean()) < 0.08


def test_a_set_that_would_change_too_few_rows_gives_its_reason() -> None:
    data = cases("tabular", 2)
    same = replace(data, inputs=data.inputs[:1].expand_as(data.inputs).contiguous())
    for name in ("spliced", "shuffled"):
        assert make_outside(same, Seed(0))[name] == f"{len(data)} of {len(data)} rows would stay as they are"
    with pytest.raises(DataError, match="there are none"):
        make_outside(data[np.zeros(0, dtype=np.int64)], Seed(0))


class Near(nn.Module):
    """Logits that fall with the distance from the middle of each class: unknown rows have low ones."""

    def __init__(self, centres: Tensor) -> None:
        super().__init__()
        self.register_buffer("centres", centres)

    def forward(self, x: Tensor) -> Tensor:
        return -200 * (x[:, None, :2] - self.centres[:, :2]).square().sum(2)


class Sure(Near):
    """Logits that grow with the distance from the middle of all: the stranger a row, the surer."""

    def forward(self, x: Tensor) -> Tensor:
        return 50 * (x[:, :2] - self.centres[:, :2].mean(0)) @ (self.centres[:, :2] - self.centres[:, :2].mean(0)).T


def measured(kind: type[Near], **options: object) -> Evidence:
    data = cases("tabular", 10, 40)
    splits = data.split(seed=0)
    centres = torch.stack([splits.train.inputs[splits.train.labels == k].mean(0) for k in range(10)])
    classifier = Classifier.wrap(kind(centres), schema=data.schema, classes=data.classes)
    subject = Subject(splits.test, classifier=classifier, training=splits.train, validation=splits.validation)
    check = make_check("robustness.out_of_distribution", {"resamples": 100, **options})
    return check.measure(subject, Seed(0, (check.id,)))


def test_a_classifier_that_knows_its_place_stops_far_rows_and_a_sure_one_does_not() -> None:
    known, sure = measured(Near), measured(Sure)
    for name in ("uniform", "corners"):
        good, bad = (evidence.metric("robustness.ood_auroc", score="energy", set=name) for evidence in (known, sure))
        assert good.low is not None
        assert bad.high is not None
        assert good.low > 0.9 > bad.high
        where = {"score": "energy", "set": name}
        stays, passes = (evidence.metric("robustness.ood_fpr_at_95_tpr", **where).value for evidence in (known, sure))
        assert stays is not None
        assert passes is not None
        assert stays < 0.25 < passes
        assert good.where["distance"] == "far"
    kept = known.metric("robustness.ood_kept", score="energy")
    assert kept.value is not None
    assert kept.value > 0.8
    assert known.metric("robustness.ood_threshold", score="energy").interval == "bootstrap"


def test_rows_that_are_brought_are_a_set_of_their_own(tmp_path: Path) -> None:
    data = cases("tabular", 10, 40)
    frame = data.schema.decode(data.inputs[:30])
    frame["east"], frame["north"] = 0.0, 0.0
    frame.to_csv(tmp_path / "others.csv", index=False)
    evidence = measured(Near, path=str(tmp_path / "others.csv"))
    found = evidence.metric("robustness.ood_auroc", score="energy", set="given")
    assert found.where["distance"] == "given"
    assert found.value == 1
    assert evidence.parameters["given"]["rows"] == 30
    assert {figure.name for figure in evidence.figures} == {"roc_near", "roc_far", "roc_given"}


def test_the_halves_that_are_known_and_changed_have_no_row_in_common() -> None:
    arrays = measured(Near).arrays
    assert not set(arrays["ids"].tolist()) & set(arrays["ids_uniform"].tolist())


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="limit must be at least 4, got 3"):
        make_check("robustness.out_of_distribution", {"limit": 3})
    with pytest.raises(ConfigurationError, match=r"path must be an absolute path, got 'others\.csv'"):
        make_check("robustness.out_of_distribution", {"path": "others.csv"})


def test_of_a_long_file_a_sample_is_taken_and_not_the_first_rows(tmp_path: Path) -> None:
    data = cases("tabular", 10, 40)
    frame = data.schema.decode(data.inputs[[0] * 60])
    frame.loc[30:, ["east", "north"]] = 0.0
    frame.to_csv(tmp_path / "others.csv", index=False)
    scores = measured(Near, path=str(tmp_path / "others.csv"), limit=20).arrays["score_energy_given"]
    assert len(scores) == 20
    assert len(np.unique(scores.round(4))) == 2
