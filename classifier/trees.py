"""Trees: the ensemble that a black box calls, kept for methods that read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from classifier.schema import Schema

_LIBRARIES = ("sklearn.ensemble.", "sklearn.tree.", "xgboost.", "lightgbm.")


@dataclass(frozen=True)
class Trees:
    """A fitted ensemble of trees, and how inputs come to it.

    Args:
        model: The ensemble, of scikit-learn, XGBoost or LightGBM.
        columns: Turns encoded inputs ``(N, *S)`` into the columns that the trees compare with their thresholds ``(N, M)``.
        owners: The feature that each column is of ``(M,)``.
        order: The number of each of the classifier's classes among the model's own ``(K,)``.
    """

    model: Any
    columns: Callable[[Tensor], NDArray[np.float64]]
    owners: tuple[str, ...]
    order: tuple[int, ...]


def trees_of(estimator: Any, schema: Schema, order: Sequence[int]) -> Trees | None:
    """The trees of a fitted estimator that takes a table in natural units; nothing where it is none, or something comes before them."""
    if not f"{type(estimator).__module__}.".startswith(_LIBRARIES) or any(feature.categories for feature in schema.features):
        return None
    names = tuple(map(str, getattr(estimator, "feature_names_in_", schema.names)))

    def columns(x: Tensor) -> NDArray[np.float64]:
        return schema.decode(x)[list(names)].to_numpy(dtype=np.float64)

    return Trees(estimator, columns, names, tuple(order)) if set(names) <= set(schema.names) else None
