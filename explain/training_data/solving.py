"""Solving with a damped curvature: by its Cholesky factor where it is small, else by conjugate gradients (Hestenes and Stiefel, 1952)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from classifier.errors import ModelError


def solve_exactly(matrix: Tensor, damping: float, right: Tensor) -> Tensor:
    """Solve ``(matrix + damping I) s = b`` for every row b of `right` ``(B, P)``, in double precision.

    Raises:
        ModelError: If the damped matrix is not positive definite.
    """
    damped = matrix + damping * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
    factor, failed = torch.linalg.cholesky_ex(damped)
    if int(failed):
        raise _indefinite(damping)
    return torch.cholesky_solve(right.to(matrix.dtype).T, factor).T


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], right: Tensor, *, damping: float, steps: int, tolerance: float, advance: Callable[[str], None]
) -> tuple[Tensor, float]:
    """Solve ``(A + damping I) s = b`` for every row b of `right` ``(B, P)``, all at once.

    Args:
        product: Products of A with vectors ``(B, P)``.
        right: What the products shall be.
        damping: What is added to A's diagonal.
        steps: Steps at most; each takes one product.
        tolerance: Residual, as a share of the length of b, at which a row is done.
        advance: Told of every step.

    Returns:
        The solutions ``(B, P)``, and the largest residual that is left, as a share.

    Raises:
        ModelError: If A with the damping turns out to have a negative direction.
    """

    def damped(vectors: Tensor) -> Tensor:
        return product(vectors) + damping * vectors

    length = _dot(right, right).sqrt().clamp_min(torch.finfo(torch.float64).tiny)
    solution, residual, direction = torch.zeros_like(right), right.clone(), right.clone()
    squared = _dot(residual, residual)
    for step in range(steps):
        open_ = squared.sqrt() > tolerance * length
        if not open_.any():
            break
        moved = damped(direction)
        curve = _dot(direction, moved)
        if (curve[open_] <= 0).any():
            raise _indefinite(damping)
        pace = torch.where(open_, squared / curve.clamp_min(torch.finfo(torch.float64).tiny), 0.0)[:, None].to(right)
        solution += pace * direction
        residual -= pace * moved
        before, squared = squared, _dot(residual, residual)
        turn = torch.where(open_, squared / before.clamp_min(torch.finfo(torch.float64).tiny), 0.0)[:, None].to(right)
        direction = residual + turn * direction
        advance(f"step {step + 1}, residual {float((squared.sqrt() / length).max()):.1g}")
    # Rounding adds up in the running residual, so the one that is told is computed afresh.
    left = right - damped(solution)
    return solution, float((_dot(left, left).sqrt() / length).max())


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return torch.einsum("bp,bp->b", one.double(), other.double())


def _indefinite(damping: float) -> ModelError:
    return ModelError(
        f"the curvature of the training loss with damping {damping:.3g} is not positive, so that there is no minimum to reckon from",
        remedy='give a larger damping, or take curvature="gauss_newton"',
    )
