"""Trigger inversion: the smallest mask and pattern that turn other rows to a class (Neural Cleanse; Wang et al., 2019)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from audit.robustness.backdoors.cells import Cells
from classifier.chunks import chunk_size
from classifier.errors import ConfigurationError
from classifier.seeds import Seed

# Adam with the moments of the paper, and a weight of the size that rises while the trigger works and falls faster. With this rate and
# start, 60 steps come within 4 % of where 150 end, on the network of the known answers.
_RATE, _BETAS = 0.3, (0.5, 0.9)
_START, _RISE, _LEAST, _MOST = 1.0, 1.1, 1e-3, 1e3
_TINY = 1e-8
# Numbers that the mixing matrices of the targets searched for together make at most.
_MIXED = 2**22


@dataclass(frozen=True)
class Triggers:
    """One trigger a target.

    Args:
        mask: How far each cell is replaced, from 0 to 1 ``(T, C)``.
        pattern: What replaces it ``(T, *S)``.
        size: Sum of the mask as a share of the cells that may change ``(T,)``; 1 where no mask did what it should.
        success: Share of the rows that it was made from that it turns ``(T,)``.
    """

    mask: Tensor
    pattern: Tensor
    size: Tensor
    success: Tensor

    def __getitem__(self, rows: slice) -> Triggers:
        """Those of some of the targets."""
        return Triggers(self.mask[rows], self.pattern[rows], self.size[rows], self.success[rows])


def invert_triggers(
    logits: Callable[[Tensor], Tensor],
    sources: Tensor,
    targets: Tensor,
    cells: Cells,
    seed: Seed,
    *,
    mixing: Tensor | None = None,
    steps: int = 100,
    success: float = 0.99,
) -> Triggers:
    """Search a small trigger for each target, all at once; each on its own, so that none changes another.

    Args:
        logits: From ``(n, *S)`` to logits ``(n, K)``, differentiably.
        sources: Rows of other classes, for each target ``(T, R, *S)``.
        targets: The class that they shall be turned to ``(T,)``.
        cells: What a trigger may be made of.
        seed: Where each search begins.
        mixing: For each target what its logits are multiplied by ``(T, K, K)``, from the left; by default nothing.
        steps: Steps of Adam.
        success: Share of the sources that a trigger must turn.

    Raises:
        ConfigurationError: If `steps` is below 1, or `success` is no share.
    """
    if steps < 1 or not 0 < success <= 1:
        raise ConfigurationError(f"steps must be at least 1 and success in (0, 1], got {steps} and {success}")
    # Drawn for all targets before the work is cut, so that the size of a chunk changes nothing.
    generator = seed.torch()
    mask = 0.1 * torch.randn(len(targets), len(cells.free), generator=generator)
    pattern = torch.randn(len(targets), *sources.shape[2:], generator=generator)
    together = max(1, chunk_size((sources.shape[1], *sources.shape[2:])))
    if mixing is not None:
        together = max(1, min(together, _MIXED // mixing.shape[1] ** 2))
    found = [
        _descend(
            logits, sources[part], targets[part], cells, mask[part].to(sources), pattern[part].to(sources),
            None if mixing is None else mixing[part], steps, success,
        )
        for part in torch.split(torch.arange(len(targets)), together)
    ]  # fmt: skip
    return Triggers(*(torch.cat([getattr(part, name) for part in found]) for name in ("mask", "pattern", "size", "success")))


def _descend(
    logits: Callable[[Tensor], Tensor],
    x: Tensor,
    targets: Tensor,
    cells: Cells,
    mask: Tensor,
    pattern: Tensor,
    mixing: Tensor | None,
    steps: int,
    success: float,
) -> Triggers:
    searched = (mask.requires_grad_(), pattern.requires_grad_())
    adam = _Adam(searched)
    weight = torch.full((len(x),), _START, device=x.device)
    wanted = targets[:, None].expand(x.shape[:2])
    best = Triggers(
        cells.free.to(x).expand(len(x), -1).clone(),
        cells.values(pattern.detach()),
        torch.ones(len(x), device=x.device),
        torch.zeros(len(x), device=x.device),
    )
    for _ in range(steps):
        part, values = mask.sigmoid() * cells.free, cells.values(pattern)
        laid = part[:, cells.index]
        changed = x * (1 - laid[:, None]) + (laid * values)[:, None]
        z = logits(changed.flatten(0, 1)).reshape(*x.shape[:2], -1)
        if mixing is not None:
            z = torch.einsum("tjk,trk->trj", mixing, z)
        loss = torch.nn.functional.cross_entropy(z.flatten(0, 1), wanted.flatten(), reduction="none").reshape(wanted.shape).mean(1)
        size = part.sum(1) / cells.free.sum()
        adam.step(torch.autograd.grad((loss + weight * size).sum(), searched))
        hit = (z.detach().argmax(2) == wanted).to(x).mean(1)
        works = hit >= success
        better = works & (size.detach() < best.size)
        for kept, now in ((best.mask, part), (best.pattern, values), (best.size, size), (best.success, hit)):
            kept[better] = now.detach()[better]
        weight = torch.where(works, weight * _RISE, weight / _RISE**1.5).clamp(_LEAST, _MOST)
    return best


class _Adam:
    """Steps of Adam (Kingma and Ba, 2015); torch's own optimizers take seconds to load, which the self-test would wait for."""

    def __init__(self, searched: tuple[Tensor, ...]) -> None:
        self.searched, self.steps = searched, 0
        self.moments = [(torch.zeros_like(tensor), torch.zeros_like(tensor)) for tensor in searched]

    @torch.no_grad()
    def step(self, gradients: tuple[Tensor, ...]) -> None:
        self.steps += 1
        first, second = _BETAS
        for tensor, gradient, (mean, square) in zip(self.searched, gradients, self.moments, strict=True):
            mean.lerp_(gradient, 1 - first)
            square.lerp_(gradient.square(), 1 - second)
            spread = (square / (1 - second**self.steps)).sqrt() + _TINY
            tensor -= _RATE * mean / (1 - first**self.steps) / spread
