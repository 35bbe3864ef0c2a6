"""Every test of the vault has a configuration folder of its own, so that none sees or makes the user's keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from audit.vault import Identity, generate_identity


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
