"""The loss that a classifier was trained by, as its record states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from classifier.classifier import Classifier


@dataclass(frozen=True, eq=False)
class TrainingLoss:
    """Weighted cross-entropy of a row.

    Args:
        weights: Weight of each class ``(K,)``.
        label_smoothing: Share of each label that is spread evenly over all classes.
        l2: Weight of half the squared length of the parameters, beside the mean loss of the rows.
        learning_rate: Step size at the kept weights; ``None`` where nothing tells it.
        rows: Digest of the training rows; empty where nothing tells it.
    """

    weights: Tensor
    label_smoothing: float = 0.0
    l2: float = 0.0
    learning_rate: float | None = None
    rows: str = ""

    @classmethod
    def of(cls, classifier: Classifier) -> TrainingLoss:
        """What the training record on the classifier's card states; plain cross-entropy where there is none."""
        record: Mapping[str, Any] = classifier.card.get("training", {})
        recipe: Mapping[str, Any] = record.get("recipe", {})
        stated = record.get("class_weights")
        rates, epoch = record.get("learning_rate", ()), record.get("best_epoch", 0)
        return cls(
            weights=(torch.ones(len(classifier.classes)) if stated is None else torch.tensor(stated)).to(classifier.device),
            label_smoothing=float(recipe.get("label_smoothing", 0.0)),
            # AdamW draws weights to 0 apart from the gradient, which is no term of the loss.
            l2=float(recipe.get("weight_decay", 0.0)) if recipe.get("optimizer") in ("sgd", "adam") else 0.0,
            learning_rate=float(rates[epoch - 1]) if 1 <= epoch <= len(rates) else None,
            rows=str(record.get("data", {}).get("train", "")),
        )

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row ``(n,)``, times its class's weight, of logits ``(n, K)`` and labels ``(n,)``."""
        return cross_entropy(logits, labels, self.weights, reduction="none", label_smoothing=self.label_smoothing)

    def size(self, labels: Tensor) -> float:
        """What the summed loss of rows with these labels is divided by: the sum of their weights."""
        return float(self.weights.to(labels.device)[labels].double().sum())


def uncalibrated(classifier: Classifier) -> Classifier:
    """The classifier with its network's own logits, which are what was trained."""
    if classifier.module is None or classifier.description.calibration is None:
        return classifier
    return Classifier(classifier.module, replace(classifier.description, calibration=None))
