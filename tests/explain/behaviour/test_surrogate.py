"""A surrogate tree finds a planted rule, says its questions in natural units, and is judged on rows that it did not see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from cases import cases
from sklearn.tree import DecisionTreeRegressor

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Schema
from explain.behaviour.surrogate_tree import surrogate

Case = tuple[Classifier, Dataset]
Make = Callable[..., Case]


@pytest.fixture
def planted(mixed: Case) -> Case:
    """Decides bad where months are above 38 (0.5 encoded) and the purpose is a house."""
    schema = mixed[1].schema
    box = Classifier.wrap(lambda x: ((x[:, 1] > 0.5) & (x[:, 5] > 0.5)).float() * 0.8 + 0.1, schema=schema, classes=("good", "bad"))
    return box, mixed[1]


def test_a_planted_rule_is_found_and_said_in_natural_units(planted: Case) -> None:
    tree = surrogate(*planted, smallest=2)
    assert tree.agreement.value == 1
    assert tree.explained.value == pytest.approx(1)
    bad = [rule for rule in tree.rules if "→ bad" in rule]
    assert len(bad) == 1
    assert "purpose is house" in bad[0]
    months = int(bad[0].split("months > ")[1].split(" ")[0])
    assert 36 <= months <= 40
    assert "months > " in bad[0]
    assert "months and" in bad[0] or "months →" in bad[0], "the unit stands behind the number"
    houses = planted[1].frame()[planted[1].frame()["purpose"] == "house"]["months"]
    assert (houses[houses > months] > 38).all()
    assert "probability of bad 0.90" in bad[0]


def test_it_answers_as_scikit_learns_tree_and_its_ends_hold_what_they_say(mixed: Case) -> None:
    classifier, data = mixed
    tree = surrogate(classifier, data, depth=4, smallest=3, held_out=0.3)
    inputs, given = data.inputs.numpy(), classifier.probabilities(data.inputs).double().numpy()
    ends = tree.probabilities(data.inputs).numpy()
    assert (tree.predict(data.inputs).numpy() == ends.argmax(1)).all()
    # The same rows give the same ends, whose probabilities are the means over the rows that it was made from.
    from classifier.seeds import Seed

    order = Seed(0, ("surrogate",)).child("held_out").numpy().permutation(200)
    held, seen = order[:60], order[60:]
    theirs = DecisionTreeRegressor(max_depth=4, min_samples_leaf=3, random_state=0).fit(inputs[seen], given[seen])
    assert ends[seen].mean(0) == pytest.approx(given[seen].mean(0))
    assert ((ends[seen] - given[seen]) ** 2).sum() == pytest.approx(((theirs.predict(inputs[seen]) - given[seen]) ** 2).sum(), rel=0.02)
    assert tree.agreement.value == pytest.approx((ends[held].argmax(1) == given[held].argmax(1)).mean())
    assert tree.agreement.n == 60
    error, spread = ((ends[held] - given[held]) ** 2).sum(), ((given[held] - given[held].mean(0)) ** 2).sum()
    assert tree.explained.value == pytest.approx(1 - error / spread)
    assert sum(tree.to_frame()["rows"]) == 140
    assert tree.chance.value == pytest.approx((given[held].argmax(1) == np.bincount(given[seen].argmax(1)).argmax()).mean())


def test_every_row_meets_the_conditions_of_its_end(mixed: Case) -> None:
    classifier, data = mixed
    tree, frame = surrogate(classifier, data), data.frame()
    ends = tree.probabilities(data.inputs).numpy()
    for line in tree.to_frame().itertuples(index=False):
        here = np.isclose(ends[:, 1], line[-1])
        for condition in line.rule.split(" and "):
            name, sign, *rest = condition.split(" ")
            if sign == "is":
                expected = frame[name].astype(str).str.removesuffix(".0") == rest[-1]
                assert (expected[here] != (rest[0] == "not")).all(), condition
            else:
                number = float(rest[0].replace(",", ""))
                values = frame[name][here]
                assert (values <= number + 1e-3 if sign == "≤" else values > number - 1e-3).all(), condition


def test_needless_conditions_are_left_out(case: Make) -> None:
    classifier, data = case(lambda x: 3 * torch.sin(4 * x[:, 0]), np.random.default_rng(0).uniform(0, 2, (400, 1)))
    tree = surrogate(classifier, data, depth=4)
    assert max(rule.count("x0") for rule in tree.rules) == 2
    assert tree.agreement.value is not None
    assert tree.agreement.value > 0.9


def test_a_classifier_that_answers_alike_has_a_tree_without_questions(mixed: Case) -> None:
    schema = mixed[1].schema
    box = Classifier.wrap(lambda x: torch.full((len(x),), 0.2), schema=schema, classes=("good", "bad"))
    tree = surrogate(box, mixed[1])
    assert tree.rules == ("always → good (probability of bad 0.20; 100% of rows)",)
    assert tree.explained.value is None
    assert tree.chance.value == 1
    assert "all the rows alike" in tree.notes[0]
    tree.plot()


def test_of_many_classes(case: Make) -> None:
    x = np.random.default_rng(0).normal(size=(300, 2))
    classifier, data = case(lambda x: 5 * torch.stack([x[:, 0], x[:, 1], -x[:, 0]], 1), x, classes=("a", "b", "c"))
    tree = surrogate(classifier, data)
    assert tree.agreement.value is not None
    assert tree.chance.value is not None
    assert tree.agreement.value > tree.chance.value + 0.2
    assert set(tree.predict(data.inputs).tolist()) <= {0, 1, 2}
    assert len(tree.to_frame().columns) == 7


def test_it_is_the_same_again(mixed: Case) -> None:
    assert surrogate(*mixed).nodes == surrogate(*mixed).nodes


def test_what_cannot_be_is_refused(mixed: Case, mixed_schema: Schema) -> None:
    classifier, data = mixed
    with pytest.raises(ConfigurationError, match=r"depth and smallest must be at least 1 and held_out a share, got 0, 10 and 0.3"):
        surrogate(classifier, data, depth=0)
    with pytest.raises(ConfigurationError, match="20 rows are too few to hold out 30% and ask a question with 10 rows"):
        surrogate(classifier, data[:20])
    images = cases("image", 2)
    box = Classifier.wrap(lambda x: torch.full((len(x), 2), 0.5), schema=images.schema, classes=images.classes)
    with pytest.raises(NotApplicableError, match="a surrogate tree is of the features of a table"):
        surrogate(box, images)


def test_it_shows_itself(mixed: Case) -> None:
    tree = surrogate(*mixed)
    ax = tree.plot()
    drawn = " ".join(text.get_text().replace("\n", " ") for text in ax.texts)
    for node in tree.nodes:
        assert node.at_most in drawn
        assert node.above in drawn
    assert "held-out rows" in ax.get_title("left").replace("\n", " ")
    assert "always the same answer" in tree._repr_html_()
