"""Every test of the vault has a configuration folder of its own, so that none sees or makes the user's keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from audit.vault import Identity, SigningKey, generate_identity, generate_signing_key
from classifier import Classifier, Dataset
from classifier.architectures.mlp import MLP
from classifier.seeds import Seed

CARD = {"training": {"data": {"train": "ab" * 32}, "recipe": {"architecture": "mlp", "learning_rate": 1e-3, "seed": 7}}}


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration folder, where no pipeline runs."""
    folder = tmp_path / "configuration"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    monkeypatch.delenv("CI", raising=False)
    return folder


@pytest.fixture(params=[500, pytest.param(10_000, marks=pytest.mark.slow)])
def fuzz(request: pytest.FixtureRequest) -> settings:
    """How many hostile inputs a parser is given."""
    return settings(max_examples=request.param, deadline=None)


@pytest.fixture(scope="session")
def identity() -> Identity:
    """The identity that files are sealed to."""
    return generate_identity()


@pytest.fixture(scope="session")
def trainer() -> SigningKey:
    """Who signs models."""
    return generate_signing_key()


@pytest.fixture(scope="session")
def make_classifier() -> Callable[[int], Classifier]:
    """Make a classifier with weights of its own for each seed, whose card tells by which data and recipe it was trained."""

    def make(seed: int) -> Classifier:
        architecture, schema = MLP(hidden=(16,)), Dataset.builtin("moons").schema
        module = architecture.build(schema, 2)
        generator = Seed(seed).torch()
        for parameter in module.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
        return Classifier.wrap(module, schema=schema, classes=("lower", "upper"), factory=architecture, card=CARD)

    return make
