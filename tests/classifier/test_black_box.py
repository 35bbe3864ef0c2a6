"""A function to probabilities answers no rows as it answers many, or says why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from classifier import Classifier, Schema
from classifier.errors import ModelError


@pytest.mark.parametrize(
    ("function", "classes"),
    [
        (lambda x: torch.full((len(x), 2), 0.5), "ab"),
        (lambda x: torch.full((len(x), 1), 0.3), "ab"),
        (lambda x: np.full((len(x), 10), 0.1), "abcdefghij"),
    ],
    ids=["tensor", "event", "ten"],
)
def test_no_rows_have_an_empty_answer_of_the_right_width(function: Callable[[Tensor], Any], classes: str, mixed_schema: Schema) -> None:
    classifier = Classifier.wrap(function, schema=mixed_schema, classes=tuple(classes))
    assert classifier.logits(torch.zeros(0, 8)).shape == (0, len(classes))
    assert classifier.predict(torch.zeros(0, 8)).tolist() == []


def test_a_list_of_no_answers_has_no_width_and_is_refused(mixed_schema: Schema) -> None:
    classifier = Classifier.wrap(lambda x: [[0.2, 0.8] for _ in x], schema=mixed_schema, classes=("a", "b"))
    assert classifier.logits(torch.zeros(2, 8)).shape == (2, 2)
    with pytest.raises(ModelError, match=r"must answer no rows with shape \(0, K\), got \(0,\); ask about one row at least"):
        classifier.logits(torch.zeros(0, 8))
