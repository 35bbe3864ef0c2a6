"""Counterfactuals of images, series, texts and graphs: the fewest parts that flip the decision."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from cases import cases
from torch import Tensor, nn

from classifier import Dataset
from classifier.classifier import Classifier
from classifier.modality import modality_of
from explain.counterfactual.finding import counterfactuals


class Bag(nn.Module):
    """Adds up a score of each word."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.register_buffer("scores", scores)

    def forward(self, x: Tensor) -> Tensor:
        return self.scores[x].sum(1)


def bag(dataset: Dataset, scores: dict[str, float], bias: float) -> Classifier:
    vocabulary = dataset.schema.features[0].categories
    table = torch.tensor([scores.get(word, 0.0) for word in vocabulary])
    module = nn.Sequential(Bag(table), nn.Unflatten(0, (-1, 1)), nn.Linear(1, 1))
    with torch.no_grad():
        module[2].weight.fill_(1.0)
        module[2].bias.fill_(bias)
    return Classifier.wrap(module, schema=dataset.schema, classes=("no", "yes"))


def test_the_fewest_words_are_those_that_trying_all_sets_gives() -> None:
    dataset = cases("text", 2, 20)
    generator = np.random.default_rng(0)
    scores = {word: float(generator.normal()) for word in dataset.schema.features[0].categories[3:]}
    classifier = bag(dataset, scores, -0.3)
    x = dataset.inputs[:12]
    result = counterfactuals(classifier, x, count=1)
    present = modality_of(dataset.schema).present(x)
    for row in range(len(x)):
        words = present[row].nonzero()[:, 0].tolist()
        decided = int(classifier.predict(x[row : row + 1]))
        fewest = None
        for count in range(1, len(words) + 1):
            sets = list(itertools.combinations(words, count))
            kept = present[row].repeat(len(sets), 1)
            for index, gone in enumerate(sets):
                kept[index, list(gone)] = False
            tried = modality_of(dataset.schema).mask(x[row], kept, modality_of(dataset.schema).neutral())
            if bool((classifier.predict(tried) != decided).any()):
                fewest = count
                break
        own = result[row]
        assert bool(own.found[0]) == (fewest is not None)
        if fewest is not None:
            # Scores add up, so that the greedy choice is the best.
            assert int(own.count[0]) == fewest


@pytest.mark.parametrize("with_data", [False, True])
@pytest.mark.parametrize("modality", ["image", "sequence", "graph", "text"])
def test_swaps_are_checked_valid_and_minimal(modality: str, with_data: bool) -> None:
    dataset = cases(modality, 3)
    kind = modality_of(dataset.schema)
    size = int(np.prod(dataset.schema.shape))
    generator = torch.Generator().manual_seed(1)
    if modality == "text":
        body: nn.Module = nn.Sequential(nn.Embedding(len(dataset.schema.features[0].categories), 3), nn.Flatten())
        size *= 3
    else:
        body = nn.Flatten()
    module = nn.Sequential(body, nn.Linear(size, 3))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        # So that all classes are decided of some cases.
        module[-1].bias -= module(dataset.inputs).mean(0)
    classifier = Classifier.wrap(module, schema=dataset.schema, classes=dataset.classes)
    x = dataset.inputs[:6]
    result = counterfactuals(classifier, x, count=3, data=dataset if with_data else None)
    good = result.succeeds
    assert bool(good.any())
    flips = classifier.predict(result.values) != classifier.predict(x)[result.row]
    assert torch.equal(flips, good)
    assert bool(kind.valid(result.values[good]).all())
    assert bool((result.evaluations <= 10_000).all())
    if not kind.aligned:
        assert bool((result.donor == -1).all())
    # No player that was swapped could have stayed.
    for index in good.nonzero()[:, 0].tolist():
        row, donor = int(result.row[index]), int(result.donor[index])
        other = kind.neutral() if donor < 0 else dataset.inputs[donor]
        for player in result.changed[index].nonzero()[:, 0].tolist():
            kept = ~result.changed[index]
            kept[player] = True
            less = kind.mask(x[row : row + 1], kept[None], other.to(x)[None])
            less = kind.repair(less, x[row : row + 1]) if kind.aligned else less
            if bool(kind.valid(less)[0]) and int(kept.sum()) < len(kept):
                assert int(classifier.predict(less)) == int(result.decided[row])


def test_a_text_is_told_by_the_words_that_are_left_out() -> None:
    dataset = cases("text", 2, 20)
    classifier = bag(dataset, {"good": 1.0}, -0.5)
    x = dataset.inputs[(classifier.predict(dataset.inputs) == 1).nonzero()[:1, 0]]
    result = counterfactuals(classifier, x)
    assert "(good) had been left out" in result.sentences()[0]
    assert "（good）" in result.sentences(language="zh-CN")[0]
    assert int(result.count[0]) == 2


def test_a_channel_that_stays_is_not_swapped() -> None:
    dataset = cases("sequence", 2)
    size = int(np.prod(dataset.schema.shape))
    module = nn.Sequential(nn.Flatten(), nn.Linear(size, 1))
    with torch.no_grad():
        module[1].weight.copy_(torch.randn(1, size, generator=torch.Generator().manual_seed(0)))
        module[1].bias.fill_(0.0)
    classifier = Classifier.wrap(module, schema=dataset.schema, classes=("no", "yes"))
    name = dataset.schema.names[0]
    result = counterfactuals(classifier, dataset.inputs[:4], data=dataset, fixed=[name])
    assert not any(change.feature.startswith(name) for changes in result.changes() for change in changes)
