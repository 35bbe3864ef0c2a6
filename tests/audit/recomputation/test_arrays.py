"""Arrays are read as they were written, without the library that wrote them."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save

from audit.recomputation.arrays import Arrays
from classifier.errors import IntegrityError

KINDS = [np.float64, np.float32, np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_]


@pytest.mark.parametrize("kind", KINDS)
def test_an_array_is_read_number_by_number_and_row_by_row(kind: type[np.generic]) -> None:
    array = np.arange(12).reshape(4, 3).astype(kind)
    arrays = Arrays(save({"a": array, "empty": np.zeros((0, 3))}), "a file")
    assert list(arrays.column("a")) == array.ravel().tolist()
    assert [list(row) for row in arrays.table("a")] == array.tolist()
    assert arrays.table("empty") == []
    assert list(arrays) == ["a", "empty"] or list(arrays) == ["empty", "a"]
    assert "a" in arrays
    assert "b" not in arrays


def test_infinities_and_what_is_no_number_are_read() -> None:
    numbers = Arrays(save({"a": np.array([np.inf, -np.inf, np.nan])}), "a file").column("a")
    assert numbers[0] == -numbers[1] == float("inf")
    assert numbers[2] != numbers[2]


def test_what_is_no_such_file_or_holds_another_kind_of_number_is_refused_with_its_name() -> None:
    whole = save({"a": np.arange(3.0)})
    for content in (b"", b"garbage", whole[:-1], whole + b"x"):
        with pytest.raises(IntegrityError, match="a file: this is no safetensors file"):
            Arrays(content, "a file")
    with pytest.raises(IntegrityError, match="a file holds 'a' as F16"):
        Arrays(save({"a": np.arange(3).astype(np.float16)}), "a file").column("a")
