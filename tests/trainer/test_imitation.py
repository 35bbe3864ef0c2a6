"""Imitation: what a surrogate learns from answers, and what it may not ask."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from classifier import Classifier, Feature, Schema
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.modality import modality_of
from classifier.seeds import Seed
from trainer import Recipe
from trainer.imitation import imitate, make_queries

SMALL = Recipe("logistic", epochs=30, learning_rate=0.1)


def victim(classes: int = 3, *, never: int | None = None) -> Classifier:
    generator = torch.Generator().manual_seed(1)
    layer = nn.Linear(5, classes)
    layer.weight.data = 6 * torch.randn(classes, 5, generator=generator)
    layer.bias.data = -layer.weight.data.sum(1) / 2
    if never is not None:
        layer.bias.data[never] = -100.0
    features = tuple(Feature(f"x{index}", "continuous", low=0.0, high=1.0) for index in range(5))
    return Classifier.wrap(layer, schema=Schema("tabular", features), classes=[f"c{index}" for index in range(classes)])


def rows(count: int = 400) -> Tensor:
    return torch.rand(count, 5, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("labels_only", [False, True], ids=["probabilities", "decisions"])
def test_a_network_of_the_same_kind_learns_to_decide_alike_and_more_answers_help(labels_only: bool) -> None:
    x = rows()
    copy = imitate(victim(), x[:100], held_out=x[100:], queries=(300, 20), labels_only=labels_only, recipe=SMALL)
    fidelity = copy.agreement.float().mean(1)
    assert copy.queries == (20, 300)
    assert copy.agreement.shape == (2, 300)
    assert fidelity[1] > 0.95
    assert fidelity[1] > fidelity[0]
    assert torch.equal(copy.classifier.predict(x[100:]) == victim().predict(x[100:]), copy.agreement[1])


def test_probabilities_tell_how_sure_the_classifier_is_and_decisions_do_not() -> None:
    layer = nn.Linear(5, 2)
    layer.weight.data, layer.bias.data = torch.zeros(2, 5), torch.zeros(2)
    layer.weight.data[1, 0] = 1.0
    layer.bias.data[1] = -0.5
    unsure = Classifier.wrap(layer, schema=victim().schema, classes=("a", "b"))
    x = rows(200)
    soft, hard = (
        imitate(unsure, x, held_out=x, queries=(200,), labels_only=only, recipe=SMALL).classifier.probabilities(x).amax(1).mean()
        for only in (False, True)
    )
    truth = unsure.probabilities(x).amax(1).mean()
    assert abs(soft - truth) < 0.07 < hard - truth


def test_the_threshold_decides_what_is_imitated() -> None:
    x = rows()
    two = victim(2)
    copy = imitate(two, x[:150], held_out=x[150:], queries=(300,), threshold=0.95, labels_only=True, recipe=SMALL)
    decided = two.probabilities(x[150:])[:, 1] >= 0.95
    assert (copy.classifier.predict(x[150:]).bool() == decided).float().mean() > 0.93
    assert copy.agreement.float().mean() > 0.93


def test_a_class_that_is_never_answered_is_never_decided_and_the_surrogate_still_has_it() -> None:
    x = rows()
    copy = imitate(victim(4, never=2), x[:100], held_out=x[100:], queries=(200,), recipe=SMALL)
    assert copy.classifier.classes == ("c0", "c1", "c2", "c3")
    assert copy.classifier.logits(x).shape == (400, 4)
    assert not (copy.classifier.predict(x) == 2).any()
    assert copy.classifier.differentiable
    assert copy.agreement.float().mean() > 0.8


def test_the_same_seed_gives_the_same_copy_and_other_numbers_of_queries_do_not_change_it() -> None:
    x = rows()
    first, second = (imitate(victim(), x[:50], held_out=x[50:], queries=q, recipe=SMALL) for q in ((80,), (30, 80)))
    assert torch.equal(first.classifier.logits(x), second.classifier.logits(x))
    other = imitate(victim(), x[:50], held_out=x[50:], queries=(80,), recipe=SMALL, seed=1)
    assert not torch.equal(first.classifier.logits(x), other.classifier.logits(x))


def test_queries_are_the_given_rows_first_and_valid_rows_within_the_bounds_then(mixed_schema: Schema) -> None:
    modality = modality_of(mixed_schema)
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(10, 8)
    x[:, 0] = torch.rand(10, generator=generator)
    x[:, 1] = torch.randint(0, 69, (10,), generator=generator) / 68
    x[torch.arange(10), 4 + torch.arange(10) % 4] = 1.0
    queries = make_queries(x, mixed_schema, 200, Seed(0))
    assert queries.shape == (200, 8)
    assert modality.valid(queries).all()
    assert {tuple(row) for row in queries[:10].tolist()} == {tuple(row) for row in x.tolist()}
    assert queries.min() >= 0
    assert queries.max() <= 1
    assert len({tuple(row) for row in queries.tolist()}) > 120
    assert torch.equal(make_queries(x, mixed_schema, 4, Seed(0)), queries[:4])


def test_what_cannot_be_imitated_is_refused() -> None:
    x = rows(20)
    layer = nn.Linear(5, 2)
    layer.weight.data, layer.bias.data = torch.zeros(2, 5), torch.tensor([0.0, 1.0])
    constant = Classifier.wrap(layer, schema=victim().schema, classes=("c0", "c1"))
    with pytest.raises(NotApplicableError, match="all 20 queries are decided as 'c1'"):
        imitate(constant, x, held_out=x, queries=(20,))
    with pytest.raises(ConfigurationError, match="at least 2"):
        imitate(victim(), x, held_out=x, queries=(1,))
    with pytest.raises(DataError, match="got none"):
        imitate(victim(), x[:0], held_out=x)
