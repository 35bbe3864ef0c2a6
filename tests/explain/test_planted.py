"""Where it is known what decides, every method that applies finds it, and numbers at random do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from explain import attribute
from explain.method import METHODS
from tests.explain.planted import ROWS, Planted, planted_images, planted_table

SETS = {"table": planted_table, "images": planted_images}
# Of a perfect ranking 1, of chance 1/2. What looks at an image through coarse maps or masks blurs its squares.
LEAST = {"table": 0.9, "images": 0.8}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("method", [method for method in METHODS if METHODS[method].quantity != "control"])
def test_a_method_finds_what_decides(method: str, name: str) -> None:
    planted = SETS[name]()
    if METHODS[method]().obstacle(planted.classifier, rows=ROWS, background=1):
        return  # The laws see to it that it says why.
    explanation = attribute(planted.classifier, planted.data.inputs, method, target=planted.data.labels)
    assert planted.found_by(explanation) >= LEAST[name]


@pytest.mark.parametrize("make", SETS.values())
def test_numbers_at_random_find_nothing(make: Callable[[], Planted]) -> None:
    planted = make()
    random = np.random.default_rng(0).random((20, *planted.decides.shape))
    assert np.mean([planted.found(scores) for scores in random]) == pytest.approx(0.5, abs=0.06)
