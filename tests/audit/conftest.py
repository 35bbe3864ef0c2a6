"""Subjects that the tests of the audit share: small, quickly trained, never changed."""

from __future__ import annotations

import pytest

from audit import Subject
from classifier import Dataset
from trainer import Recipe, train

QUICK = {
    "explanation.attribution": {"limit": 20, "background": 5, "samples": 128},
    "robustness.attack": {"limit": 40, "suite": "quick", "eps": (0.05, 0.1)},
    "robustness.distance": {"limit": 40, "steps": 5, "targets": 1, "queries": 50},
    "robustness.transfer": {"limit": 40, "steps": 4, "queries": (20,)},
    "robustness.backdoor": {"rows": 10, "steps": 20, "rotations": 2},
    "robustness.out_of_distribution": {"resamples": 100},
    "data.label_errors": {"resamples": 50},
    "robustness.text_edits": {"limit": 8, "queries": 20, "tries": 1},
    "robustness.invariance": {"count": 2},
    "robustness.bounds": {"limit": 20, "exact": 5, "eps": (0.05, 0.1), "nodes": 100},
    "robustness.smoothing": {"limit": 10, "n": 300, "n0": 30},
    "robustness.corruptions": {"limit": 40, "severities": (1, 5), "resamples": 100},
    "robustness.feature_costs": {"limit": 20, "values": 8},
    "performance.learning": {"permutations": 500},
    "fairness.groups": {"resamples": 200},
    "performance.accuracy": {"resamples": 200},
}


@pytest.fixture(scope="session")
def credit_subject(german_credit: Dataset) -> Subject:
    """German credit and a small network, with everything that a check could need."""
    splits = german_credit.split(seed=0)
    recipe = Recipe("mlp", hidden=(8,), epochs=8, learning_rate=0.01)
    return Subject(
        splits.test,
        classifier=train(splits, recipe, progress=False),
        training=splits.train,
        validation=splits.validation,
        recipe=recipe,
        independence=splits.independence,
    )


@pytest.fixture
def quick() -> dict[str, dict[str, object]]:
    """Options that make every check quick."""
    return {check: dict(options) for check, options in QUICK.items()}
