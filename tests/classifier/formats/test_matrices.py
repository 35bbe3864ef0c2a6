"""NumPy and safetensors files are read row by row, or refused with what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from classifier import Dataset
from classifier.errors import DataError
from classifier.formats.tables import read_table, table_parts
from classifier.preparation import Reading
from classifier.streaming import read_in_parts

MATRIX = np.random.default_rng(0).normal(size=(60, 3))


def refused(path: Path, message: str) -> None:
    for read in (lambda: read_table(path), lambda: list(table_parts(path, 7))):
        with pytest.raises(DataError, match=message):
            read()


@pytest.mark.parametrize(("change", "bytes_"), [(slice(-24), 1416), (slice(-1), 1439)])
def test_a_numpy_file_that_is_cut_short_is_refused(tmp_path: Path, change: slice, bytes_: int) -> None:
    path = tmp_path / "table.npy"
    np.save(path, MATRIX)
    path.write_bytes(path.read_bytes()[change])
    refused(path, rf"table\.npy has {bytes_} bytes of numbers, required are 1440 for the shape \(60, 3\)")


def test_a_numpy_file_with_surplus_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.npy"
    np.save(path, MATRIX)
    path.write_bytes(path.read_bytes() + bytes(24))
    refused(path, "has 1464 bytes of numbers, required are 1440")


@pytest.mark.parametrize("array", [np.zeros((60, 1), dtype=[("a", "i4"), ("b", "i4")]), MATRIX.astype("S8"), MATRIX[:, 0], MATRIX[None]])
def test_a_numpy_file_of_something_else_is_refused(tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "table.npy", array)
    refused(tmp_path / "table.npy", "must hold a matrix of numbers row by row")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"x": torch.tensor(1.0), "y": torch.zeros(60)}, "the tensor 'x' of table.safetensors holds one number alone"),
        ({"x": torch.zeros(60, 2).bfloat16(), "y": torch.zeros(60)}, r"holds numbers of the type BF16, .*store tensor\.float\(\)"),
        ({"x": torch.zeros(60, 2), "x.0": torch.zeros(60)}, "make two columns 'x.0'"),
        ({"x": torch.zeros(60), "y": torch.zeros(59)}, "have different lengths"),
    ],
)
def test_tensors_that_make_no_table_are_refused(tmp_path: Path, tensors: dict[str, torch.Tensor], message: str) -> None:
    save_tensors(tensors, tmp_path / "table.safetensors")
    refused(tmp_path / "table.safetensors", message)


@pytest.mark.parametrize("tensors", [{"x": MATRIX[:0].copy()}, {}])
def test_tensors_without_rows_are_refused(tmp_path: Path, tensors: dict[str, Any]) -> None:
    save_file(tensors, tmp_path / "table.safetensors")
    with pytest.raises(DataError, match=r"table\.safetensors has no rows"):
        read_table(tmp_path / "table.safetensors")


def test_tensors_in_parts_are_those_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.safetensors"
    save_file({"x": MATRIX.reshape(60, 1, 3), "flag": np.arange(60) % 2 == 0, "label": np.arange(60) % 3}, path)
    whole, _ = read_table(path)
    assert list(whole.columns) == ["flag", "label", "x.0", "x.1", "x.2"]
    assert np.array_equal(whole[["x.0", "x.1", "x.2"]].to_numpy(), MATRIX)
    data = Dataset.read(path, target="label")

    # Of a file on disk only the rows of a part may be read.
    monkeypatch.setattr("safetensors.deserialize", lambda content: pytest.fail("the file was read whole"))
    parts = list(table_parts(path, 7))
    assert list(map(len, parts)) == [7] * 8 + [4]
    assert pd.concat(parts, ignore_index=True).equals(whole)
    assert read_in_parts(path, Reading(target="label"), rows=7).digest == data.digest
