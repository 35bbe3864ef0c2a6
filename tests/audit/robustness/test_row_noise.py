"""Random numbers that belong to rows."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import kstest

from audit.robustness.row_noise import normal_rows, uniform_rows


def test_a_row_has_the_same_numbers_whatever_rows_are_beside_it() -> None:
    whole = uniform_rows(torch.arange(10), 7, (3, 2), 5)
    assert torch.equal(uniform_rows(torch.tensor([4, 9]), 7, (3, 2), 5), whole[[4, 9]])
    steps = uniform_rows(torch.tensor([4, 4]), 7, (3, 2), torch.tensor([5, 6]))
    assert torch.equal(steps[0], whole[4])
    assert not torch.equal(steps[1], whole[4])


def test_a_rows_next_numbers_are_not_another_rows() -> None:
    draws = torch.cat([uniform_rows(torch.arange(200), stream, (4,), step) for stream in (1, 2) for step in range(20)])
    assert len({tuple(row) for row in draws.tolist()}) == len(draws)


def test_they_are_uniform_and_normal_and_do_not_hang_together() -> None:
    uniform = uniform_rows(torch.arange(20_000), 3, (2,)).double().numpy()
    assert kstest(uniform[:, 0], "uniform").pvalue > 1e-3
    assert kstest(normal_rows(torch.arange(20_000), 3, (1,)).double().numpy()[:, 0], "norm").pvalue > 1e-3
    for other in (uniform[:, 1], np.roll(uniform[:, 0], 1), uniform_rows(torch.arange(20_000), 3, (2,), 1).double().numpy()[:, 0]):
        assert abs(np.corrcoef(uniform[:, 0], other)[0, 1]) < 4 / np.sqrt(20_000)
