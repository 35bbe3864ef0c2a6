"""A part of the work has its own random numbers, whatever else is done and in what order."""

from __future__ import annotations

import numpy as np
import torch

from classifier.seeds import Seed


def test_a_stream_is_the_same_every_time() -> None:
    assert np.array_equal(Seed(3).child("a", 1).numpy().random(5), Seed(3, ("a", "1")).numpy().random(5))
    first, second = (torch.rand(5, generator=Seed(3).child("a").torch()) for _ in range(2))
    assert torch.equal(first, second)


def test_streams_of_different_names_differ() -> None:
    seeds = [Seed(0), Seed(1), Seed(0).child("a"), Seed(0).child("b"), Seed(0).child("a", "b"), Seed(0).child("ab"), Seed(0).child("a", 0)]
    assert len({seed.integer() for seed in seeds}) == len(seeds)
    assert all(0 <= seed.integer() < 2**63 for seed in seeds)


def test_a_seed_means_the_same_in_every_release() -> None:
    # Recorded audits are reproduced from it: the first 63 bits of SHA-256 of "0/split".
    assert Seed(0).child("split").integer() == 3769940940748469125
