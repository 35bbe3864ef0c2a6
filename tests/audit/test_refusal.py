"""What `assay check` says of a check is what becomes of it, told at next to no cost; and how long an audit takes is never negative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from audit import Subject
from audit.check import Check, check_ids, check_type, make_check
from audit.preview import _seconds_of_training
from audit.refusal import refusal_of
from classifier import Classifier, Dataset
from classifier.errors import AssayError
from classifier.seeds import Seed

TEXTS = {"robustness.invariance", "robustness.text_edits"}
BLACK = {"robustness.backdoor", "robustness.bounds"}
# What a check refuses before it has done anything; all others ask the classifier.
REFUSED = {
    "table": TEXTS,
    "black table": TEXTS | BLACK,
    "images": TEXTS | {"robustness.feature_costs"},
    "texts": {f"robustness.{name}" for name in ("attack", "backdoor", "bounds", "distance", "feature_costs", "smoothing")},
}


class Black:
    """Probabilities by the mean of an input; it counts what it is asked."""

    asked = 0

    def __call__(self, x: Tensor) -> Tensor:
        Black.asked += len(x)
        event = x.float().flatten(1).mean(1).sigmoid()
        return torch.stack([1 - event, event], dim=1)


def subject(kind: str) -> Subject:
    generator, labels = np.random.default_rng(0), np.arange(60) % 2
    frame = pd.DataFrame({"a": generator.normal(size=60), "b": generator.normal(size=60)})
    modality = "tabular"
    if kind == "images":
        frame, modality = pd.DataFrame({"case": pd.Series(list(generator.integers(0, 255, (60, 6, 6)).astype(np.uint8)))}), "image"
    if kind == "texts":
        days, towns = ("monday", "tuesday", "friday", "sunday", "today"), ("rome", "paris", "oslo")
        said = [f"it was {('good', 'bad')[i % 2]} on {days[i % 5]} in {towns[i % 3]}" for i in range(60)]
        frame, modality = pd.DataFrame({"case": said}), "text"
    splits = Dataset.from_frame(frame.assign(y=np.array(["no", "yes"])[labels]), target="y", modality=modality).split(test=0.4)
    torch.manual_seed(0)
    width = splits.test.inputs[0].numel()
    model: Any = (
        Black() if kind in ("black table", "texts") else nn.Sequential(nn.Flatten(), nn.Linear(width, 4), nn.ReLU(), nn.Linear(4, 2))
    )
    classifier = Classifier.wrap(model, schema=splits.test.schema, classes=splits.test.classes)
    return Subject(splits.test, classifier=classifier, training=splits.train, validation=splits.validation)


def asking() -> list[Check]:
    return [make_check(name, {}) for name in check_ids() if "classifier" in check_type(name).needs and name.startswith("robustness.")]


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_said_to_be_refused_is_refused_in_the_same_words(kind: str) -> None:
    of = subject(kind)
    Black.asked = 0
    said = {check.id: refusal for check in asking() if (refusal := refusal_of(check, of))}
    assert Black.asked == 0
    assert set(said) == REFUSED[kind]
    for check in asking():
        if check.id in said and not any(of.lacks(need) for need in check.needs):
            with pytest.raises(AssayError) as raised:
                check.measure(of, Seed(0, (check.id,)))
            assert str(raised.value) == said[check.id]


def test_asking_why_leaves_no_answer_behind() -> None:
    of = subject("table")
    for check in asking():
        refusal_of(check, of)
    assert np.array_equal(of.probabilities(), subject("table").probabilities())


@pytest.mark.parametrize(("one", "three"), [(3.0, 1.0), (2.0, 2.0), (1.0, 3.0), (0.0, 0.0)])
def test_training_never_takes_less_than_nothing_nor_than_the_epochs_that_were_timed(one: float, three: float) -> None:
    assert _seconds_of_training(one, three, 0.0) == one
    assert _seconds_of_training(one, three, 200.0) >= one
    assert _seconds_of_training(one, three, 200.0) > 0 or three == 0


def test_training_time_is_exact_where_nothing_disturbs_it() -> None:
    # Half a second to begin, and two for an epoch.
    assert _seconds_of_training(2.5, 6.5, 10.0) == pytest.approx(2.5 + 20.0)
