"""A fitted scikit-learn estimator or pipeline, as a classifier. It comes from a factory, never from a pickle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from classifier.adapters.function import from_function
from classifier.classifier import Classifier
from classifier.errors import ModelError
from classifier.schema import Schema


def from_sklearn(factory: Callable[[], Any], *, schema: Schema, classes: tuple[str, ...]) -> Classifier:
    """Make a classifier of what `factory` returns.

    Args:
        factory: Returns a fitted estimator with `predict_proba` that takes a table in natural units.
        schema: What the table's columns mean.
        classes: Name of each class, in the order that the classifier is to have; they must be the
            estimator's own `classes_`.

    Raises:
        ModelError: If the estimator has no probabilities, is not fitted, or knows other classes.
    """
    estimator = factory()
    if not hasattr(estimator, "predict_proba"):
        raise ModelError(f"{type(estimator).__name__} gives no probabilities", remedy="wrap it in CalibratedClassifierCV")
    if not hasattr(estimator, "classes_"):
        raise ModelError(f"{type(estimator).__name__} is not fitted", remedy="fit it inside the factory")
    own = [str(name) for name in estimator.classes_]
    if sorted(own) != sorted(classes):
        raise ModelError(f"the estimator knows the classes {', '.join(own)}, the data have {', '.join(classes)}")
    order = [own.index(name) for name in classes]

    def probabilities(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
        answer: np.ndarray[Any, Any] = np.asarray(estimator.predict_proba(frame))[:, order]
        return answer

    probabilities.__qualname__ = type(estimator).__qualname__
    probabilities.__module__ = type(estimator).__module__
    return from_function(probabilities, schema=schema, classes=classes)
