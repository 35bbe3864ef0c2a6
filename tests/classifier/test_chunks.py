"""Work on a long batch is cut into pieces that fit, and gives what it gives at once."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from classifier.chunks import ELEMENTS, chunk_size, in_chunks


@pytest.mark.parametrize("rows", [0, 1, 5, 6, 7, 23])
def test_pieces_join_to_the_whole(rows: int) -> None:
    x = torch.arange(rows * 2.0).reshape(rows, 2)
    assert torch.equal(in_chunks(lambda part: part.sum(1), x, size=6), x.sum(1))


def test_a_chunk_holds_so_many_numbers() -> None:
    assert chunk_size((3, 32, 32)) == ELEMENTS // 3072
    assert chunk_size((2 * ELEMENTS,)) == 1
    assert chunk_size(()) == ELEMENTS


@pytest.mark.parametrize("size", [None, 100, 40])
@pytest.mark.parametrize("limit", [1, 3, 17, 100])
def test_out_of_memory_halves_the_chunk_and_goes_on(limit: int, size: int | None) -> None:
    tried: list[int] = []

    def function(part: Tensor) -> Tensor:
        tried.append(len(part))
        if len(part) > limit:
            raise torch.OutOfMemoryError("out of memory")
        return part * 2

    x = torch.arange(100.0)[:, None]
    assert torch.equal(in_chunks(function, x, size=size), x * 2)
    # Each refusal is met by half the size, and no size that was refused is tried again.
    refused = [count for count in tried if count > limit]
    assert refused == sorted(set(refused), reverse=True)
    assert all(after == before // 2 for before, after in pairwise(refused))


def test_a_row_that_does_not_fit_is_an_error() -> None:
    def function(part: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("out of memory")

    for rows in (1, 8):
        with pytest.raises(torch.OutOfMemoryError):
            in_chunks(function, torch.zeros(rows, 2))


def test_another_error_is_not_swallowed() -> None:
    with pytest.raises(RuntimeError, match="shapes do not match"):
        in_chunks(lambda part: (_ for _ in ()).throw(RuntimeError("shapes do not match")), torch.zeros(4, 2))
