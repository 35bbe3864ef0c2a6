"""What is asked over all data is asked of rows that the classifier can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import DataError
from explain import dependence, importance, interaction_strength, prototypes, surrogate


@pytest.mark.parametrize(
    "ask", [importance, interaction_strength, prototypes, surrogate, lambda classifier, data: dependence(classifier, data, "rate")]
)
def test_a_missing_value_is_refused_by_its_row(mixed: tuple[Classifier, Dataset], ask: Callable[..., object]) -> None:
    classifier, data = mixed[0], mixed[1][:60]
    inputs = data.inputs.clone()
    inputs[[7, 9], 0] = float("nan")
    with pytest.raises(DataError, match="2 of 60 rows are not, first row 7; fill or drop"):
        ask(classifier, replace(data, inputs=inputs))
