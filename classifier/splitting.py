"""Which rows go together, and which part each goes to. Works on arrays alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from classifier.chunks import chunk_size
from classifier.errors import DataError
from classifier.seeds import Seed
from classifier.storage import IN_MEMORY

Rows = NDArray[np.int64]


def same_rows(inputs: Tensor) -> Rows:
    """A number for each row ``(N,)``, the same for rows that are equal in every element.

    Args:
        inputs: Encoded inputs ``(N, *S)``. Rows that do not fit in memory are compared by a hash of 64 bits.
    """
    rows = inputs.flatten(1)
    if rows.nbytes > IN_MEMORY:
        return np.unique(_hashes(rows), return_inverse=True)[1].astype(np.int64)
    return np.unique(rows.numpy(), axis=0, return_inverse=True)[1].ravel().astype(np.int64)


def _hashes(rows: Tensor) -> NDArray[np.uint64]:
    """A multilinear hash of each row ``(N,)``: two rows that differ share one with a chance of about 2^-62."""
    bits = {2: np.uint16, 4: np.uint32, 8: np.uint64}[rows.element_size()]
    factors = np.random.default_rng(0).integers(0, 2**64, rows.shape[1], dtype=np.uint64)
    hashes = np.empty(len(rows), dtype=np.uint64)
    size = chunk_size(tuple(rows.shape[1:]))
    for start in range(0, len(rows), size):
        # Adding 0 makes one pattern of bits of 0 and -0.
        words = (rows[start : start + size].numpy() + 0).view(bits).astype(np.uint64)
        hashes[start : start + size] = (words * factors).sum(1, dtype=np.uint64) >> np.uint64(1)
    return hashes


def units(inputs: Tensor, group: pd.Series[Any] | None = None) -> Rows:
    """Which rows must stay together: those equal in every input, and those that share a group.

    Args:
        inputs: Encoded inputs ``(N, *S)``.
        group: What each row belongs to ``(N,)``: a customer, a patient.

    Returns:
        The index of each row's unit ``(N,)``.

    Raises:
        DataError: If a row has no group: nobody knows which others it must stay with.
    """
    same = same_rows(inputs)
    if group is None:
        return same
    if group.isna().any():
        raise DataError(
            f"column {group.name!r} lacks a value in {int(group.isna().sum())} of {len(group)} rows, and rows are split by it",
            remedy="fill it, with a value of its own where a row belongs to no other, or leave those rows out",
        )
    codes = pd.factorize(group, use_na_sentinel=False)[0]
    # Rows linked through a group or through equal inputs, in any chain, are one unit.
    size = codes.max() + 1
    links = coo_array((np.ones(len(codes)), (codes, size + same)), shape=(size + same.max() + 1,) * 2)
    components: Rows = connected_components(links, directed=False)[1].astype(np.int64)
    return components[codes]


def stratified_positions(units: Rows, labels: Rows, seed: Seed) -> NDArray[np.float64]:
    """Lay the units of each class in random order on [0, 1), by their number of rows.

    Cutting [0, 1) anywhere then cuts every class in the same proportion, and no unit in two.

    Args:
        units: The unit of each row ``(N,)``.
        labels: The class of each row ``(N,)``.
        seed: Decides the order.

    Returns:
        Where each row's unit lies ``(N,)``.
    """
    names, first, sizes = np.unique(units, return_index=True, return_counts=True)
    order = seed.numpy().permutation(len(names))
    position = np.empty(len(names))
    # A unit counts for the class of its first row, which is the class of all in almost every unit.
    for label in np.unique(labels[first]):
        mine = order[labels[first[order]] == label]
        ends = np.cumsum(sizes[mine])
        position[mine] = (ends - sizes[mine] / 2) / ends[-1]
    return position[np.searchsorted(names, units)]


def cut(position: NDArray[np.float64], *, test: float, validation: float) -> tuple[Rows, Rows, Rows]:
    """Rows to train on, to validate on and to test on: the test part from the start, then validation."""
    tested, validated = position < test, position < test + validation
    return np.flatnonzero(~validated), np.flatnonzero(validated & ~tested), np.flatnonzero(tested)


def cut_by_time(time: pd.Series[Any], *, test: float, validation: float) -> tuple[Rows, Rows, Rows]:
    """The same with the latest rows to test on, and those before them to validate on."""
    ranks = _instants(time).rank(method="first").to_numpy() / len(time)
    return cut(1 - ranks, test=test, validation=validation)


def _instants(time: pd.Series[Any]) -> pd.Series[Any]:
    if time.isna().any():
        row = int(time.isna().to_numpy().argmax())
        raise DataError(f"column {time.name!r} lacks a time in row {row}", remedy="fill it, or drop those rows")
    numbers = pd.to_numeric(time, errors="coerce")
    if numbers.notna().all():
        return numbers
    try:
        # As text, 02/01/2026 would come before 31/12/2025.
        return pd.to_datetime(time, format="ISO8601", utc=True)
    except ValueError as error:
        raise DataError(
            f"column {time.name!r} cannot be ordered in time: {str(error).splitlines()[0]}", remedy="write dates as 2026-01-31"
        ) from error
