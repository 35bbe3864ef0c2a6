"""The completeness gate can fail, row by row, and says what it measured."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from classifier.schema import Schema
from explain import attribute, available
from explain.gradients.gate import Balance, probing_task

CORNER = 0.995


class Corner(nn.Module):
    """A network that calls a function which bends where the first number is near 1, and nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        bent = 500 * torch.relu(x[:, :1] - CORNER)
        return self.last(self.act(self.first(x))) + torch.cat([-bent, bent], 1)


@pytest.fixture(scope="module")
def corner(schema: Schema) -> Classifier:
    torch.manual_seed(0)
    return Classifier.wrap(Corner(), schema=schema, classes=("no", "yes"))


@pytest.fixture(scope="module")
def rows(x: Tensor) -> Tensor:
    """Rows outside the corner but for two."""
    chosen = x[:6].clone().clamp_max(0.9)
    chosen[2, 0] = chosen[5, 0] = 1.0
    return chosen


def test_a_gap_is_judged_beside_the_sizes_of_the_shares() -> None:
    shares = torch.tensor([[3.0, -2.0], [3.0, -2.0], [300.0, -299.0], [0.0, 0.0]])
    balance = Balance(shares, torch.tensor([1.0, 1.05, 1.05, 1.0]), torch.ones(4))
    assert balance.holds.tolist() == [True, False, True, False]
    assert balance.failure == "in 2 of 4 rows its shares do not add up, in the worst by 1 where 1 is due"


def test_what_is_kept_counts_for_the_sum() -> None:
    shares, due = torch.tensor([[3.0, -2.0]]), torch.tensor([1.5])
    assert Balance(shares, due, due).failure
    assert not Balance(shares, due, due, kept=torch.tensor([0.5])).failure


def test_a_number_that_is_none_never_holds() -> None:
    assert Balance(torch.tensor([[float("nan")]]), torch.ones(1), torch.ones(1)).holds.tolist() == [False]


def test_a_wrong_rule_that_shows_in_few_rows_is_refused_at_them(corner: Classifier, rows: Tensor) -> None:
    (entry,) = [entry for entry in available(corner) if entry.method == "deep_lift"]
    assert entry.applies
    baseline = torch.full((8,), 0.5)
    assert attribute(corner, rows[:2], "deep_lift", baseline=baseline).completeness_error.max() < 1e-5
    with pytest.raises(NotApplicableError, match=r"in 2 of 6 rows its shares do not add up, in the worst by .* \(rows 2, 5\)") as refusal:
        attribute(corner, rows, "deep_lift", baseline=baseline)
    assert "integrated_gradients" in refusal.value.remedy
    assert "deep_lift" not in refusal.value.remedy


def test_integrated_gradients_stand_in_for_the_rows_that_fail_alone(corner: Classifier, rows: Tensor) -> None:
    baseline = torch.full((8,), 0.5)
    explanation = attribute(corner, rows, "deep_lift", baseline=baseline, otherwise="integrated_gradients")
    gradients = attribute(corner, rows, "integrated_gradients", baseline=baseline)
    lifted = attribute(corner, rows[[0, 1, 3, 4]], "deep_lift", baseline=baseline)
    assert torch.equal(explanation.attributions[[2, 5]], gradients.attributions[[2, 5]])
    assert torch.allclose(explanation.attributions[[0, 1, 3, 4]], lifted.attributions, atol=1e-7)
    assert not explanation.exact
    assert "(rows 2, 5)" in explanation.notes[0]
    alone = attribute(corner, rows[5:], "deep_lift", baseline=baseline, otherwise="integrated_gradients")
    assert torch.allclose(alone.attributions[0], explanation.attributions[5], atol=1e-6)


def test_probing_rows_lie_within_the_bounds_and_are_always_the_same(corner: Classifier) -> None:
    task, again = probing_task(corner), probing_task(corner)
    assert torch.equal(task.x, again.x)
    assert 0 <= float(task.x.min()) < float(task.x.max()) <= 1
    assert torch.equal(task.baseline, torch.full((1, 8), 0.5))
