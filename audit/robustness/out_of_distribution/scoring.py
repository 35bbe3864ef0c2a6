"""Scores of how known a row is: maximum softmax (Hendrycks and Gimpel, 2017), energy (Liu et al., 2020), Mahalanobis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from audit.robustness.out_of_distribution.features import Features
from audit.robustness.out_of_distribution.mahalanobis import Mahalanobis
from classifier.classifier import Classifier
from classifier.errors import DataError, ModelError

#: The scores, each higher for a row like those that were learned from.
SCORES = ("softmax", "energy", "mahalanobis")

# Logits that are logarithms of probabilities have energy 0 but for rounding, and for what was clipped.
_NORMALISED = 1e-3


@dataclass(frozen=True)
class Scoring:
    """The scores of a classifier.

    Args:
        classifier: Whose answers they are made from.
        features: What the distance is taken in.
        mahalanobis: The classes in these features; ``None`` where the distance cannot be had.
        refused: Why a score cannot be had, by its name.
    """

    classifier: Classifier
    features: Features
    mahalanobis: Mahalanobis | None
    refused: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, classifier: Classifier, learned: tuple[Tensor, Tensor] | None, known: Tensor) -> Scoring:
        """What can be scored.

        Args:
            classifier: What is audited.
            learned: Rows that it learned from ``(M, *S)`` and their classes ``(M,)``; ``None`` where they are not known.
            known: Rows of the same kind, to see whether the energy says anything ``(N, *S)``.

        Raises:
            ModelError: If the classifier answers with values that are not finite.
        """
        refused: dict[str, str] = {}
        energy = _logits(classifier, known).logsumexp(1)
        if energy.abs().amax() < _NORMALISED:
            refused["energy"] = "the logits are logarithms of probabilities, whose energy is 0 for every row"
        features, mahalanobis = Features.of(classifier, known), None
        if learned is None:
            refused["mahalanobis"] = "the training data are not known"
        else:
            try:
                mahalanobis = Mahalanobis.fit(features(learned[0]), learned[1])
            except DataError as error:
                refused["mahalanobis"] = str(error)
        return cls(classifier, features, mahalanobis, refused)

    def scores(self, x: Tensor) -> dict[str, Tensor]:
        """The scores of inputs ``(N, *S)``, each ``(N,)``; without those that are refused.

        ``"softmax"`` is the probability of the likeliest class, ``"energy"`` the logarithm of the sum of the exponentiated
        logits (the energy of Liu et al. with its sign turned), ``"mahalanobis"`` the squared distance, negative.
        """
        logits = _logits(self.classifier, x)
        found = {"softmax": logits.softmax(1).amax(1), "energy": logits.logsumexp(1)}
        if self.mahalanobis is not None:
            found["mahalanobis"] = -self.mahalanobis.distance(self.features(x))
        return {name: values for name, values in found.items() if name not in self.refused}


def _logits(classifier: Classifier, x: Tensor) -> Tensor:
    logits = classifier.logits(x).cpu().double()
    if not torch.isfinite(logits).all():
        raise ModelError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
    return logits
