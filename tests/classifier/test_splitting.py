"""A split is stratified, leaks nothing from one part to another, and is the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier import Dataset, Splits
from classifier.errors import ConfigurationError, DataError
from classifier.seeds import Seed
from classifier.splitting import cut, stratified_positions, units


def visits(**columns: Any) -> Dataset:
    """Two hundred rows, all different, with whatever else is known of them."""
    frame = pd.DataFrame({"x": np.arange(200) * 1.5, "ill": ["no", "no", "no", "yes"] * 50, **columns})
    return Dataset.from_frame(frame, target="ill", drop=[name for name in columns if name != "x"])


def parts(splits: Splits) -> list[set[int]]:
    return [set(part.ids.tolist()) for part in (splits.train, splits.validation, splits.test)]


@settings(max_examples=100, deadline=None)
@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=80),
    test=st.floats(0.05, 0.5),
    validation=st.floats(0.05, 0.45),
    seed=st.integers(0, 9),
)
def test_every_class_is_cut_to_within_one_row(labels: list[int], test: float, validation: float, seed: int) -> None:
    y = np.array(labels)
    train, kept, held = cut(stratified_positions(np.arange(len(y)), y, Seed(seed)), test=test, validation=validation)
    assert sorted([*train, *kept, *held]) == list(range(len(y)))
    for label in np.unique(y):
        size = (y == label).sum()
        assert abs((y[held] == label).sum() - test * size) <= 0.5 + 1e-9
        assert abs((y[kept] == label).sum() - validation * size) <= 1


def test_the_parts_are_disjoint_and_cover_all_rows(german_credit: Dataset) -> None:
    train, kept, held = parts(german_credit.split())
    assert train | kept | held == set(range(1000))
    assert (len(train), len(kept), len(held)) == (600, 150, 250)
    assert [int(german_credit.labels[sorted(part)].sum()) for part in (train, kept, held)] == [180, 45, 75]


def test_the_same_seed_gives_the_same_rows(german_credit: Dataset) -> None:
    assert parts(german_credit.split(seed=3)) == parts(german_credit.split(seed=3))
    assert parts(german_credit.split(seed=3)) != parts(german_credit.split(seed=4))


@settings(max_examples=60, deadline=None)
@given(groups=st.lists(st.integers(0, 12), min_size=2, max_size=60), values=st.data(), seed=st.integers(0, 5))
def test_neither_groups_nor_equal_inputs_straddle(groups: list[int], values: st.DataObject, seed: int) -> None:
    n = len(groups)
    inputs = np.array(values.draw(st.lists(st.integers(0, 15), min_size=n, max_size=n)), dtype=np.float32)[:, None]
    labels = np.array(values.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    together = units(torch.from_numpy(inputs), pd.Series(groups))
    cuts = cut(stratified_positions(together, labels, Seed(seed)), test=0.3, validation=0.2)
    assert sorted(np.concatenate(cuts)) == list(range(n))
    for key in (np.array(groups), inputs[:, 0]):
        homes = [set(key[rows].tolist()) for rows in cuts]
        assert sum(map(len, homes)) == len(set().union(*homes))


def test_a_units_chain_is_as_short_as_it_can_be() -> None:
    # Rows 0-1 share a group, 1-2 are equal, 3 is alone.
    together = units(torch.tensor([[0.0], [1.0], [1.0], [2.0]]), pd.Series(["a", "a", "b", "c"]))
    assert together[0] == together[1] == together[2] != together[3]


def test_groups_of_a_column_never_straddle() -> None:
    patients = [f"p{i // 5}" for i in range(200)]
    splits = visits(patient=patients).split(group="patient", seed=1)
    homes = [set(part.column("patient")) for part in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, homes)) == len(set().union(*homes)) == 40
    assert abs(len(splits.test) - 50) <= 5


@pytest.mark.parametrize(
    "times",
    [
        pd.Series(np.arange(200) * 37 % 200),
        pd.Series(pd.date_range("2025-12-01", periods=200))[np.arange(200) * 37 % 200].reset_index(drop=True),
    ],
)
def test_the_latest_rows_are_tested_on(times: pd.Series[Any]) -> None:
    data = visits(when=times)
    splits = data.split(time="when")
    order = {row: rank for rank, row in enumerate(np.argsort(times.to_numpy(), kind="stable").tolist())}
    train, kept, held = ({order[row] for row in part} for part in parts(splits))
    assert (train, kept, held) == (set(range(120)), set(range(120, 150)), set(range(150, 200)))


def test_times_that_would_sort_wrongly_are_refused() -> None:
    with pytest.raises(DataError, match=r"'when' cannot be ordered in time.*write dates as 2026-01-31"):
        visits(when=[f"{1 + i % 28:02d}/{1 + i % 12:02d}/2026" for i in range(200)]).split(time="when")
    with pytest.raises(DataError, match="'when' lacks a time in row 7"):
        visits(when=[None if i == 7 else float(i) for i in range(200)]).split(time="when")


@pytest.mark.parametrize("count", [2, 5, 10])
def test_folds_are_stratified_and_cover_all_rows(german_credit: Dataset, count: int) -> None:
    folds = german_credit.folds(count, seed=2)
    assert set(folds) == set(range(count))
    for label, size in ((0, 700), (1, 300)):
        sizes = np.bincount(folds[german_credit.labels.numpy() == label], minlength=count)
        assert np.abs(sizes - size / count).max() <= 1
    assert np.array_equal(folds, german_credit.folds(count, seed=2))


def test_a_class_absent_from_a_part_is_refused() -> None:
    labels = ["no"] * 198 + ["yes"] * 2
    frame = pd.DataFrame({"x": np.arange(200) * 1.5, "ill": labels})
    with pytest.raises(DataError, match=r"the class 'yes' does not occur in the \w+ part of \d+ rows; take larger parts"):
        Dataset.from_frame(frame, target="ill").split()


@pytest.mark.parametrize("shares", [{"test": 0.0}, {"test": 0.9}, {"validation": 1.0}, {"test": 0.5, "validation": 0.5}])
def test_shares_must_leave_rows_to_train_on(shares: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="shares that leave some to train on"):
        visits().split(**shares)  # type: ignore[arg-type]


def test_group_and_time_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="by group or by time, not by both"):
        visits(when=range(200), patient=["a", "b"] * 100).split(group="patient", time="when")


def test_too_few_groups_are_spoken_of() -> None:
    with pytest.raises(
        DataError, match=r"since rows that share 'patient' stay together and there are 2 such groups; it takes several groups"
    ):
        visits(patient=["a", "b"] * 100).split(group="patient")


def test_rows_without_a_group_are_refused() -> None:
    with pytest.raises(DataError, match="'patient' lacks a value in 20 of 200 rows, and rows are split by it"):
        visits(patient=[None if i < 20 else f"p{i}" for i in range(200)]).split(group="patient")


@pytest.mark.parametrize("count", [0, 1])
def test_folds_must_be_two_or_more(count: int) -> None:
    with pytest.raises(ConfigurationError, match=f"folds must be at least 2, got {count}"):
        visits().folds(count)


def test_times_beyond_the_exact_numbers_are_ordered() -> None:
    order = np.arange(200) * 37 % 200
    splits = visits(when=2**60 + order).split(time="when")
    assert {order[row] for row in splits.test.ids} == set(range(150, 200))
