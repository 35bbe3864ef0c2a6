"""The additive architecture: its logits are exactly its curves, and its curves look at their own features alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from classifier import Classifier, Dataset, Schema, Splits
from classifier.architectures._layers import Standardize
from classifier.architectures._terms import AdditiveNetwork, TermNetworks
from classifier.architectures.additive import Additive, NeuralAdditiveNetwork
from classifier.errors import ConfigurationError
from trainer import Recipe, train

PAIRS = (("rate", "purpose"), ("married", "months"))


@pytest.fixture
def network(mixed_schema: Schema) -> NeuralAdditiveNetwork:
    """With random weights everywhere, in double precision."""
    module = Additive(pairs=PAIRS, hidden=(8, 4)).build(mixed_schema, 3).double().eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    assert isinstance(module, NeuralAdditiveNetwork)
    return module


@pytest.fixture
def x() -> Tensor:
    """Rows of the mixed schema."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(40, 8, generator=generator, dtype=torch.float64)
    x[:, 2:4] = x[:, 2:4].round()
    x[:, 4:] = torch.eye(4, dtype=torch.float64)[torch.randint(4, (40,), generator=generator)]
    return x


def auc(classifier: Classifier, data: Dataset) -> float:
    logits = classifier.logits(data.inputs)
    return float(roc_auc_score(data.labels, logits[:, 1] - logits[:, 0]))


def squares(rows: int, seed: int) -> Dataset:
    """Two numbers in [-1, 1]; the class is the sign of their product."""
    points = np.random.default_rng(seed).uniform(-1, 1, (rows, 2))
    frame = pd.DataFrame(points, columns=["a", "b"]).assign(y=np.where(points.prod(1) > 0, "same", "other"))
    bounds = {"low": -1.0, "high": 1.0}
    return Dataset.from_frame(frame, target="y", event="same", features={"a": bounds, "b": bounds})


def test_the_curves_sum_exactly_to_the_logits(network: NeuralAdditiveNetwork, x: Tensor) -> None:
    network.settle(x)
    assert network.contributions(x).shape == (40, 7, 3)
    assert torch.allclose(network.contributions(x).sum(1) + network.bias, network(x), atol=1e-12, rtol=0)


def test_a_curve_looks_at_its_own_features_alone(network: NeuralAdditiveNetwork, x: Tensor, mixed_schema: Schema) -> None:
    assert network.terms == (("rate",), ("months",), ("flag",), ("married",), ("purpose",), *PAIRS)
    before = network.contributions(x)
    for name, group in mixed_schema.groups.items():
        moved = x.clone()
        moved[:, group] = moved[:, group].flip(0)
        change = (network.contributions(moved) - before).abs().amax((0, 2))
        assert [bool(size > 0) for size in change] == [name in term for term in network.terms]


def test_networks_evaluated_together_equal_networks_evaluated_one_by_one(x: Tensor) -> None:
    columns = [[0], [1, 3, 5], [2, 7]]
    together = TermNetworks(columns, (6, 5), nn.Tanh, 0.0, 2).double()
    nn.init.normal_(together.weights[-1])
    for index, own in enumerate(columns):
        parts: list[nn.Module] = []
        for weight, bias in zip(together.weights, [*together.biases, None], strict=True):
            layer = nn.Linear(weight.shape[1], weight.shape[2], bias=bias is not None, dtype=torch.float64)
            layer.weight.data = weight[index].T
            if bias is not None:
                layer.bias.data = bias[index, 0]
            parts += [layer, nn.Tanh()]
        padded = torch.cat([x[:, own], torch.zeros(40, 3 - len(own), dtype=torch.float64)], 1)
        assert torch.allclose(together(x)[:, index], nn.Sequential(*parts[:-1])(padded), atol=1e-12)


def test_a_table_of_values_is_one_value_a_category(network: NeuralAdditiveNetwork, x: Tensor) -> None:
    values = network.contributions(x)[:, 4]
    kinds = x[:, 4:].argmax(1)
    for kind in range(4):
        assert torch.allclose(values[kinds == kind], values[kinds == kind][:1], atol=1e-12)
    mixture = x[:1].clone()
    mixture[0, 4:] = 0.25
    each = torch.stack([network.contributions(torch.cat([x[0, :4], torch.eye(4)[kind].double()])[None])[0, 4] for kind in range(4)])
    assert torch.allclose(network.contributions(mixture)[0, 4], each.mean(0), atol=1e-12)


