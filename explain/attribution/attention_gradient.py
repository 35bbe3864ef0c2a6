"""Gradient x attention, rolled out through the layers (Chefer et al., 2021, arXiv:2103.15679)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from explain.attribution._attention import AttentionMethod
from explain.internals.attention import placed
from explain.internals.attention_tap import Attended, as_layer
from explain.internals.attention_view import AttentionView
from explain.method import METHODS, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class AttentionGradient(AttentionMethod):
    """Attention that speaks for the class, followed from layer to layer.

    Each weight is multiplied by the gradient of the output with respect to it; what is negative is left out, and the
    mean of the heads is one step (equation 5). A step adds to what stays where it is (equation 6). What never
    moved is left out in the end, since it gives every token that is read the same. Unlike rollout and flow it depends on the class.

    Of a pooling, whose weights share out one sum, a gradient counts by how far it exceeds their weighted mean: what matters
    is that one step weighs more and the others less.
    """

    class_blind: ClassVar[bool] = False
    told: ClassVar[tuple[str, ...]] = ("only attention whose gradient speaks for the class counts; what speaks against it is left out",)

    def weigh(self, view: AttentionView, found: Attended, task: Task) -> Tensor:
        output = task.output.of_logits(found.logits, task.target).sum()
        slopes = torch.autograd.grad(output, found.weights, allow_unused=True)
        steps = [_step(layer, slope) for layer, slope in zip(found.layers, slopes, strict=True)]
        return follow(placed(task.classifier, task.x, torch.stack(steps, 1).detach(), view.there), view.reads)


def _step(layer: Tensor, slope: Tensor | None) -> Tensor:
    """How much token q takes of token t for the class ``(n, Q, T)``; nothing where the output does not depend on the layer."""
    if slope is None:
        return torch.zeros_like(layer[:, 0])
    slope = as_layer(slope)
    if layer.shape[2] == 1:
        slope = slope - (slope * layer).sum(-1, keepdim=True)
    return (slope * layer).clamp_min(0).mean(1)


def follow(steps: Tensor, reads: Tensor) -> Tensor:
    """What arrives at each token by at least one step ``(n, T)``.

    Args:
        steps: How much token q takes of token t for the class, in each layer ``(n, L, Q, T)``.
        reads: How much the answer reads of each token after each layer ``(n, L, Q)``.
    """
    unmoved = moved = torch.zeros_like(reads[:, 0])
    for layer in reversed(range(steps.shape[1])):
        unmoved = unmoved + reads[:, layer]
        moved = moved + torch.einsum("nq,nqt->nt", unmoved + moved, steps[:, layer])
    return moved
