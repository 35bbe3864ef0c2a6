"""The nearest point of a hyperplane inside a box, of many at once (Croce and Hein, 2020, arXiv:1907.02044, section 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from classifier.perturbation import Norm

# A level that rises by less than this share has arrived; what is left is rounding.
_ARRIVED = 1e-6
# What stands for no bound, so that products stay finite.
_FAR = 1e30


def move_onto(points: Tensor, normal: Tensor, offset: Tensor, lower: Tensor, upper: Tensor, norm: Norm) -> Tensor:
    """The least change that brings each point to ``normal . z = offset`` within its box ``(..., m, d)``.

    Where the hyperplane does not meet the box, the change goes to the corner nearest to it.

    Args:
        points: Points in their boxes ``(..., m, d)``.
        normal: Normal of each hyperplane ``(m, d)``.
        offset: Its offset ``(m,)``.
        lower: Lowest value of each element ``(m, d)``.
        upper: Highest value ``(m, d)``.
        norm: What is to be least: ``"Linf"``, ``"L2"`` or ``"L1"``.
    """
    gap = (offset - (points * normal).sum(-1)).unsqueeze(-1)
    slope = normal * gap.sign()
    size, way = normal.abs(), slope.sign()
    # The end of the box that lies its way; 0 for an element that the hyperplane does not depend on. Products and
    # extremes, since to choose by a mask takes a processor twenty times as long.
    room = torch.maximum(way * (upper.clamp_max(_FAR) - points), way * (lower.clamp_min(-_FAR) - points))
    if norm == "L1":
        return way * _filled(size, room, gap.abs())
    if norm == "Linf":
        return way * torch.minimum(_level(size, room, gap.abs()), room)
    limit = (room / size.clamp_min(torch.finfo(size.dtype).tiny)).clamp_max(_FAR)
    return slope * torch.minimum(_level(size.square(), limit, gap.abs()), limit)


def _level(weight: Tensor, limit: Tensor, gap: Tensor) -> Tensor:
    """The least t with ``sum(weight * min(t, limit)) = gap`` ``(..., m, 1)``; infinite where there is none.

    Newton's method: the sum is concave and made of straight pieces, so that from below each step takes t to where an
    element is at its limit or to the answer, and none goes past it.
    """
    level = torch.zeros_like(gap)
    for _ in range(limit.shape[-1] + 1):
        slope = (weight * (limit - level).clamp_min(0.0).sign()).sum(-1, keepdim=True)
        missing = (gap - (weight * torch.minimum(level, limit)).sum(-1, keepdim=True)).clamp_min(0.0)
        higher = torch.where(slope > 0, level + missing / slope, torch.where(missing > 0, torch.inf, level))
        if (higher <= level * (1 + _ARRIVED)).all():
            break
        level = higher
    return level


def _filled(size: Tensor, room: Tensor, gap: Tensor) -> Tensor:
    """How far each element goes where those of the largest `size` go as far as they can, until ``gap`` is closed."""
    order = size.argsort(dim=-1, descending=True, stable=True).expand_as(room)
    size, room = size.expand_as(room).gather(-1, order), room.gather(-1, order)
    missing = gap - pad((size * room).cumsum(-1)[..., :-1], (1, 0))
    far = torch.minimum((missing / size.clamp_min(torch.finfo(size.dtype).tiny)).clamp_min(0.0), room)
    return torch.zeros_like(far).scatter(-1, order, far)