def test_settling_centres_every_curve_and_keeps_the_logits(network: NeuralAdditiveNetwork, x: Tensor) -> None:
    before = network(x)
    assert network.contributions(x).mean(0).abs().max() > 0.1
    network.settle(x)
    assert network.contributions(x).mean(0).abs().max() < 1e-12
    assert torch.allclose(network(x), before, atol=1e-12)
    assert not network.training


def test_a_trained_classifiers_curves_have_mean_0_over_the_training_rows(german_credit: Dataset) -> None:
    splits = german_credit.split(seed=0)
    classifier = train(splits, Recipe("additive", epochs=2, options={"term_dropout": 0.5}), progress=False)
    assert isinstance(classifier.module, AdditiveNetwork)
    contributions = classifier.module.contributions(splits.train.inputs)
    assert contributions.abs().max() > 1e-3
    assert contributions.mean(0).abs().max() < 1e-5


def test_term_dropout_leaves_out_whole_curves_and_makes_up_for_it(mixed_schema: Schema, network: NeuralAdditiveNetwork, x: Tensor) -> None:
    network.settle(x)  # no term is 0 by chance
    dropping = Additive(pairs=PAIRS, hidden=(8, 4), term_dropout=0.25).build(mixed_schema, 3).double()
    dropping.load_state_dict(network.state_dict())
    assert isinstance(dropping, NeuralAdditiveNetwork)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ratio = dropping.contributions(x) / network.contributions(x)
    assert {round(value, 6) for value in ratio.flatten().tolist()} == {0.0, round(4 / 3, 6)}
    assert torch.allclose(ratio.amin(2), ratio.amax(2))


def test_columns_that_are_not_scaled_stay(x: Tensor) -> None:
    layer = Standardize((8,), columns=[1, 3]).double()
    layer.fit(x)
    scaled = layer(x)
    assert torch.equal(scaled[:, [0, 2, 4, 5, 6, 7]], x[:, [0, 2, 4, 5, 6, 7]])
    assert torch.allclose(scaled[:, [1, 3]].mean(0), torch.zeros(2, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(scaled[:, [1, 3]].std(0, correction=0), torch.ones(2, dtype=torch.float64))


def test_a_pair_learns_what_single_curves_cannot() -> None:
    splits = Splits(squares(500, 0), squares(100, 1), squares(300, 2))
    single, paired = (
        train(splits, Recipe("additive", epochs=40, learning_rate=0.01, patience=None, options=options), progress=False)
        for options in ({}, {"pairs": [["a", "b"]]})
    )
    assert auc(single, splits.test) < 0.7
    assert auc(paired, splits.test) > 0.9


def test_pairs_given_as_lists_are_the_same_recipe(mixed_schema: Schema) -> None:
    assert Additive(pairs=[["rate", "flag"]]) == Additive(pairs=(("rate", "flag"),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "hidden must hold widths"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"term_dropout": -0.1}, r"term_dropout must lie in \[0, 1\), got -0.1"),
        ({"pairs": (("rate",),)}, r"two different features each, got \['rate'\]"),
        ({"pairs": (("rate", "rate"),)}, "two different features each"),
        ({"pairs": ("rate",)}, r"two different features each, got \['rate'\]; write pairs"),
        ({"pairs": (("rate", "flag"), ("flag", "rate"))}, "the same two features twice"),
        ({"pairs": (("rate", "mnths"),)}, "no feature 'mnths'; did you mean 'months'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], message: str, mixed_schema: Schema) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Additive(**options).build(mixed_schema, 2)  # type: ignore[arg-type]


def test_a_term_of_three_features_is_refused() -> None:
    class Triple(AdditiveNetwork):
        def contributions(self, x: Tensor) -> Tensor:
            return x[:, :1, None]

    with pytest.raises(ConfigurationError, match="one feature or of two different ones"):
        Triple([("a", "b", "c")], 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["additive", "attention_table"])
def test_it_ranks_as_well_as_logistic_regression_over_five_splits(name: str, german_credit: Dataset) -> None:
    ours, theirs = [], []
    for seed in range(5):
        part = german_credit.split(seed=seed)
        ours.append(auc(train(part, Recipe(name, seed=seed), progress=False), part.test))
        reference = LogisticRegression(max_iter=5000).fit(part.train.inputs, part.train.labels)
        theirs.append(roc_auc_score(part.test.labels, reference.predict_proba(part.test.inputs)[:, 1]))
    assert np.mean(ours) > np.mean(theirs) - 0.015
