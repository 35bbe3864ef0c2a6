"""Tables: features are players, and a repaired row is a valid one that is no farther away."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier import Dataset, Feature, Relation, Schema
from classifier.errors import ConfigurationError
from classifier.modality import MODALITIES, Modality, modality_of
from classifier.seeds import Seed

NATURAL = Schema(
    "tabular",
    (
        Feature("amount", "continuous", scale=500.0, unit="DM"),
        Feature("months", "integer", low=4.0, high=72.0, unit="months"),
        Feature("children", "integer"),
        Feature("code", "binary", low=1.0, high=3.0),
        Feature("flag", "binary"),
        Feature("purpose", "categorical", categories=("car", "house", "school")),
    ),
    encoding="natural",
)


@pytest.fixture(params=["unit", "natural", "german-credit"])
def modality(request: pytest.FixtureRequest, mixed_schema: Schema, german_credit: Dataset) -> Modality:
    return modality_of({"unit": mixed_schema, "natural": NATURAL, "german-credit": german_credit.schema}[request.param])


def rows(modality: Modality, seed: int, count: int = 20) -> torch.Tensor:
    """Valid rows drawn at random."""
    generator = Seed(seed, ("rows",)).numpy()
    columns: dict[str, Any] = {}
    for feature in modality.schema.features:
        low, high = (0.0, 10.0) if feature.low is None or feature.high is None else (feature.low, feature.high)
        if feature.categories:
            columns[feature.name] = generator.choice(list(feature.categories), count)
        elif feature.kind == "binary":
            columns[feature.name] = generator.choice([low, 1.0 if feature.low is None else high], count)
        elif feature.kind == "integer":
            columns[feature.name] = generator.integers(int(low), int(high) + 1, count)
        else:
            columns[feature.name] = generator.uniform(low, high, count)
    return modality.schema.encode(pd.DataFrame(columns))


def test_the_players_are_the_features(modality: Modality) -> None:
    assert modality.players == modality.schema.names
    assert modality.membership.shape == modality.schema.shape
    for index, name in enumerate(modality.players):
        assert (modality.membership[modality.schema.groups[name]] == index).all()


def test_gather_sums_a_feature_over_its_columns(mixed_schema: Schema) -> None:
    values = torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]])
    assert modality_of(mixed_schema).gather(values).tolist() == [[1.0, 2.0, 4.0, 8.0, 240.0]]


def test_gather_takes_back_what_spread_laid_out(modality: Modality) -> None:
    x = rows(modality, 0)
    values = torch.randn(len(x), len(modality.players), generator=Seed(0).torch())
    spread = modality.spread(values, x)
    assert spread.shape == x.shape
    assert torch.equal(modality.gather(spread), values)
    # A category's credit lies on the category that the row has.
    for feature in modality.schema.features:
        if feature.kind == "categorical":
            columns = modality.schema.groups[feature.name]
            assert (spread[:, columns][x[:, columns] == 0] == 0).all()


def test_mask_takes_whole_players_from_the_replacement(modality: Modality) -> None:
    x, other = rows(modality, 0), rows(modality, 1)
    present = torch.rand(len(x), len(modality.players), generator=Seed(0).torch()) < 0.5
    masked = modality.mask(x, present, other)
    for index, name in enumerate(modality.players):
        columns, kept = modality.schema.groups[name], present[:, index]
        assert torch.equal(masked[kept][:, columns], x[kept][:, columns])
        assert torch.equal(masked[~kept][:, columns], other[~kept][:, columns])
    assert modality.valid(masked).all()


def test_mask_broadcasts_coalitions_over_replacements(mixed_schema: Schema) -> None:
    modality = modality_of(mixed_schema)
    x, background = rows(modality, 0, 1), rows(modality, 1, 7)
    coalitions = torch.rand(3, 1, 5, generator=Seed(0).torch()) < 0.5
    assert modality.mask(x, coalitions, background).shape == (3, 7, 8)


def test_rows_of_the_data_are_valid(modality: Modality, german_credit: Dataset) -> None:
    assert modality.valid(rows(modality, 3, 200)).all()
    assert modality_of(german_credit.schema).valid(german_credit.inputs).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.4, 1.0]), st.sampled_from(["unit", "natural"]))
def test_a_repaired_row_is_valid_and_no_farther_from_the_centre(seed: int, reach: float, encoding: str) -> None:
    schema = NATURAL if encoding == "natural" else UNIT
    modality = modality_of(schema)
    centre = rows(modality, seed)
    noise = 2 * torch.rand(centre.shape, generator=Seed(seed).torch()) - 1
    low, high = schema.bounds
    x = (centre + reach * noise * schema.scale).clamp(low, high)
    repaired = modality.repair(x, centre)
    assert modality.valid(repaired).all()
    farther = ((repaired - centre).abs() - (x - centre).abs()) / schema.scale
    assert farther.max() <= 1e-4


UNIT = Schema(
    "tabular",
    (
        Feature("rate", "continuous", low=-2.0, high=3.0),
        Feature("amount", "integer", low=250.0, high=18_424.0),
        Feature("flag", "binary", low=0.0, high=1.0),
        Feature("married", "binary", categories=("no", "yes")),
        Feature("purpose", "categorical", categories=("car", "house", "school", "other")),
    ),
)


def test_repair_leaves_a_valid_row_as_it_is(modality: Modality) -> None:
    x, centre = rows(modality, 0), rows(modality, 1)
    assert torch.allclose(modality.repair(x, centre), x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("columns", "repaired"),
    [
        ([0.6, 0.4, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]),
        ([0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]),
        ([0.0, 0.3, 0.2, 0.0], [1.0, 0.0, 0.0, 0.0]),
        ([0.1, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]),
    ],
)
def test_a_category_changes_only_where_the_row_went_all_the_way(columns: list[float], repaired: list[float]) -> None:
    modality = modality_of(Schema("tabular", (UNIT["purpose"],)))
    assert modality.repair(torch.tensor([columns]), torch.tensor([[1.0, 0.0, 0.0, 0.0]]))[0].tolist() == repaired


def test_whole_numbers_are_rounded_towards_the_centre() -> None:
    modality = modality_of(Schema("tabular", (Feature("n", "integer", low=0.0, high=10.0),)))
    x = torch.tensor([[0.79], [0.21], [0.5], [0.8]])
    assert modality.repair(x, torch.full((4, 1), 0.5))[:, 0].tolist() == pytest.approx([0.7, 0.3, 0.5, 0.8])


BROKEN = {
    "no category": ("purpose", [0.0, 0.0, 0.0, 0.0]),
    "two categories": ("purpose", [1.0, 1.0, 0.0, 0.0]),
    "half a category": ("purpose", [0.5, 0.5, 0.0, 0.0]),
    "a negative category": ("purpose", [1.0, -0.5, 0.0, 0.0]),
    "half a flag": ("flag", [0.5]),
    "two flags": ("flag", [2.0]),
    "a flag less": ("flag", [-1.0]),
    "half a yes": ("married", [0.5]),
    "half a mark": ("amount", [(1000.5 - 250) / 18_174]),
    "not a number": ("rate", [float("nan")]),
    "an infinite number": ("rate", [float("inf")]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_row_that_cannot_exist_is_invalid(name: str) -> None:
    feature, columns = BROKEN[name]
    modality = modality_of(UNIT)
    x = rows(modality, 0, 2)
    x[1, UNIT.groups[feature]] = torch.tensor(columns)
    assert modality.valid(x).tolist() == [True, False]


@pytest.mark.parametrize("encoding", ["unit", "natural"])
def test_a_row_must_keep_its_relations(encoding: Any) -> None:
    found = (Feature("rent", "continuous", low=0.0, high=3000.0), Feature("income", "continuous", low=0.0, high=9000.0))
    frame = pd.DataFrame({"rent": [1000.0, 1000.0, 1010.0], "income": [3000.0, 2000.0, 3000.0]})
    for sense, kept in (("<=", [True, False, False]), ("==", [True, False, False])):
        schema = Schema("tabular", found, (Relation({"rent": 3.0, "income": -1.0}, sense, 0.0),), encoding)  # type: ignore[arg-type]
        assert modality_of(schema).valid(schema.encode(frame)).tolist() == kept
    below = Schema("tabular", found, (Relation({"rent": 1.0}, "<=", 1005.0),), encoding)
    assert modality_of(below).valid(below.encode(frame)).tolist() == [True, True, False]


def test_the_neutral_row_is_in_the_middle(mixed_schema: Schema) -> None:
    assert modality_of(mixed_schema).neutral().tolist() == [0.5] * 4 + [0.25] * 4
    third = pytest.approx(1 / 3)
    assert modality_of(NATURAL).neutral().tolist() == [0.0, 38.0, 0.0, 2.0, 0.5, third, third, third]


def test_words_are_in_natural_units() -> None:
    frame = {"amount": [1234567.8], "months": [24], "children": [2], "code": [3], "flag": [1], "purpose": ["school"]}
    modality = modality_of(NATURAL)
    assert modality.words(NATURAL.encode(pd.DataFrame(frame))) == [
        {"amount": "1,234,568 DM", "months": "24 months", "children": "2", "code": "3", "flag": "1", "purpose": "school"}
    ]


def test_an_unknown_modality_gives_the_nearest() -> None:
    assert "tabular" in MODALITIES
    with pytest.raises(ConfigurationError, match=r"there is no modality 'tabula'; did you mean 'tabular'\?"):
        modality_of(Schema("tabula", (Feature("flag", "binary"),)))
