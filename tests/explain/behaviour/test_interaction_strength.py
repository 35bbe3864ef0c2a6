"""The H-statistic has closed forms, and its parts are what brute force gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from cases import cases

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import modality_of
from explain.behaviour.h_statistic import ALL_OTHERS, interaction_strength

Case = tuple[Classifier, Dataset]
Make = Callable[..., Case]


def test_of_a_sum_there_is_none(case: Make) -> None:
    classifier, data = case(lambda x: x[:, 0] ** 2 + torch.sin(x[:, 1]) + x[:, 2], np.random.default_rng(0).normal(size=(60, 3)))
    found = interaction_strength(classifier, data)
    assert found.size == pytest.approx(0, abs=1e-5)
    assert found.size_interval == pytest.approx(0, abs=1e-5)


def test_of_a_product_it_is_the_product_about_its_means(case: Make) -> None:
    x = np.random.default_rng(0).normal([1.0, 0.5, 0.0], 1.0, (80, 3))
    classifier, data = case(lambda x: x[:, 0] * x[:, 1], x)
    found = interaction_strength(classifier, data)
    values = data.inputs.double().numpy()
    first, second = (values[:, place] - values[:, place].mean() for place in (0, 1))
    joint = values[:, 0] * values[:, 1]
    beyond = first * second
    size = np.sqrt(np.mean((beyond - beyond.mean()) ** 2))
    frame = found.to_frame().set_index(["feature", "with"])
    assert frame.loc[("x0", "x1"), "size"] == pytest.approx(size, abs=1e-5)
    assert frame.loc[("x0", "x1"), "share"] == pytest.approx(size / joint.std(), abs=1e-5)
    assert frame.loc[("x0", ALL_OTHERS), "size"] == pytest.approx(size, abs=1e-5)
    assert frame.loc[("x2", ALL_OTHERS), "size"] == pytest.approx(0, abs=1e-5)
    assert frame.loc[("x0", "x1"), "size_low"] < size < frame.loc[("x0", "x1"), "size_high"]
    assert found.spread == pytest.approx(joint.std(), abs=1e-5)


def test_it_is_what_brute_force_gives(mixed: Case) -> None:
    classifier, data = mixed
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    classifier = Classifier.wrap(network, schema=classifier.schema, classes=classifier.classes)
    data = data[:12]
    groups, x = data.schema.groups, data.inputs

    def partial(*names: str) -> np.ndarray:
        means = []
        for row in x:
            changed = x.clone()
            for name in names:
                changed[:, groups[name]] = row[groups[name]]
            logits = classifier.logits(changed).double()
            means.append(float((logits[:, 1] - logits[:, 0]).mean()))
        return np.array(means) - np.mean(means)

    pair, first, second = partial("months", "purpose"), partial("months"), partial("purpose")
    found = interaction_strength(classifier, data, ["months", "purpose"])
    beyond = np.sqrt(np.mean((pair - first - second) ** 2))
    assert found.size[0, 0] == pytest.approx(beyond, abs=1e-6)
    assert found.share[0, 0] == pytest.approx(beyond / np.sqrt(np.mean(pair**2)), abs=1e-5)
    rest = partial("rate", "flag", "married", "purpose")
    whole = partial(*data.schema.names)
    assert found.size[1, 0] == pytest.approx(np.sqrt(np.mean((whole - first - rest) ** 2)), abs=1e-6)


def test_a_share_of_next_to_nothing_is_marked(case: Make) -> None:
    classifier, data = case(lambda x: 5 * x[:, 2] + 0.01 * x[:, 0] * x[:, 1], np.random.default_rng(0).normal(size=(50, 3)))
    found = interaction_strength(classifier, data)
    assert found.parts[0] == ("x0", "x1")
    assert found.small[0, 0]
    assert not found.small[1, 0]
    assert "read their sizes" in found.notes[0]


def test_shares_above_all_are_explained(case: Make) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    x[:, 1] = x[:, 0] + 0.1 * x[:, 1]
    found = interaction_strength(*case(lambda x: (x[:, 0] - x[:, 1]).abs() + x[:, 2], x))
    assert found.share[0, 0] > 3
    assert "strongly correlated: x0 and x1 (+1.00)" in found.notes[0]
    assert "of 6 shares are above 1: each alone does more than both jointly; read their sizes" in found.notes[1]
    independent = interaction_strength(*case(lambda x: x[:, 0] * x[:, 2], x), ["x0", "x2"])
    assert not any("above 1" in note for note in independent.notes)


def test_every_class_and_every_aligned_modality(case: Make) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3))
    classifier, data = case(lambda x: torch.stack([x[:, 0] * x[:, 1], x[:, 1], x[:, 2]], 1), x, classes=("a", "b", "c"))
    found = interaction_strength(classifier, data)
    assert found.size[0] == pytest.approx([found.size[0, 0], 0, 0], abs=1e-5)
    assert found.size[0, 0] > 0.3
    assert found.plot().get_xlabel().count("logit of a") == 1
    images = cases("image", 2)
    box = Classifier.wrap(lambda x: torch.sigmoid(x.flatten(1).mean(1)), schema=images.schema, classes=images.classes)
    assert len(interaction_strength(box, images, modality_of(images.schema).players[:2]).parts) == 3


def test_pieces_change_nothing(mixed: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = interaction_strength(*mixed, ["rate", "months"], rows=30)
    monkeypatch.setattr("explain.behaviour.answers._CACHED", 300)
    again = interaction_strength(*mixed, ["rate", "months"], rows=30)
    assert again.size == pytest.approx(whole.size, abs=1e-6)
    assert whole.notes == ("30 of 200 rows, drawn by the seed",)


def test_what_cannot_be_is_refused(mixed: Case) -> None:
    with pytest.raises(ConfigurationError, match="no feature 'rat'; did you mean 'rate'"):
        interaction_strength(*mixed, ["rat", "months"])
    with pytest.raises(ConfigurationError, match="at least two different names"):
        interaction_strength(*mixed, ["rate"])
    texts = cases("text", 2)
    box = Classifier.wrap(lambda x: torch.full((len(x), 2), 0.5), schema=texts.schema, classes=texts.classes)
    with pytest.raises(NotApplicableError, match="the parts of a text"):
        interaction_strength(box, texts)


def test_it_shows_itself(mixed: Case) -> None:
    found = interaction_strength(*mixed, rows=20)
    assert "bad" in found._repr_html_()
    assert len(found.plot(limit=4).patches) == 4
    assert len(found.plot(total=True).patches) == 5
    with pytest.raises(ConfigurationError, match="no class 'bda'"):
        found.plot(target="bda")
