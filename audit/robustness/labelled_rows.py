"""Labelled rows: what every question about robustness is asked of, and has to be given."""

from __future__ import annotations

from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import DataError


def require_labelled(what: str, rows: int, labels: Tensor, classifier: Classifier) -> None:
    """Refuse labels that are not one known class for each row.

    Args:
        what: What needs them, as it is told.
        rows: How many rows there are.
        labels: Their classes.
        classifier: What decides.

    Raises:
        DataError: If there are no rows, or there is not one whole label a row that is a class.
    """
    if rows == 0 or labels.shape != (rows,):
        raise DataError(f"{what} needs rows and a label for each, got {rows} rows and labels of the shape {tuple(labels.shape)}")
    most = len(classifier.classes) - 1
    if labels.is_floating_point():
        raise DataError(f"{what} needs whole labels, got {labels.dtype}")
    if labels.min() < 0 or labels.max() > most:
        raise DataError(f"labels must lie in 0 to {most}, got {int(labels.min())} to {int(labels.max())}")
