"""Kernel SHAP where coalitions are sampled: unbiased enough, with standard errors that can be believed."""

from __future__ import annotations

from math import comb

import pytest
import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed
from explain import attribute
from explain.games.coalition_design import Design


def test_standard_errors_tell_the_size_of_the_error(wide: Classifier, rows: Tensor) -> None:
    truth = attribute(wide, rows, "exact_shapley").attributions
    runs = [attribute(wide, rows, "kernel_shap", samples=160, seed=seed) for seed in range(30)]
    assert not any(run.exact for run in runs)
    error = torch.stack([run.attributions - truth for run in runs])
    stated = torch.stack([run.standard_error for run in runs if run.standard_error is not None])
    ratio = stated.square().mean().sqrt() / error.square().mean().sqrt()
    assert 0.9 < ratio < 1.5
    # Over many seeds the errors cancel, as those of an unbiased estimate do.
    assert error.mean(0).abs().max() < 4 * stated.mean() / 30**0.5


def test_more_samples_leave_a_smaller_error(wide: Classifier, rows: Tensor) -> None:
    truth = attribute(wide, rows, "exact_shapley").attributions
    errors = [(attribute(wide, rows, "kernel_shap", samples=n).attributions - truth).square().mean() for n in (64, 256, 1024, 2046)]
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 1e-12


def test_sampled_attributions_are_complete_and_shared_by_all_rows(wide: Classifier, rows: Tensor) -> None:
    many = attribute(wide, rows, "kernel_shap", samples=64)
    assert many.completeness_error.max() < 1e-6 * many.value.abs().max()
    one = attribute(wide, rows[4:5], "kernel_shap", samples=64)
    assert torch.allclose(one.attributions, many.attributions[4:5], atol=1e-5)


@pytest.mark.parametrize(
    ("players", "samples"),
    [(2, 20), (3, 20), (5, 20), (5, 28), (6, 24), (6, 62), (6, 5000), (11, 130), (11, 5000), (30, 130), (30, 5000)],
)
def test_the_design_keeps_the_kernels_weight_of_every_size(players: int, samples: int) -> None:
    design = Design.draw(players, samples, Seed(0))
    present = design.present
    assert len(present) <= samples
    assert torch.equal(present.sum(0), (~present).sum(0)), "each coalition comes with its complement"
    kernel = sum((players - 1) / (size * (players - size)) for size in range(1, players))
    assert float(design.weight.sum()) == pytest.approx(kernel)
    enumerated = present[: design.sizes[0]]
    for size in set(enumerated.sum(1).tolist()):
        members = enumerated[enumerated.sum(1) == size]
        assert len(members.unique(dim=0)) == len(members) == comb(players, size)
    if samples >= 2**players - 2:
        assert len(present) == 2**players - 2
        assert design.complete


@pytest.mark.parametrize("players", range(1, 15))
def test_a_budget_for_all_coalitions_is_spent_on_all(players: int) -> None:
    design = Design.draw(players, max(2, 2**players - 2), Seed(0))
    assert design.complete
    assert len(design.present.unique(dim=0)) == len(design.present) == 2**players - 2


def test_too_few_samples_are_refused(wide: Classifier, rows: Tensor) -> None:
    with pytest.raises(NotApplicableError, match="11 players need samples=44 or more, got 43"):
        attribute(wide, rows, "kernel_shap", samples=43)
    with pytest.raises(ConfigurationError, match="samples must be at least 2, got 0"):
        attribute(wide, rows, "kernel_shap", samples=0)
