"""Subjects that the tests of the audit share: small, quickly trained, never changed."""

from __future__ import annotations

import pytest

from audit import Subject
from classifier import Dataset
from trainer import Recipe, train

QUICK = {
    "explanation.attribution": {"limit": 20, "background": 5, "samples": 128},
    "robustness.attack": {"limit": 40, "steps": 5, "restarts": 1, "eps": (0.05, 0.1)},
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
