"""Campaign: attacks one after the other on many rows, in chunks that fit, each on the rows that still stand."""

from __future__ import annotations

import torch
from torch import Tensor

from audit.robustness.attempt import Attempt
from audit.robustness.forward import Forward, decided
from audit.robustness.method import Attack
from classifier.chunks import chunk_size
from classifier.modality import Modality
from classifier.perturbation import PerturbationSet
from classifier.seeds import Seed

# Rows side by side at most: beyond, a pass takes as much longer as it has more rows.
_SIDE_BY_SIDE = 2048
# Input elements of a pass forward and backward, whose layers are remembered.
_ELEMENTS = 2**20


class Campaign:
    """What has been found of all rows so far.

    Args:
        forward: From inputs to logits, the largest of which is decided.
        allowed: What the rows may become, around inputs ``(N, *S)``.
        labels: Their classes ``(N,)``.
        attacked: Which rows are attacked at all ``(N,)``, bool: those that are decided rightly.
        modality: Where only valid rows count, what says which are.
    """

    def __init__(self, forward: Forward, allowed: PerturbationSet, labels: Tensor, attacked: Tensor, modality: Modality | None) -> None:
        self._forward, self._modality = forward, modality
        self.allowed, self.labels, self.attacked = allowed, labels, attacked
        #: Which rows no attack has broken ``(N,)``, and which of these are proven to stand and left alone ``(N,)``.
        self.standing, self.proven = attacked.clone(), torch.zeros_like(attacked)
        #: The attack that broke each row, as its place among those that ran ``(N,)``; -1 where none did.
        self.broken_by = torch.full_like(labels, -1)
        self.attacks: list[Attack] = []
        #: Classes that a row is proven never to be decided for ``(N, K)``, once that was tried, and why it was not.
        self.unreachable: Tensor | None = None
        self.not_provable = ""
        self.adversarial, self.improving = allowed.centre.clone(), torch.zeros_like(attacked)
        self.distance = torch.zeros(labels.shape, device=labels.device)
        self.queries, self.gradients = torch.zeros_like(labels), torch.zeros_like(labels)
        self._size = min(_SIDE_BY_SIDE, chunk_size(tuple(allowed.centre.shape[1:]), elements=_ELEMENTS))

    @property
    def left(self) -> Tensor:
        """The rows that are still worth attacking, as indices."""
        return (self.standing & ~self.proven).nonzero()[:, 0]

    def leave_out(self, unreachable: Tensor, not_provable: str) -> None:
        """Take note of the classes that no attack needs to aim at; a row without any other is proven to stand.

        Args:
            unreachable: Which classes ``(m, K)``, for each of the rows that are left.
            not_provable: Why nothing could be proven, if so.
        """
        rows, unreachable = self.left, unreachable.to(self.labels.device)
        self.unreachable = unreachable.new_zeros(len(self.labels), unreachable.shape[1]).index_put_((rows,), unreachable)
        self.proven[rows] = unreachable.scatter(1, self.labels[rows][:, None], True).all(1)
        self.not_provable = not_provable

    def run(self, attack: Attack, seed: Seed) -> None:
        """Try an attack on the rows that are left; where memory runs out, on half as many at a time."""
        self.attacks.append(attack)
        rows, start = self.left, 0
        while start < len(rows):
            part = rows[start : start + self._size]
            try:
                self._run(attack, seed, part)
            except torch.OutOfMemoryError:
                if self._size == 1:
                    raise
                self._size //= 2
                continue
            start += self._size

    def _run(self, attack: Attack, seed: Seed, rows: Tensor) -> None:
        unreachable = None if self.unreachable is None else self.unreachable[rows]
        attempt = Attempt(self._forward, self.allowed[rows], self.labels[rows], rows, self._modality, unreachable)
        attack(attempt, seed)
        fallen = rows[attempt.broken]
        self.standing[fallen] = False
        self.broken_by[fallen] = len(self.attacks) - 1
        self.adversarial[fallen] = attempt.adversarial[attempt.broken]
        self.distance[fallen] = attempt.distance[attempt.broken].to(self.distance)
        self.improving[rows] |= attempt.improving
        self.queries[rows] += attempt.queries
        self.gradients[rows] += attempt.gradients

    def confirm(self, forward: Forward) -> None:
        """Ask `forward` once more about each row that fell; one that is right after all, by rounding, stands."""
        fallen = (self.broken_by >= 0).nonzero()[:, 0]
        if len(fallen) == 0:
            return
        again = fallen[decided(forward(self.adversarial[fallen])) == self.labels[fallen]]
        self.standing[again], self.broken_by[again] = True, -1
        self.adversarial[again], self.distance[again] = self.allowed.centre[again], 0.0
