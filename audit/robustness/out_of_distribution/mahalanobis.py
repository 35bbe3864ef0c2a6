"""Distance to the nearest class in the metric of a shared covariance (Lee et al., 2018, arXiv:1807.03888)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor

from classifier.chunks import in_chunks
from classifier.errors import DataError

# Directions in which the features vary by less than rounding are told apart by rounding alone.
_FLAT = 1e-10


@dataclass(frozen=True)
class Mahalanobis:
    """Class means and one shared covariance, shrunk as Ledoit and Wolf (2004) do, so that few rows suffice.

    Args:
        means: Mean of each class in whitened features ``(C, R)``; classes without rows have none.
        whitening: From features to coordinates of variance 1 ``(D, R)``.
        shrinkage: How far the covariance was drawn to a multiple of the identity, from 0 to 1.
    """

    means: Tensor
    whitening: Tensor
    shrinkage: float

    @classmethod
    def fit(cls, features: Tensor, labels: Tensor) -> Mahalanobis:
        """Estimate from rows that the classifier learned from.

        Args:
            features: One vector a row ``(N, D)``.
            labels: Their classes ``(N,)``.

        Raises:
            DataError: If the features do not vary within the classes, or are not finite.
        """
        values = features.detach().cpu().double()
        classes, places = np.unique(labels.cpu().numpy(), return_inverse=True)
        index = torch.from_numpy(places)
        if not values.isfinite().all():
            raise DataError("the features hold values that are not finite", remedy="check the classifier's weights and its inputs")
        counts = torch.bincount(index, minlength=len(classes)).double()
        means = torch.zeros(len(classes), values.shape[1], dtype=torch.float64).index_add_(0, index, values) / counts[:, None]
        estimate = LedoitWolf(assume_centered=True, store_precision=False).fit((values - means[index]).numpy())
        variances, directions = np.linalg.eigh(estimate.covariance_)
        kept = variances > _FLAT * max(float(variances[-1]), np.finfo(np.float64).tiny)
        if variances[-1] <= np.finfo(np.float64).tiny or not kept.any():
            raise DataError("the features of the rows of a class are all the same, so that no distance from it has a unit")
        whitening = torch.from_numpy(directions[:, kept] / np.sqrt(variances[kept]))
        return cls(means @ whitening, whitening, float(estimate.shrinkage_))

    def distance(self, features: Tensor) -> Tensor:
        """Squared distance of each row to the nearest class ``(N,)``.

        Args:
            features: One vector a row ``(N, D)``.
        """
        return in_chunks(self._nearest, features.detach().cpu())

    def _nearest(self, features: Tensor) -> Tensor:
        apart = features.double() @ self.whitening
        # By differences, not by products: rounding must not make a near row of a far class nearer than it is.
        return torch.stack([(apart - mean).square().sum(1) for mean in self.means]).amin(0)
