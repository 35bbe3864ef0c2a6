"""A classifier with its classes in another order, as where the event is its first output and not its second."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from classifier.adapters._answers import class_order, two_sided
from classifier.calibration import Calibration
from classifier.classifier import Classifier


def reordered(classifier: Classifier, classes: Sequence[str]) -> Classifier:
    """The same classifier with its classes in the order of `classes`; its description, and so its digest, is another.

    Args:
        classifier: Any classifier.
        classes: Its own classes, in the order that they are to have; of two, the second is the event.

    Raises:
        ModelError: If they are other classes.
    """
    if tuple(classes) == classifier.classes:
        return classifier
    order = class_order(classifier.classes, classes, what="the classifier")
    card = {**classifier.card, "output_order": classifier.classes, "names_classes": True}
    if classifier.module is not None:
        module = _Reordered(classifier.module, classifier.description.calibration, order)
        return Classifier.wrap(module, schema=classifier.schema, classes=list(classes), card=card)

    def probabilities(x: Tensor) -> Tensor:
        return classifier.probabilities(x)[:, order]

    # What a black box is known by, in its digest.
    probabilities.__module__, probabilities.__qualname__ = "reordered", classifier.digest
    return Classifier.wrap(probabilities, schema=classifier.schema, classes=list(classes), card=card)


class _Reordered(nn.Module):
    """Logits of a network in another order. Its calibration comes first: it may treat each class otherwise."""

    def __init__(self, network: nn.Module, calibration: Calibration | None, order: Sequence[int]) -> None:
        super().__init__()
        self.network, self.calibration = network, calibration
        self.order: Tensor
        self.register_buffer("order", torch.tensor(order))

    def forward(self, x: Tensor) -> Tensor:
        logits = two_sided(self.network(x), probabilities=False)
        return (logits if self.calibration is None else self.calibration(logits))[:, self.order]
