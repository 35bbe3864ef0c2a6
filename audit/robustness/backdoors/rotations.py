"""Classifiers in which no class is what a trigger was planted for: the audited one's logits, turned at random.

A trigger drives the logits along the axis of its class. Turned by a random rotation, the axes of the new classes lie
along no old one, while the network and its rows stay what they are: how much the smallest trigger stands out there is
what stands out by chance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from classifier.seeds import Seed


def random_rotations(classes: int, count: int, seed: Seed) -> Tensor:
    """Rotations and reflections of centred logits, uniform over all ``(count, K, K)``.

    Each maps what all logits have in common to nothing, as the softmax does.

    Args:
        classes: How many logits there are.
        count: How many to draw.
        seed: Where they come from.
    """
    drawn = torch.randn(count, classes - 1, classes - 1, generator=seed.torch(), dtype=torch.float64)
    turned, upper = torch.linalg.qr(drawn)
    # With the signs of the diagonal the distribution is uniform (Mezzadri, 2007).
    turned = turned * torch.sign(torch.diagonal(upper, dim1=1, dim2=2))[:, None]
    basis = torch.linalg.qr(torch.cat([torch.ones(classes, 1), torch.eye(classes)[:, :-1]], dim=1).double())[0][:, 1:]
    return (basis @ turned @ basis.T).float()
