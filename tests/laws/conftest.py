"""What the laws share: audits that ask one engine what it knows, and copies of classifiers that are trained quickly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from trainer import imitation


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """What all engines know, and how well a copy learns, have tests of their own, which may come next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("audit.selftest.ENGINES", ("audit.privacy",))
        patch.setattr(imitation, "_RECIPES", {name: replace(recipe, epochs=3) for name, recipe in imitation._RECIPES.items()})
        yield
