"""Prototypes and criticisms are what brute force chooses, and come nearer to the rows than chance."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from cases import cases

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed
from explain.behaviour.mmd_critic import Kernel, choose_criticisms, choose_prototypes, discrepancy, discrepancy_by_chance
from explain.behaviour.prototyping import prototypes
from trainer import Recipe, train

Case = tuple[Classifier, Dataset]


@pytest.fixture(scope="module")
def kernel() -> torch.Tensor:
    points = torch.randn(14, 3, generator=torch.Generator().manual_seed(0)).double()
    return Kernel.for_points(points)(points)


def test_the_discrepancy_is_its_definition(kernel: torch.Tensor) -> None:
    chosen = [3, 7, 9]
    by_hand = kernel.mean() - 2 * kernel[:, chosen].mean() + kernel[chosen][:, chosen].mean()
    assert float(discrepancy(kernel, torch.tensor([chosen]))[0]) == pytest.approx(float(by_hand), abs=1e-12)
    assert float(discrepancy(kernel, torch.arange(14)[None])[0]) == pytest.approx(0, abs=1e-12)


def test_every_step_takes_the_prototype_that_brute_force_takes(kernel: torch.Tensor) -> None:
    chosen = choose_prototypes(kernel, 6)
    for size in range(1, 7):
        others = [row for row in range(14) if row not in chosen[: size - 1]]
        sets = torch.tensor([[*chosen[: size - 1], row] for row in others])
        assert others[int(discrepancy(kernel, sets).argmin())] == chosen[size - 1]


def test_the_greedy_choice_is_nearly_the_best_of_all_sets(kernel: torch.Tensor) -> None:
    sets = torch.tensor(list(combinations(range(14), 3)))
    best = float(discrepancy(kernel, sets).min())
    greedy = float(discrepancy(kernel, torch.tensor([choose_prototypes(kernel, 3)]))[0])
    # What is maximised is the mean of the kernel less the discrepancy; greedy reaches 1 - 1/e of its best.
    whole = float(kernel.mean())
    assert whole - greedy >= (1 - 1 / np.e) * (whole - best)
    assert greedy < discrepancy_by_chance(kernel, 3, Seed(0)) / 2


def test_every_step_takes_the_criticism_that_brute_force_takes(kernel: torch.Tensor) -> None:
    typical = choose_prototypes(kernel, 3)
    witness = (kernel.mean(0) - kernel[typical].mean(0)).abs()
    chosen = choose_criticisms(kernel, typical, 4)
    assert not set(chosen) & set(typical)
    for size in range(1, 5):
        others = [row for row in range(14) if row not in [*typical, *chosen[: size - 1]]]
        worth = []
        for row in others:
            members = [*chosen[: size - 1], row]
            worth.append(float(witness[members].sum() + torch.logdet(kernel[members][:, members])))
        assert others[int(np.argmax(worth))] == chosen[size - 1]


def test_one_prototype_of_each_cluster_is_chosen_and_the_outlier_is_criticised(mixed: Case) -> None:
    schema = mixed[1].schema
    box = Classifier.wrap(lambda x: torch.full((len(x),), 0.2), schema=schema, classes=("good", "bad"))
    frame = mixed[1].frame().iloc[[0] * 100].reset_index(drop=True).drop(columns="(class)")
    generator = np.random.default_rng(0)
    frame["rate"] = np.r_[generator.normal(-1.5, 0.05, 60), generator.normal(2.5, 0.05, 39), 0.5]
    inputs = schema.encode(frame)
    data = Dataset(inputs, torch.zeros(100, dtype=torch.int64), np.arange(100), schema, ("good", "bad"), mixed[1].attributes.iloc[:100])
    found = prototypes(box, data, count=2, criticisms=3)
    assert [example.place < 60 for example in found.examples[:2]] == [True, False]
    # The first two are where the clusters' shares differ most from those of two prototypes, which count alike.
    assert found.examples[4].place == 99
    assert [example.share for example in found.examples[:2]] == pytest.approx([0.6, 0.4], abs=0.011)
    assert found.notes == ("no row is decided bad",)
    own, chance = found.discrepancy["good"]
    assert own < chance / 5


def test_another_category_is_as_far_as_a_whole_range(mixed: Case) -> None:
    from explain.behaviour.prototyping import _points

    frame = mixed[1].frame().iloc[[0, 0, 0]].reset_index(drop=True)
    frame["purpose"], frame["rate"] = ["car", "house", "car"], [-2.0, -2.0, 3.0]
    points = _points(mixed[0], mixed[1].schema.encode(frame))
    assert torch.cdist(points, points)[0].tolist() == pytest.approx([0, 1, 1], abs=1e-6)


def test_places_are_right_where_rows_share_an_id(mixed: Case) -> None:
    data = mixed[1][np.r_[0:100, 50:150]]
    for rows in (2000, 150):
        found = prototypes(mixed[0], data, rows=rows)
        assert torch.equal(data.inputs[[example.place for example in found.examples]], found.inputs)


def test_images_texts_and_layers() -> None:
    images = cases("image", 2)
    network = train(images.split(seed=0), Recipe("cnn", epochs=1), progress=False)
    found = prototypes(network, images, count=2, criticisms=1)
    assert found.plot().images
    assert found.inputs.shape[1:] == images.schema.shape
    layered = prototypes(network, images, count=2, criticisms=1, layer="15")
    assert layered.layer == "15"
    with pytest.raises(ConfigurationError, match="no layer 'nine'"):
        prototypes(network, images, layer="nine")
    texts = cases("text", 2)
    reader = train(texts.split(seed=0), Recipe("transformer_text", epochs=1), progress=False)
    with pytest.raises(NotApplicableError, match="no distance of their own; compare them by a layer"):
        prototypes(reader, texts)
    found = prototypes(reader, texts, count=1, criticisms=1, layer="head")
    assert "it was" in found.to_frame()["text"][0]
    assert "it was" in found._repr_html_()
    assert any("it was" in text.get_text() for text in found.plot().texts)


def test_a_table_shows_itself_and_is_the_same_again(mixed: Case) -> None:
    found = prototypes(*mixed)
    assert found.examples == prototypes(*mixed).examples
    frame = found.to_frame()
    original = mixed[1].frame()
    for line in frame.to_dict("records"):
        assert line["purpose"] == original["purpose"][line["(row)"]]
    words = [text.get_text() for text in found.plot().texts]
    assert "months" in words
    with pytest.raises(ConfigurationError, match="count must be at least 1"):
        prototypes(*mixed, count=0)
