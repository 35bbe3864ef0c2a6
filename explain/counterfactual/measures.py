"""Measures: how good a set of counterfactuals is (Mothilal et al., 2020, arXiv:1905.07697; Guidotti, 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from explain.counterfactual.result import Counterfactuals


@dataclass(frozen=True)
class Measures:
    """Means over inputs, or over what was found for them; NaN where nothing was.

    Args:
        validity: Share of the inputs for which something was found. What was found flips the decision, always.
        proximity: Mean distance, in units of change; lower is nearer.
        sparsity: Mean number of features that differ; lower is simpler.
        diversity: Mean share of features in which two counterfactuals of an input differ, of those that either
            changes (Jaccard distance); higher is more various, NaN where no input has two.
        plausibility: Mean plausibility; higher is nearer to real cases, NaN without data.
        evaluations: Mean number of predictions that an input took.
    """

    validity: float
    proximity: float
    sparsity: float
    diversity: float
    plausibility: float
    evaluations: float


def measure_set(result: Counterfactuals) -> Measures:
    """Measure a set of counterfactuals."""
    good = result.succeeds
    changed, row = result.changed[good].double(), result.row[good]
    parts: dict[int, list[float]] = {}
    # Those of an input stand together, so that its pairs are a few places apart.
    for apart in range(1, int(torch.bincount(row).max()) if len(row) else 1):
        one, other = changed[:-apart], changed[apart:]
        distance = 1 - (one * other).sum(1) / torch.maximum(one, other).sum(1).clamp_min(1)
        for index in (row[apart:] == row[:-apart]).nonzero()[:, 0].tolist():
            parts.setdefault(int(row[index]), []).append(float(distance[index]))
    # Each input counts alike, however many pairs it has.
    means = [sum(values) / len(values) for values in parts.values()]
    return Measures(
        validity=float(result.found.double().mean()),
        proximity=float(result.distance[good].mean()),
        sparsity=float(result.count[good].double().mean()),
        diversity=sum(means) / len(means) if means else float("nan"),
        plausibility=float(result.plausibility[good].nanmean()),
        evaluations=float(result.evaluations.double().mean()),
    )
