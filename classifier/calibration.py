"""Calibration: logits changed so that probabilities mean what they say (Guo et al., 2017, arXiv:1706.04599)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite
from typing import Literal, get_args

import torch
from torch import Tensor

from classifier.errors import ConfigurationError

Kind = Literal["temperature", "bias_corrected", "isotonic"]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A map from logits to calibrated logits, differentiable almost everywhere.

    Of two classes no kind changes how rows rank, since each is a rising function of the log-odds.

    Args:
        kind: ``"temperature"`` divides the logits by one number; ``"bias_corrected"`` then adds one number a class
            (Alexandari et al., 2020, arXiv:1901.06852), as weighted classes need; ``"isotonic"``, of two classes,
            maps the log-odds along a rising broken line.
        temperature: What logits are divided by.
        bias: What is added to each logit then ``(K,)``; empty for none.
        knots: Corners of the broken line: log-odds before and after, both rising. Beyond the outer ones it goes on
            with slope 1.
    """

    kind: Kind
    temperature: float = 1.0
    bias: tuple[float, ...] = ()
    knots: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ConfigurationError(f"the kind of a calibration must be one of {', '.join(get_args(Kind))}, got {self.kind!r}")
        if not 0 < self.temperature < inf:
            raise ConfigurationError(f"temperature must be above 0 and finite, got {self.temperature}")
        if not all(map(isfinite, (*self.bias, *(value for knot in self.knots for value in knot)))):
            raise ConfigurationError("the bias and the knots of a calibration must be finite")
        if (self.kind == "isotonic") != bool(self.knots) or (self.kind == "bias_corrected") != bool(self.bias):
            raise ConfigurationError("an isotonic calibration has knots, a bias-corrected one has a bias, and no other has")
        if any(not (a[0] < b[0] and a[1] < b[1]) for a, b in pairwise(self.knots)):
            raise ConfigurationError("the knots of an isotonic calibration must rise strictly")

    def require(self, classes: int) -> None:
        """Refuse a classifier of so many classes that this cannot calibrate.

        Raises:
            ConfigurationError: If it is isotonic and there are not two, or its bias is of another number.
        """
        if self.kind == "isotonic" and classes != 2:
            raise ConfigurationError(f"isotonic calibration is for two classes, there are {classes}", remedy='take "temperature"')
        if self.bias and len(self.bias) != classes:
            raise ConfigurationError(f"the calibration has a bias for {len(self.bias)} classes, there are {classes}")

    def __call__(self, logits: Tensor) -> Tensor:
        """Calibrated logits of logits ``(N, K)``."""
        if self.kind == "isotonic":
            odds = self._mapped(logits[:, 1] - logits[:, 0])[:, None]
            return torch.cat([-odds / 2, odds / 2], dim=1)
        scaled = logits / self.temperature
        return scaled + torch.tensor(self.bias).to(scaled) if self.bias else scaled

    def _mapped(self, odds: Tensor) -> Tensor:
        before, after = (torch.tensor(ends, dtype=odds.dtype, device=odds.device) for ends in zip(*self.knots, strict=True))
        rise = torch.ones(len(before) + 1, dtype=odds.dtype, device=odds.device)
        rise[1:-1] = after.diff() / before.diff()
        piece = torch.searchsorted(before, odds.detach().contiguous())
        corner = (piece - 1).clamp_min(0)
        return after[corner] + (odds - before[corner]) * rise[piece]
