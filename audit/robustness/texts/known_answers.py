"""What attacks on texts must find where the truth is known."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audit.robustness.texts.attacking import attack_texts
from audit.robustness.texts.invariance_tests import measure_invariance
from classifier.classifier import Classifier
from classifier.known_answer import KnownAnswer
from classifier.metric import Metric
from classifier.schema import Feature, Schema
from classifier.seeds import Seed
from classifier.tokenizer import SPECIAL

_WORDS = ("dreadful", "room", "breakfast", "was", "served", "london", "paris", "berlin")


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """Classifiers that look for one word, for how often it stands there, or at nothing."""
    texts = [f"the room was dreadful number {number}" for number in range(10)] + [f"breakfast was served number {n}" for n in range(10)]
    labels = [1] * 10 + [0] * 10
    one = attack_texts(_counting("dreadful", 1), texts, labels, edits=("deletion",), budget=1, seed=seed.value)
    # Of each text, one of two is one too few to turn it; both together turn it.
    twice = [f"dreadful room dreadful breakfast {number}" for number in range(10)]
    half, both = (attack_texts(_counting("dreadful", 1), twice, [1] * 10, edits=("deletion",), budget=b, seed=seed.value) for b in (1, 2))
    deaf = attack_texts(_counting("dreadful", 0), texts, labels, budget=3, seed=seed.value)
    places = [f"the room was in {place} number {n}" for n in range(15) for place in ("london", "berlin")]
    named = measure_invariance(_counting("london", 1), places, "names", count=20, seed=seed.value)
    blind = measure_invariance(_counting("dreadful", 1), places, "names", seed=seed.value)
    return [
        KnownAnswer(
            "robustness.text_keyword",
            "leaving out the one word that decides turns every text that has it",
            0.5,
            _number(one.robust_accuracy),
            0.0,
        ),
        KnownAnswer(
            "robustness.text_one_of_two", "leaving out one of two such words turns no text", 1.0, _number(half.robust_accuracy), 0.0
        ),
        KnownAnswer("robustness.text_two_of_two", "leaving out both turns every text", 0.0, _number(both.robust_accuracy), 0.0),
        KnownAnswer(
            "robustness.text_deaf", "a classifier that looks at nothing keeps every decision", 0.5, _number(deaf.robust_accuracy), 0.0
        ),
        KnownAnswer(
            "robustness.text_names", "a classifier that looks for London hangs on names in every text", 0.0, _number(named.unchanged), 0.0
        ),
        KnownAnswer("robustness.text_no_names", "a classifier that looks for no name hangs on none", 1.0, _number(blind.unchanged), 0.0),
    ]


def _counting(word: str, weight: float) -> Classifier:
    """A classifier of the event wherever `word` occurs, the firmer the more often; with a weight of 0 of no event anywhere."""
    vocabulary = (*SPECIAL, *_WORDS)
    schema = Schema("text", (Feature("text", "text", categories=vocabulary, low=0.0, high=len(vocabulary) - 1.0),), size=(12,))

    def probabilities(x: Tensor) -> Tensor:
        event = torch.sigmoid(weight * 4.0 * (x == vocabulary.index(word)).sum(1) - 2.0)
        return torch.stack([1 - event, event], 1)

    return Classifier.wrap(probabilities, schema=schema, classes=("other", "event"))


def _number(metric: Metric) -> float:
    return math.nan if metric.value is None else metric.value
