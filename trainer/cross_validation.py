"""Cross-validation: how accurate classifiers of a recipe are on rows they never saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from classifier.dataset import Dataset
from classifier.errors import ConfigurationError
from classifier.metric import Metric
from classifier.statistics import proportion, wilson
from trainer.cross_fitting import cross_predict
from trainer.recipe import Recipe


@dataclass(frozen=True)
class CrossValidation:
    """Accuracy over folds.

    Args:
        folds: Accuracy on each fold, of a classifier trained on the others.
        accuracy: Their mean. It describes the recipe on so many rows, not one set of weights.
    """

    folds: tuple[Metric, ...]
    accuracy: Metric


def cross_validate(dataset: Dataset, recipe: Recipe, *, folds: int = 5, seed: int = 0, group: str | None = None) -> CrossValidation:
    """Train on all folds but one, and measure on that one, for each.

    The folds are not independent: any two of the classifiers learned from mostly the same rows, so that their
    accuracies vary together and no estimate of the mean's variance is unbiased (Bengio and Grandvalet, 2004). The
    interval is Student's with the variance enlarged for that (Nadeau and Bengio, 2003, equation 9), and never narrower
    than Wilson's over all rows.

    Args:
        dataset: All rows.
        recipe: How each classifier is trained; each takes its own seed from it.
        folds: How many folds, at least 2.
        seed: Decides the folds.
        group: A column whose rows never straddle two folds.

    Raises:
        ConfigurationError: If there are fewer than 2 folds, or a fold is empty.
    """
    if folds < 2:
        raise ConfigurationError(f"folds must be at least 2, got {folds}")
    fold = dataset.folds(folds, seed=seed, group=group)
    if len(np.unique(fold)) < folds:
        raise ConfigurationError(f"{len(dataset)} rows do not fill {folds} folds", remedy="take fewer folds")
    right = (cross_predict(dataset, recipe, count=folds, seed=seed, group=group).argmax(1) == dataset.labels).numpy()
    each = tuple(proportion("accuracy", right[fold == index]).measured_on(fold=index) for index in range(folds))
    values = np.array([right[fold == index].mean() for index in range(folds)])
    # Each test part is 1 / (folds - 1) of what was trained on.
    half = stats.t.ppf(0.975, folds - 1) * np.sqrt(values.var(ddof=1) * (1 / folds + 1 / (folds - 1)))
    low, high = wilson(int(right.sum()), len(right))
    mean = float(values.mean())
    low, high = min(low, max(0.0, mean - half)), max(high, min(1.0, mean + half))
    return CrossValidation(each, Metric("accuracy", mean, float(low), float(high), len(right), interval="corrected t"))
