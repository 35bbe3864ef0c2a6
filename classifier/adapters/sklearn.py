"""A fitted scikit-learn estimator or pipeline, as a classifier. It comes from a factory or from skops, never from a pickle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from classifier.adapters._answers import class_order
from classifier.adapters._labels import label_text
from classifier.adapters._seen import unseen_values
from classifier.adapters.function import from_function
from classifier.classifier import Classifier
from classifier.errors import ModelError
from classifier.schema import Schema
from classifier.trees import trees_of


def from_sklearn(factory: Callable[[], Any], *, schema: Schema, classes: tuple[str, ...], output_classes: Sequence[str] = ()) -> Classifier:
    """Make a classifier of what `factory` returns.

    Args:
        factory: Returns a fitted estimator with `predict_proba` that takes a table in natural units.
        schema: What the table's columns mean.
        classes: Name of each class, in the order that the classifier is to have; they must be the
            estimator's own `classes_`.
        output_classes: What the data call each of `classes_`, where they have other names there.

    Raises:
        ModelError: If the estimator has no probabilities, is not fitted, knows other classes, or encodes a column none
            of whose values it has seen.
    """
    estimator = factory()
    if not hasattr(estimator, "predict_proba"):
        raise ModelError(f"{type(estimator).__name__} gives no probabilities", remedy="wrap it in CalibratedClassifierCV")
    if not hasattr(estimator, "classes_"):
        raise ModelError(f"{type(estimator).__name__} is not fitted", remedy="fit it inside the factory")
    own = tuple(output_classes) or tuple(map(label_text, estimator.classes_))
    order = class_order(own, classes, what="the estimator")

    def probabilities(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
        answer: np.ndarray[Any, Any] = np.asarray(estimator.predict_proba(frame))[:, order]
        return answer

    probabilities.__qualname__ = type(estimator).__qualname__
    probabilities.__module__ = type(estimator).__module__
    card = {"output_order": own, "names_classes": True, "assumptions": unseen_values(estimator, schema)}
    return from_function(probabilities, schema=schema, classes=classes, card=card, trees=trees_of(estimator, schema, order))


def from_skops(
    path: str | Path, *, schema: Schema, classes: tuple[str, ...], trusted: Sequence[str] = (), output_classes: Sequence[str] = ()
) -> Classifier:
    """Make a classifier of a file that ``skops.io.dump`` wrote. Types that skops does not know to be harmless are refused.

    Args:
        path: The ``.skops`` file.
        schema: What the table's columns mean.
        classes: Name of each class; of two, the second is the event.
        trusted: Types of the file, beyond those that skops trusts, that may be made all the same.
        output_classes: What the data call each of the estimator's classes, where they have other names there.

    Raises:
        ModelError: If the file cannot be read, or holds a type that is not trusted; the message names them all.
    """
    try:
        from skops import io
    except ImportError as error:
        raise ModelError("reading skops files needs skops", remedy="pip install 'assay[skops]'") from error
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"there is no file {path}", remedy="paths start at the folder of audit.toml")
    try:
        unknown = [name for name in io.get_untrusted_types(file=path) if name not in trusted]
    except Exception as error:  # whatever a file that is none makes skops raise
        raise ModelError(f"{path.name} is no skops file: {error}", remedy="write it with skops.io.dump; pickles are not read") from error
    if unknown:
        listed = ", ".join(f'"{name}"' for name in unknown)
        raise ModelError(
            f"{path.name} holds types that are not known to be harmless: {listed}",
            remedy=f"if you know where it comes from, state [model] trusted = [{listed}]",
        )
    try:
        estimator = io.load(path, trusted=list(trusted))
    except Exception as error:  # as above: an array that is a pickle is a ValueError, a type of another release anything
        raise ModelError(
            f"{path.name} cannot be loaded: {error}", remedy="write it with skops.io.dump and the releases that are installed here"
        ) from error
    return from_sklearn(lambda: estimator, schema=schema, classes=classes, output_classes=output_classes)
