"""What confident learning must find where the wrong labels were planted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.data.label_errors import disagreement, find_label_errors
from audit.data.label_noise import noise_rate
from classifier.known_answer import KnownAnswer
from classifier.seeds import Seed
from classifier.statistics import Array

_ROWS, _CLASSES = 300, 3
# So many rows of each class (down) are labelled as another (across).
_PLANTED = np.array([[0, 12, 5], [10, 0, 20], [0, 15, 0]])
# Every row is this sure of its true class, give or take; less than the flips take off the mean of any class.
_SURE, _SPREAD = 0.9, 0.03
# Of labels drawn from overlapping classes, the share that was turned.
_TURNED, _DRAWN = 0.15, 1500


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """A classifier that is sure of every true class, on labels of which known numbers were turned, and on none turned.

    Each row reaches the threshold of its true class alone, so that the joint is the planted counts themselves.
    """
    generator = seed.child("labels").numpy()
    truth = np.arange(_ROWS) % _CLASSES
    sure = _SURE + generator.uniform(-_SPREAD, _SPREAD, _ROWS)
    probabilities = np.repeat((1 - sure)[:, None] / (_CLASSES - 1), _CLASSES, axis=1)
    probabilities[np.arange(_ROWS), truth] = sure
    labels = truth.copy()
    for true, counts in enumerate(_PLANTED):
        turned = generator.permutation(np.flatnonzero(truth == true))[: counts.sum()]
        labels[turned] = np.repeat(np.arange(_CLASSES), counts)
    found, clean = (find_label_errors(probabilities, given) for given in (labels, truth))
    off = float(np.abs(found.joint.T - np.diag(np.diag(found.joint)) - _PLANTED).max())
    hard, drawn, turned = _overlapping(seed.child("overlapping"))
    told = [noise_rate("data.label_noise", hard, given) for given in (drawn, turned)]
    share = float(_PLANTED.sum() / _ROWS)
    missed = float((found.suspected != (labels != truth)).sum())
    return [
        KnownAnswer("data.label_counts", "as many labels of each class are found turned as were", 0.0, off, 1e-9),
        KnownAnswer("data.label_rows", "the rows that are suspected are those that were turned", 0.0, missed, 0.0),
        KnownAnswer(
            "data.label_disagreement", "the share of labels that disagree is what was planted",
            share, disagreement(probabilities, labels), 1e-9,
        ),
        KnownAnswer(
            "data.label_noise", "of classes that overlap, the share of wrong labels is what was planted",
            _TURNED, told[1].value or 0.0, 0.06,
        ),
        KnownAnswer(
            "data.label_hardness", "of classes that overlap, at most one label in forty is called wrong where none was turned",
            0.0, told[0].low or 0.0, 0.025,
        ),
        KnownAnswer("data.labels_clean", "where no label was turned, none is suspected", 0.0, float(clean.suspected.sum()), 0.0),
    ]  # fmt: skip


def _overlapping(seed: Seed) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """The true probabilities of two classes that overlap, labels drawn from them, and the same with some turned."""
    generator = seed.numpy()
    event = 1 / (1 + np.exp(-4 * generator.standard_normal(_DRAWN)))
    drawn = (generator.random(_DRAWN) < event).astype(np.int64)
    turned = generator.permutation(_DRAWN) < round(_TURNED * _DRAWN)
    return np.stack([1 - event, event], 1), drawn, np.where(turned, 1 - drawn, drawn)
