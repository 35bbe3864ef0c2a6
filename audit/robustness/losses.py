"""What an attack climbs: each loss is larger the nearer a row is to a wrong decision, one value a row."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy as _cross_entropy

#: From logits ``(n, K)``, labels ``(n,)`` and the classes aimed at ``(n,)`` to a value a row ``(n,)``.
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, labels: Tensor, aims: Tensor) -> Tensor:
    """The surprise at the label; it stops growing, and its gradient vanishes, where the classifier is very sure."""
    return _cross_entropy(logits, labels, reduction="none")


def margin(logits: Tensor, labels: Tensor, aims: Tensor) -> Tensor:
    """How far the best other class is above the label; above 0 the decision is wrong (Carlini and Wagner, 2017)."""
    return _others(logits, labels).amax(1) - _at(logits, labels)


def targeted_margin(logits: Tensor, labels: Tensor, aims: Tensor) -> Tensor:
    """How far the class aimed at is above the label."""
    return _at(logits, aims) - _at(logits, labels)


def dlr(logits: Tensor, labels: Tensor, aims: Tensor) -> Tensor:
    """The margin over the distance of the largest from the third largest logit, so that their scale cancels.

    Needs three classes (Croce and Hein, 2020, arXiv:2003.01690, eq. 6).
    """
    top = logits.topk(3, dim=1).values
    return margin(logits, labels, aims) / (top[:, 0] - top[:, 2] + 1e-12)


def targeted_dlr(logits: Tensor, labels: Tensor, aims: Tensor) -> Tensor:
    """The same towards the class aimed at. Needs four classes (Croce and Hein, 2020, eq. 7)."""
    top = logits.topk(4, dim=1).values
    return targeted_margin(logits, labels, aims) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)


def scale_free(classes: int) -> tuple[Loss, Loss]:
    """The loss whose gradient does not vanish, without an aim and with one, for so many classes."""
    return (dlr if classes >= 3 else margin), (targeted_dlr if classes >= 4 else targeted_margin)


def _at(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None])[:, 0]


def _others(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.scatter(1, labels[:, None], -torch.inf)
