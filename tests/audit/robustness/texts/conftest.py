"""Classifiers of texts whose weakness is known, that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd
import pytest
import torch
from torch import Tensor

from audit import Subject
from classifier import Classifier, Dataset, Feature, Schema
from classifier.tokenizer import SPECIAL

Bag = Callable[..., Classifier]


@pytest.fixture(scope="session")
def bag() -> Bag:
    """Makes a classifier whose logit of the event is a sum of weights of words and a bias.

    The last class is the event; the classes between them share what is left of the first. Words without a weight of
    their own are in the vocabulary as well, with none.
    """

    def make(
        weights: Mapping[str, float],
        *,
        others: str = "",
        classes: int = 2,
        size: int = 24,
        bias: float = -0.5,
        asked: list[int] | None = None,
    ) -> Classifier:
        vocabulary = tuple(dict.fromkeys((*SPECIAL, *weights, *others.split())))
        schema = Schema("text", (Feature("text", "text", categories=vocabulary, low=0.0, high=len(vocabulary) - 1.0),), size=(size,))
        values = torch.tensor([weights.get(token, 0.0) for token in vocabulary])

        def probabilities(x: Tensor) -> Tensor:
            if asked is not None:
                asked.append(len(x))
            event = torch.sigmoid(values[x].sum(1) + bias)
            rest = ((1 - event) / (classes - 1))[:, None] * (torch.linspace(1.1, 0.9, classes - 1) if classes > 2 else torch.ones(1))
            return torch.cat([rest, event[:, None]], 1)

        return Classifier.wrap(probabilities, schema=schema, classes=[f"class {k}" for k in range(classes)])

    return make


@pytest.fixture(scope="session")
def subject_of() -> Callable[[Classifier, list[str], list[int]], Subject]:
    """Makes a subject of a classifier and texts with their classes."""

    def make(classifier: Classifier, texts: list[str], labels: list[int]) -> Subject:
        frame = pd.DataFrame({"text": texts, "y": [classifier.classes[label] for label in labels]})
        test = Dataset.from_frame(frame, target="y", modality="text", schema=classifier.schema, classes=classifier.classes)
        return Subject(test, classifier=classifier)

    return make
