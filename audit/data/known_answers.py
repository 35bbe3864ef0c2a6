"""What confident learning must find where the wrong labels were planted."""

from __future__ import annotations

import numpy as np

from audit.data.label_errors import find_label_errors, noise_rate
from classifier.known_answer import KnownAnswer
from classifier.seeds import Seed

_ROWS, _CLASSES, _RESAMPLES = 300, 3, 50
# So many rows of each class (down) are labelled as another (across).
_PLANTED = np.array([[0, 12, 5], [10, 0, 20], [0, 15, 0]])
# Every row is this sure of its true class, give or take; less than the flips take off the mean of any class.
_SURE, _SPREAD = 0.9, 0.03


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
    rate = noise_rate("data.label_noise", probabilities, labels, seed.child("noise"), resamples=_RESAMPLES)
    share = float(_PLANTED.sum() / _ROWS)
    missed = float((found.suspected != (labels != truth)).sum())
    return [
        KnownAnswer("data.label_counts", "as many labels of each class are found turned as were", 0.0, off, 1e-9),
        KnownAnswer("data.label_rows", "the rows that are suspected are those that were turned", 0.0, missed, 0.0),
        KnownAnswer("data.label_noise", "the share of wrong labels is what was planted", share, rate.value or 0.0, 1e-9),
        KnownAnswer("data.labels_clean", "where no label was turned, none is suspected", 0.0, float(clean.suspected.sum()), 0.0),
    ]
