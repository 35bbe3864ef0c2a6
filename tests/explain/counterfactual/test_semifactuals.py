"""Semifactuals: how far a feature goes before the decision flips is known for a linear classifier."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from classifier.classifier import Classifier
from classifier.schema import Feature
from explain.counterfactual.finding import semifactuals

FEATURES = (
    Feature("a", "continuous", 0.0, 1.0),
    Feature("b", "continuous", 0.0, 1.0),
    Feature("years", "integer", 0.0, 20.0),
    Feature("fixed", "continuous", 0.0, 1.0, mutable=False),
    Feature("job", "categorical", categories=("none", "part", "full")),
)


@pytest.mark.parametrize("box", [False, True], ids=["network", "black box"])
def test_a_feature_goes_to_the_border_or_to_the_end_of_its_range(
    linear: Callable[..., Classifier], boxed: Callable[[Classifier], Classifier], box: bool
) -> None:
    classifier = linear([4.0, 0.5, 2.0, 9.0, -0.5, 0.0, 0.5], -4.0, FEATURES)
    # The logit is 1.65 - 4: bad, and 2.35 from good.
    x = torch.tensor([[0.25, 0.25, 0.1, 0.0, 0.0, 0.0, 1.0]])
    x[:, 3] = 0.0
    start = 4 * 0.25 + 0.5 * 0.25 + 2 * 0.1 + 0.5 - 4
    result = semifactuals(boxed(classifier) if box else classifier, x, count=5)
    assert bool(result.found.all())
    assert (result.changed_decided == 0).all()
    reached = {changes[0].feature: result.values[index] for index, changes in enumerate(result.changes())}
    # Only a can reach the border, and b and years end at their bounds; the job is the best already.
    assert set(reached) == {"a", "b", "years"}
    assert float(reached["a"][0]) == pytest.approx(0.25 - start / 4, abs=1e-3)
    assert float(reached["b"][1]) == 1.0
    assert float(reached["years"][2]) == 1.0
    assert all(len(changes) == 1 for changes in result.changes())
    assert float(reached["a"][0]) < 0.25 - start / 4


def test_a_whole_number_stops_before_the_border(linear: Callable[..., Classifier]) -> None:
    classifier = linear([10.0], -5.2, [Feature("years", "integer", 0.0, 30.0)])
    result = semifactuals(classifier, torch.tensor([[3 / 30], [25 / 30]]))
    # The border is at 15.6.
    assert [changes[0].after for changes in result.changes()] == ["15", "16"]
    assert result.sentences(0)[0].startswith("Even if years had been 15 instead of 3, this model would still have decided 'bad'.")
    assert "即使 years 为 15（而不是 3），本模型仍会判为“bad”。" in result.sentences(0, language="zh-CN")[0]


def test_where_nothing_leads_towards_the_border_it_says_so(linear: Callable[..., Classifier]) -> None:
    constant = linear([0.0], -1.0, [Feature("a", "continuous", 0.0, 1.0)])
    result = semifactuals(constant, torch.tensor([[0.3]]))
    assert not bool(result.found.any())
    assert "None found" in result.as_text()
    assert result.to_frame().empty
