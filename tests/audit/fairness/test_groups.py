"""Groups: counted by hand on decisions that are known row by row, and said to be missing where nothing can be counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from audit import Evidence, Subject
from audit.check import make_check
from classifier import Dataset
from classifier.seeds import Seed

SELECTION, GAP, OPPORTUNITY = "fairness.selection_ratio", "fairness.accuracy_gap", "fairness.equal_opportunity_difference"


def measured(group: list[str], truth: list[str], approved: list[bool], *, independence: str = "given", minimum: int = 30) -> Evidence:
    """What the check says of decisions given row by row."""
    frame = pd.DataFrame({"x": np.linspace(0, 1, len(group)), "sex": group, "y": truth})
    rows = Dataset.from_frame(frame, target="y", event="bad", favourable="good", protected=("sex",))
    bad = torch.tensor([0.1 if yes else 0.9 for yes in approved])
    subject = Subject(rows, predictions=torch.stack([1 - bad, bad], dim=1), independence=independence)  # type: ignore[arg-type]
    return make_check("fairness.groups", {"resamples": 200, "minimum": minimum}).measure(subject, Seed(0))


def two_groups(
    good: tuple[int, int], approved_good: tuple[int, int], approved_bad: tuple[int, int]
) -> tuple[list[str], list[str], list[bool]]:
    """Two groups of 50 rows with so many good rows, and so many approved of the good and of the bad."""
    group, truth, approved = [], [], []
    for name, n, g, b in zip("fm", good, approved_good, approved_bad, strict=True):
        group += [name] * 50
        truth += ["good"] * n + ["bad"] * (50 - n)
        approved += [i < g for i in range(n)] + [i < b for i in range(50 - n)]
    return group, truth, approved


def test_rates_and_distances_are_those_counted_by_hand() -> None:
    evidence = measured(*two_groups(good=(30, 40), approved_good=(15, 30), approved_bad=(5, 2)))
    women = {"attribute": "sex", "group": "f"}
    assert evidence.metric("fairness.approval_rate", **women).value == 20 / 50
    assert evidence.metric("fairness.bad_rate_among_approved", **women).value == 5 / 20
    assert evidence.metric("fairness.accuracy", **women).value == (15 + 15) / 50
    assert evidence.metric(SELECTION).value == pytest.approx((20 / 50) / (32 / 50))
    assert evidence.metric(GAP).value == pytest.approx((30 + 8) / 50 - (15 + 15) / 50)
    assert evidence.metric(OPPORTUNITY).value == pytest.approx(30 / 40 - 15 / 30)


def test_a_group_without_an_approval_has_a_ratio_of_0_and_no_bad_rate() -> None:
    evidence = measured(*two_groups(good=(30, 40), approved_good=(0, 30), approved_bad=(0, 2)))
    assert evidence.metric(SELECTION).value == 0
    missing = evidence.metric("fairness.bad_rate_among_approved", group="f")
    assert (missing.value, missing.reason) == (None, "nobody of the group was approved")


def test_where_nobody_is_approved_there_is_no_ratio() -> None:
    evidence = measured(*two_groups(good=(30, 40), approved_good=(0, 0), approved_bad=(0, 0)))
    assert evidence.metric(SELECTION).value is None
    assert evidence.metric(SELECTION).reason
    assert evidence.metric(OPPORTUNITY).value == 0


def test_a_group_without_a_good_row_has_no_opportunity_to_compare() -> None:
    evidence = measured(*two_groups(good=(0, 40), approved_good=(0, 30), approved_bad=(5, 2)))
    assert evidence.metric(OPPORTUNITY).value is None
    assert evidence.metric(OPPORTUNITY).reason
    assert evidence.metric("fairness.roc_auc", group="f").reason == "needs 2 samples of each kind, there are 0 and 50"
    assert evidence.metric(SELECTION).value is not None


def test_every_missing_number_has_a_reason_and_every_number_an_interval_around_it() -> None:
    for good, approved in (((0, 40), (0, 0)), ((30, 40), (30, 40)), ((1, 50), (1, 0))):
        for metric in measured(*two_groups(good, approved, (0, 0))).metrics:
            if metric.value is None:
                assert metric.reason, metric.name
            else:
                assert metric.low is not None
                assert metric.high is not None
                assert metric.low - 1e-12 <= metric.value <= metric.high + 1e-12, metric


def test_a_group_under_the_minimum_does_not_move_the_distances() -> None:
    group, truth, approved = two_groups(good=(30, 40), approved_good=(15, 30), approved_bad=(5, 2))
    alone = measured(group, truth, approved)
    with_few = measured(group + ["x"] * 12, truth + ["good"] * 12, approved + [False] * 12)
    assert with_few.metric("fairness.approval_rate", group="x").n == 12
    for name in (SELECTION, GAP, OPPORTUNITY):
        assert with_few.metric(name).value == alone.metric(name).value
        assert with_few.metric(name).n == 100


def test_rows_that_may_have_been_learned_from_confirm_nothing_that_depends_on_being_right() -> None:
    table = two_groups(good=(30, 40), approved_good=(15, 30), approved_bad=(5, 2))
    bounds = {metric.name: metric.bound for metric in measured(*table, independence="unknown").metrics}
    assert bounds == {
        "fairness.approval_rate": "estimate",
        "fairness.selection_ratio": "estimate",
        "fairness.accuracy": "upper",
        "fairness.roc_auc": "upper",
        "fairness.bad_rate_among_approved": "lower",
        GAP: "lower",
        OPPORTUNITY: "lower",
    }
    assert {metric.bound for metric in measured(*table).metrics} == {"estimate"}
