"""TRAK: influence by projected gradients of the log-odds (Park et al., 2023, arXiv:2303.14186)."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

import torch
from torch import Tensor

from classifier.errors import ConfigurationError
from classifier.progress import progress_bar
from classifier.seeds import Seed
from explain.training_data.gradients import RowGradients
from explain.training_data.loss import uncalibrated
from explain.training_data.method import INFLUENCE_METHODS, InfluenceMethod, Influences, InfluenceTask, cpu_scores
from explain.training_data.projection import Projection
from explain.training_data.solving import solve_exactly


@INFLUENCE_METHODS.register
@dataclass(frozen=True, kw_only=True)
class TRAK(InfluenceMethod):
    """Take the network for one that is linear in its weights, and reckon what each row does to that logistic regression.

    With f the log-odds of a class against the rest, phi its projected gradient by the weights and p the probability of a
    training row's label: ``phi(input) (Phi^T Phi)^-1 phi(row) (1 - p(row))``, each factor averaged over the checkpoints
    (equation 17). Several trainings of one recipe, given as `checkpoints`, make it better; their order means nothing.

    Args:
        projections: Length that gradients are projected to; by default a quarter of the training rows, at most 1,024.
            Where there are no more weights than that, nothing is projected.
        damping: What is added to the diagonal of ``Phi^T Phi``, as a share of its mean.
        layers: Names of the layers whose weights count; all where there are none.
    """

    spelling: ClassVar[str] = "TRAK"
    meaning: ClassVar[str] = "weight (no unit) for {target}"
    takes_checkpoints: ClassVar[bool] = True

    projections: int | None = None
    damping: float = 3.0
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.projections is not None and self.projections < 1:
            raise ConfigurationError(f"projections must be at least 1, got {self.projections}")
        if not 0 <= self.damping < inf:
            raise ConfigurationError(f"damping must be at least 0 and finite, got {self.damping}")

    def __call__(self, task: InfluenceTask, seed: Seed) -> Influences:
        length = self.projections or max(1, min(1024, len(task.training) // 4))
        scores, doubt = cpu_scores(task), torch.zeros(len(task.training))
        notes: tuple[str, ...] = ()
        for number, checkpoint in enumerate(task.checkpoints):
            gradients = RowGradients(uncalibrated(checkpoint), self.layers)
            projection = Projection(gradients.size, length, seed.child("projection", number), task.x.device)
            rows, p = self._rows(task, gradients, projection, f"TRAK, model {number + 1} of {len(task.checkpoints)}")
            asked = [
                projection(gradients(_margin, x, target))
                for x, target in zip(torch.split(task.x, gradients.chunk), torch.split(task.target, gradients.chunk), strict=True)
            ]
            kernel = rows.double().T @ rows.double()
            solution = solve_exactly(kernel, self.damping * float(kernel.diagonal().mean()), torch.cat(asked)).to(rows)
            scores += (solution @ rows.T).cpu() / len(task.checkpoints)
            doubt += (1 - p).cpu() / len(task.checkpoints)
            notes = (*notes, *(note for note in gradients.notes if note not in notes))
        return Influences(scores * doubt, notes)

    def _rows(self, task: InfluenceTask, gradients: RowGradients, projection: Projection, title: str) -> tuple[Tensor, Tensor]:
        """The projected gradient of each training row ``(M, k)``, and the probability of its label ``(M,)``."""
        found, chances = [], []
        with progress_bar(title, -(-len(task.training) // gradients.chunk), shown=task.progress) as advance:
            for rows, x, labels in task.batches(size=gradients.chunk):
                found.append(projection(gradients(_margin, x, labels)))
                chances.append(gradients.classifier.probabilities(x).gather(1, labels[:, None])[:, 0])
                advance(f"training row {rows.stop}")
        return torch.cat(found), torch.cat(chances)


def _margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Log-odds of a class against all others together ``(n,)``."""
    chosen = torch.arange(logits.shape[1], device=logits.device) == labels[:, None]
    others = logits.masked_fill(chosen, -inf)
    return logits.gather(1, labels[:, None])[:, 0] - others.logsumexp(1)
