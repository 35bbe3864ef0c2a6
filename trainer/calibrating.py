"""Fits a calibration to rows that the weights were not learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, logit
from sklearn.isotonic import IsotonicRegression

from classifier.calibration import Calibration, Kind
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError
from classifier.statistics import Array

# Rows that are told apart without an error would have an infinite slope. Of logits with deviation 1.
_SLOPES = (1e-3, 1e2)


def fit_calibration(classifier: Classifier, dataset: Dataset, kind: Kind) -> Calibration:
    """The calibration under which the labels of the rows are likeliest.

    Every row counts once, so that probabilities become those of the rows' own mix of classes, whatever weights the
    classes had in training.

    Args:
        classifier: What is calibrated; any calibration that it has comes first.
        dataset: Rows that the weights were not learned from.
        kind: See `Calibration`.

    Raises:
        ConfigurationError: If it is isotonic and there are not two classes.
    """
    logits = classifier.logits(dataset.inputs).double().cpu().numpy()
    labels = dataset.labels.numpy()
    if kind == "isotonic":
        if logits.shape[1] != 2:
            raise ConfigurationError(f"isotonic calibration is for two classes, there are {logits.shape[1]}", remedy='take "temperature"')
        return Calibration(kind=kind, knots=_centred_isotonic(logits[:, 1] - logits[:, 0], labels))
    slope, bias = _likeliest(logits, labels, biased=kind == "bias_corrected")
    return Calibration(kind=kind, temperature=1 / slope, bias=tuple(bias.tolist()) if kind == "bias_corrected" else ())


def _likeliest(logits: Array, labels: Any, *, biased: bool) -> tuple[float, Array]:
    """The slope, and the bias of each class, of least log loss, which is convex in both."""
    classes = logits.shape[1]
    # The search, and the bounds of the slope, are for logits of about 1, whatever these are.
    spread = max(float((logits - logits.mean(1, keepdims=True)).std()), np.finfo(float).tiny)
    logits = logits / spread
    happened = np.eye(classes)[labels]

    def loss(values: Array) -> tuple[float, Array]:
        logged = log_softmax(values[0] * logits + values[1:], axis=1)
        excess = (np.exp(logged) - happened) / len(labels)
        gradient = np.concatenate([[(excess * logits).sum()], excess.sum(0) if biased else np.zeros(classes)])
        return float(-logged[np.arange(len(labels)), labels].mean()), gradient

    start = np.concatenate([[1.0], np.zeros(classes)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[_SLOPES, *[(None, None)] * classes]).x
    return float(found[0]) / spread, found[1:]


def _centred_isotonic(odds: Array, labels: Any) -> tuple[tuple[float, float], ...]:
    """A strictly rising broken line (Oron and Flournoy, 2017, arXiv:1701.05964).

    Isotonic regression gives steps; each becomes one corner at the mean of its rows. One row of either class is added
    at the far end, so that no probability is 0 or 1.
    """
    x, y = np.concatenate([odds, [odds.min(), odds.max()]]), np.concatenate([labels, [1, 0]])
    fitted = IsotonicRegression().fit_transform(x, y)
    levels, step = np.unique(fitted.round(12), return_inverse=True)
    centres = np.bincount(step, weights=x) / np.bincount(step)
    return tuple(zip(centres.tolist(), logit(levels).tolist(), strict=True))
