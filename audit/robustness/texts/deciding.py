"""What is decided of texts, and by how much: the attack turns the decision, not the larger probability."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError


@dataclass(frozen=True)
class Decider:
    """A classifier with the threshold that its decisions are made at.

    Args:
        classifier: What is asked; only its probabilities are used.
        threshold: Of two classes, the least probability of the event at which it is presumed.
    """

    classifier: Classifier
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ConfigurationError(f"threshold must lie between 0 and 1, got {self.threshold}")

    def scores(self, x: Tensor) -> Tensor:
        """Logits ``(N, K)``, in double precision, shifted so that the largest is what is decided.

        Raises:
            DataError: If the classifier's answer is not finite.
        """
        z = self.classifier.logits(x).double().cpu()
        if not z.isfinite().all():
            raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
        if z.shape[1] == 2:
            z[:, 1] += math.log((1 - self.threshold) / self.threshold)
        return z

    def presumed(self, scores: Tensor) -> Tensor:
        """The class decided ``(N,)``; of two that are level it is the event, as its probability is then at the threshold."""
        return (scores[:, 1] >= scores[:, 0]).long() if scores.shape[1] == 2 else scores.argmax(1)

    def margin(self, scores: Tensor, labels: Tensor) -> Tensor:
        """By how much the class of `labels` outscores the best other one ``(N,)``."""
        own = scores.gather(1, labels[:, None])[:, 0]
        return own - scores.scatter(1, labels[:, None], -torch.inf).amax(1)
