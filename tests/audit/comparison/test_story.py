"""A plain classifier and one that was trained under attack: what was gained and lost is told."""

from __future__ import annotations

import pytest

from audit import Audit, Subject, run
from audit.comparison import compare, tell
from classifier import Dataset
from trainer import Recipe, Robust, train

OPTIONS: dict[str, dict[str, object]] = {
    "performance.accuracy": {"resamples": 200},
    "robustness.attack": {"suite": "quick", "eps": (0.1, 0.2)},
}


def _audited(data: Dataset, robust: Robust | None) -> Audit:
    splits = data.split()
    recipe = Recipe("logistic", epochs=40, batch_size=64, learning_rate=0.01, robust=robust)
    subject = Subject(splits.test, classifier=train(splits, recipe, progress=False), independence="held out")
    return run(subject, profile="quick", only=tuple(OPTIONS), options=OPTIONS, progress=False)


@pytest.fixture(scope="module")
def story(german_credit: Dataset) -> tuple[Audit, Audit]:
    return _audited(german_credit, None), _audited(german_credit, Robust("pgd", eps=0.1))


def test_robust_training_is_told_as_better_under_attack_row_by_row(story: tuple[Audit, Audit]) -> None:
    difference = compare(*story)
    gained = [change for change in difference.of("improvement") if change.name == "robustness.accuracy"]
    assert {change.where["eps"] for change in gained if change.where["rows"] == "any"} >= {0.2}
    assert {change.method for change in gained} == {"mcnemar"}
    assert not [change for change in difference.of("regression") if change.name == "robustness.accuracy"]
    told = tell(difference)
    assert "Accuracy under attack (eps 0.2, any rows)" in told[told.index("\nBetter\n") :]


def test_the_way_back_is_a_regression(story: tuple[Audit, Audit]) -> None:
    back = compare(story[1], story[0])
    assert back.exit_code == 1
    assert "robustness.accuracy" in {change.name for change in back.of("regression")}
