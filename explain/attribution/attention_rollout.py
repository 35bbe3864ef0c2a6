"""Attention rollout: attention multiplied through the layers (Abnar and Zuidema, 2020, arXiv:2005.00928)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from classifier.errors import ConfigurationError
from explain.attribution._attention import AttentionMethod, mean_step
from explain.internals.attention_tap import Attended
from explain.internals.attention_view import AttentionView
from explain.method import METHODS, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class AttentionRollout(AttentionMethod):
    """The share of what the answer reads that came from each part of the input, were each layer only its attention.

    A layer moves a share of each token to others by the mean attention of its heads, and leaves the rest where it
    is, as the way around the layer does (section 3). Values that are moved may cancel or be ignored: this
    is where information could have come from.

    Args:
        residual: The share that stays where it is, from 0 to 1.
    """

    residual: float = 0.5

    def __post_init__(self) -> None:
        require_residual(self.residual)

    def weigh(self, view: AttentionView, found: Attended, task: Task) -> Tensor:
        return roll_out(view.weights, view.reads, self.residual)


def roll_out(weights: Tensor, reads: Tensor, residual: float) -> Tensor:
    """What arrives at each token ``(n, T)``.

    Args:
        weights: Attention of each layer ``(n, L, H, Q, T)``.
        reads: How much the answer reads of each token after each layer ``(n, L, Q)``.
        residual: The share that stays where it is.
    """
    arrived = torch.zeros_like(reads[:, 0])
    for layer in reversed(range(weights.shape[1])):
        step = mean_step(weights[:, layer], residual)
        arrived = torch.einsum("nq,nqt->nt", arrived + reads[:, layer], step)
    return arrived


def require_residual(residual: float) -> None:
    """Refuse a share that is none.

    Raises:
        ConfigurationError: If it does not lie from 0 to 1.
    """
    if not 0 <= residual <= 1:
        raise ConfigurationError(f"residual must lie in [0, 1], got {residual}")
