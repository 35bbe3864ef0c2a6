"""The costs of single features against every value that a feature has, and the closed form of a linear classifier."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from audit.robustness.tables.costs import feature_costs
from classifier import Classifier, Feature, Schema
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.modality import modality_of

Table = tuple[Classifier, Tensor, Tensor]


def linear(schema: Schema, weight: list[float], bias: float = 0.0) -> Classifier:
    """Two classes whose log-odds are linear in the encoded columns."""
    module = nn.Linear(len(schema.columns), 1)
    module.weight.data, module.bias.data = torch.tensor([weight]), torch.tensor([bias])
    return Classifier.wrap(module, schema=schema, classes=("good", "bad"))


def least_steps(classifier: Classifier, x: Tensor, name: str, threshold: float) -> list[float]:
    """The least change of a whole number or category, found by trying every value in natural units."""
    schema = classifier.schema
    feature, modality = schema[name], modality_of(schema)
    decide = lambda z: (classifier.probabilities(z).double()[:, 1] >= threshold).long()  # noqa: E731
    found = []
    for row in range(len(x)):
        table = schema.decode(x[row : row + 1])
        own = table[name].iloc[0]
        values = feature.categories if feature.kind == "categorical" else range(int(feature.low or 0), int(feature.high or 0) + 1)
        others = [value for value in values if value != own and not (feature.direction == "increase" and value < own)]
        z = schema.encode(pd.concat([table.assign(**{name: value}) for value in others]))
        turns = modality.valid(z) & (decide(z) != decide(x[row : row + 1]))
        sizes = [1.0 if feature.kind != "integer" else abs(value - own) for value in others]
        found.append(min((size for size, turned in zip(sizes, turns.tolist(), strict=True) if turned), default=float("inf")))
    return found


@pytest.mark.parametrize("encoding", ["unit", "natural"])
@pytest.mark.parametrize("relation", ["none", "at most", "two", "equal"])
def test_the_least_change_is_that_of_trying_every_value(make_table: Callable[..., Table], relation: str, encoding: str) -> None:
    classifier, x, _ = make_table(relation, 2, encoding=encoding, rows=8)
    costs = feature_costs(classifier, x, threshold=0.4)
    sizes = costs.change.abs().nan_to_num(torch.inf)
    assert costs.features == ("income", "months", "rooms", "debt", "flag", "home")
    for name in ("months", "rooms", "flag", "home"):
        place = costs.features.index(name)
        assert costs.complete[place]
        assert sizes[:, place].tolist() == least_steps(classifier, x, name, 0.4), name
    assert costs.suffices.any()
    assert (costs.change[:, costs.features.index("rooms")].nan_to_num(1) > 0).all()
    assert (costs.change[:, costs.features.index("debt")].nan_to_num(-1) < 0).all()


def test_the_changed_row_is_valid_differs_in_that_feature_alone_and_is_decided_otherwise(make_table: Callable[..., Table]) -> None:
    classifier, x, y = make_table("two", 2, classes=3)
    costs = feature_costs(classifier, x)
    assert costs.suffices.any()
    for row, place in costs.suffices.nonzero().tolist():
        z = costs.turned(x[row], row, place, classifier.schema)[None]
        assert modality_of(classifier.schema).valid(z)
        assert classifier.predict(z) != y[row]
        differing = (z[0] != x[row]).nonzero()[:, 0]
        assert {modality_of(classifier.schema).membership[column].item() for column in differing} == {
            classifier.schema.names.index(costs.features[place])
        }


def test_the_least_change_of_a_number_meets_the_closed_form_of_a_linear_classifier() -> None:
    schema = Schema("tabular", tuple(Feature(name, "continuous", low=-10.0, high=30.0) for name in "ab"))
    classifier = linear(schema, [3.0, -1.0], -1.0)
    x = torch.rand(40, 2, generator=torch.Generator().manual_seed(0))
    z = 3 * x[:, 0] - x[:, 1] - 1
    moves = torch.stack([-z / 3, z], 1)
    reachable = (x + moves >= 0) & (x + moves <= 1)
    costs = feature_costs(classifier, x, values=16)
    assert torch.equal(costs.suffices, reachable)
    torch.testing.assert_close(costs.change[reachable], 40 * moves[reachable].double(), atol=1e-3, rtol=1e-5)
    assert not costs.complete.any()


def test_a_whole_number_of_many_values_is_halved_to_the_step() -> None:
    schema = Schema("tabular", (Feature("amount", "integer", low=0.0, high=20000.0), Feature("other", "binary", low=0.0, high=1.0)))
    classifier = linear(schema, [1.0, 0.0], -0.61234)
    amounts = torch.tensor([0.0, 5000.0, 12000.0, 12246.0, 12247.0, 12300.0, 20000.0])
    x = torch.stack([amounts / 20000, torch.zeros(7)], 1)
    costs = feature_costs(classifier, x, values=8)
    # The event begins at 12,246.8, so from 12,247.
    assert costs.change[:, 0].tolist() == [12247.0, 7247.0, 247.0, 1.0, -1.0, -54.0, -7754.0]
    assert costs.complete.tolist() == [False, True]


def test_the_threshold_is_what_is_decided_by() -> None:
    schema = Schema("tabular", (Feature("a", "continuous", low=0.0, high=1.0),))
    classifier, x = linear(schema, [10.0], -5.0), torch.tensor([[0.5]])
    for threshold in (0.1, 0.9):
        odds = torch.tensor(threshold).logit().item()
        assert abs(feature_costs(classifier, x, threshold=threshold).change.item() - odds / 10) < 1e-4


def test_numbers_without_bounds_are_searched_over_the_range_of_the_reference() -> None:
    schema = Schema("tabular", (Feature("a", "continuous", scale=1.0),), encoding="natural")
    classifier, x = linear(schema, [1.0], -50.0), torch.tensor([[10.0]])
    assert not feature_costs(classifier, x).suffices.any()
    found = feature_costs(classifier, x, reference=torch.tensor([[0.0], [100.0]]))
    assert abs(found.change.item() - 40) < 1e-2


def test_a_black_box_costs_what_its_network_does(make_table: Callable[..., Table]) -> None:
    network, x, _ = make_table("at most", 1, classes=10)
    box = Classifier.wrap(network.probabilities, schema=network.schema, classes=network.classes)
    torch.testing.assert_close(feature_costs(box, x).change, feature_costs(network, x).change, equal_nan=True, atol=1e-3, rtol=1e-3)


def test_a_row_costs_alone_what_it_does_among_others(make_table: Callable[..., Table]) -> None:
    classifier, x, _ = make_table("two", 4)
    together = feature_costs(classifier, x).change
    alone = torch.cat([feature_costs(classifier, x[row : row + 1], reference=x).change for row in range(len(x))])
    torch.testing.assert_close(alone, together, equal_nan=True, atol=1e-3, rtol=1e-3)


def test_what_cannot_be_gone_through_is_refused(make_table: Callable[..., Table]) -> None:
    classifier, x, _ = make_table("none", 0)
    with pytest.raises(ConfigurationError, match="values"):
        feature_costs(classifier, x, values=0)
    with pytest.raises(DataError, match="not valid"):
        feature_costs(classifier, x + 0.01)
    still = Schema("tabular", (Feature("a", "continuous", low=0.0, high=1.0, mutable=False),))
    with pytest.raises(NotApplicableError, match="no feature"):
        feature_costs(linear(still, [1.0]), torch.tensor([[0.5]]))
    image = Schema("image", (Feature("grey", "continuous", low=0.0, high=1.0),), size=(2, 2))
    network = Classifier.wrap(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), schema=image, classes=("a", "b"))
    with pytest.raises(NotApplicableError, match="values of a table's features"):
        feature_costs(network, torch.rand(1, *image.shape))
    with pytest.raises(DataError, match="no rows"):
        feature_costs(classifier, x[:0])
