"""What the corruptions of series share: the steps that were observed, and series made of steps from other places."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.corruptions.corruption import Corruption
from audit.robustness.corruptions.numbers import numeric_features
from classifier.modalities._observed import observed_column
from classifier.modalities.sequence import Series


@dataclass(frozen=True)
class SeriesCorruption(Corruption):
    """A corruption of the observed steps of a series; which steps were observed stays."""

    def lengths(self, x: Tensor) -> Tensor:
        """How many steps of each series were observed ``(N,)``, int64."""
        return (Series(self.schema).observed(x) > 0.5).sum(1)

    def taken_at(self, x: Tensor, places: Tensor) -> Tensor:
        """Series whose steps are taken from other places ``(N, T)``, with all that is known of a step."""
        return self.completed(x.gather(1, places[..., None].expand_as(x)), x)

    def completed(self, changed: Tensor, x: Tensor) -> Tensor:
        """A changed series as long as it was: beyond its end its last step is repeated, as the encoding does it."""
        places = torch.minimum(torch.arange(x.shape[1], device=x.device), self.lengths(x)[:, None] - 1)
        held = changed.gather(1, places[..., None].expand_as(x))
        flag = observed_column(self.schema)
        if flag is not None:
            held[..., flag] = x[..., flag]
        return held


@dataclass(frozen=True)
class NumberCorruption(SeriesCorruption):
    """A corruption of the numbers of a series."""

    def why_not(self) -> str:
        return "" if numeric_features(self.schema) else "no variable is a number"
