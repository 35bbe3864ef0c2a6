from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from audit.robustness.corruptions import SEVERITIES, corrupt
from audit.robustness.corruptions.corruption import CORRUPTIONS
from classifier import Feature, Schema
from classifier.modality import modality_of

People = tuple[Tensor, Schema]
KINDS = CORRUPTIONS["tabular"].ids()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "unit_errors"])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_valid_row_stays_valid_and_within_its_bounds(kind: str, severity: int, people: People) -> None:
    x, schema = people
    y = corrupt(x, schema, kind=kind, severity=severity)
    assert modality_of(schema).valid(y).all()
    assert y.min() >= 0
    assert y.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_severer_the_farther_from_the_clean_rows(kind: str, people: People) -> None:
    x, schema = people
    distances = [float((corrupt(x, schema, kind=kind, severity=s) - x).abs().mean()) for s in SEVERITIES]
    assert distances == sorted(distances)
    assert distances[-1] > 2 * distances[0] > 0


def test_noise_has_the_stated_deviation_in_units_of_change() -> None:
    schema = Schema("tabular", (Feature("income", "continuous", scale=500.0),), encoding="natural")
    x = torch.full((4000, 1), 30_000.0)
    error = (corrupt(x, schema, kind="noise", severity=3) - x)[:, 0].double().numpy() / 500
    assert stats.kstest(error / 0.1, "norm").pvalue > 1e-3
    assert abs(error.std() - 0.1) < 0.005


def test_immutable_features_are_corrupted_too() -> None:
    schema = Schema("tabular", (Feature("age", "integer", low=18.0, high=90.0, mutable=False, direction="increase"),))
    x = schema.encode(schema.decode(torch.full((200, 1), 0.5)))
    y = corrupt(x, schema, kind="noise", severity=5)
    assert (y < x).any()
    assert (y > x).any()


def test_a_row_outside_the_bounds_is_not_drawn_inside_but_goes_no_farther() -> None:
    schema = Schema("tabular", (Feature("rate", "continuous", low=0.0, high=1.0),))
    x = torch.full((200, 1), 1.5)
    y = corrupt(x, schema, kind="noise", severity=2)
    assert float(y.max()) == 1.5
    assert float(y.min()) > 1.2
    below = corrupt(-x + 1, schema, kind="noise", severity=2)
    assert float(below.min()) == -0.5
    assert float(below.max()) < -0.2


def test_a_drift_moves_every_number_by_as_much_up_or_down() -> None:
    features = tuple(Feature(f"x{i}", "continuous", scale=2.0) for i in range(12))
    schema = Schema("tabular", features, encoding="natural")
    x = torch.randn(400, 12, generator=torch.Generator().manual_seed(0))
    moved = corrupt(x, schema, kind="shift", severity=3) - x
    assert torch.allclose(moved.abs(), torch.full_like(x, 0.2), atol=1e-5)
    # Both ways as often, whatever the other features do.
    assert float((moved > 0).double().mean(0).sub(0.5).abs().max()) < 0.1
    assert float(torch.corrcoef(moved.T).fill_diagonal_(0).abs().max()) < 0.25


def test_what_a_drift_does_is_the_mean_over_the_ways_that_it_can_go() -> None:
    schema = Schema("tabular", (Feature("x", "continuous", scale=1.0),), encoding="natural")
    x = torch.linspace(0, 0.4, 2001)[:, None]
    # Those within 0.1 of the border at 0.2 cross it, one way of the two.
    shares = [float(((corrupt(x, schema, kind="shift", severity=3, seed=s) >= 0.2) == (x >= 0.2)).double().mean()) for s in range(6)]
    assert max(abs(share - 0.75) for share in shares) < 0.04


@pytest.mark.parametrize(("severity", "power", "count"), [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 3, 2), (5, 3, 3)])
def test_an_error_of_units_is_a_power_of_ten_on_as_many_numbers(severity: int, power: int, count: int) -> None:
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", low=0.0, high=50.0) for i in range(4)))
    x = torch.rand(100, 4, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    exponents = (corrupt(x, schema, kind="unit_errors", severity=severity) / x).double().log10()
    wrong = exponents.abs() > 0.5
    assert (wrong.sum(1) == count).all()
    assert torch.allclose(exponents[wrong].abs(), torch.full((100 * count,), float(power), dtype=torch.float64), atol=1e-3)
    assert {int(e) for e in exponents[wrong].round().tolist()} == {-power, power}


def test_missing_values_take_the_fill_of_the_schema_else_what_is_typical() -> None:
    schema = Schema(
        "tabular",
        (
            Feature("filled", "integer", low=0.0, high=10.0, fill=7.0),
            Feature("number", "continuous", low=0.0, high=1.0),
            Feature("kind", "categorical", categories=("a", "b", "c"), fill="c"),
            Feature("home", "categorical", categories=("rent", "own")),
            Feature("flag", "binary", categories=("no", "yes"), fill="yes"),
        ),
    )
    generator = np.random.default_rng(0)
    x = torch.zeros(400, 8)
    x[:, 0] = 0.1
    x[:, 1] = torch.from_numpy(generator.random(400)).float()
    x[:, 2], x[:, 5] = 1.0, 1.0
    y = corrupt(x, schema, kind="missing_values", severity=5)
    gone = y != x
    assert set(y[:, 0].tolist()) == {torch.tensor(0.1).item(), torch.tensor(0.7).item()}
    assert set(y[gone[:, 1], 1].tolist()) == {x[:, 1].median().item()}
    assert (y[gone[:, 2], 4] == 1).all()
    assert torch.equal(y[:, 5:7], x[:, 5:7])
    for column in (0, 1, 2, 7):
        assert float(gone[:, column].float().mean()) == pytest.approx(0.5, abs=0.08)


def test_wrong_categories_are_as_many_as_stated_and_each_other_as_likely() -> None:
    schema = Schema(
        "tabular", (Feature("kind", "categorical", categories=("a", "b", "c", "d")), Feature("flag", "binary", low=2.0, high=5.0))
    )
    x = torch.tensor([[0.0, 1.0, 0.0, 0.0, 1.0]]).expand(4000, 5)
    y = corrupt(x, schema, kind="category_noise", severity=3)
    shares = y.double().mean(0)
    assert shares[1].item() == pytest.approx(0.8, abs=0.025)
    assert torch.allclose(shares[[0, 2, 3]], torch.full((3,), 0.2 / 3, dtype=torch.float64), atol=0.016)
    assert shares[4].item() == pytest.approx(0.8, abs=0.025)
    natural = Schema("tabular", schema.features, encoding="natural")
    swapped = corrupt(torch.tensor([[1.0, 0.0, 0.0, 0.0, 2.0]]).expand(100, 5), natural, kind="category_noise", severity=5)
    assert set(swapped[:, 4].tolist()) == {2.0, 5.0}
