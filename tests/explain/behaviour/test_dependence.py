"""Partial dependence and accumulated effects have closed forms, and agree with scikit-learn on one grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from cases import cases
from torch import Tensor

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Relation
from explain.behaviour.accumulated_effects import similar_order
from explain.behaviour.depending import dependence
from explain.behaviour.side import side_of

Case = tuple[Classifier, Dataset]
Make = Callable[..., Case]


def linear(x: Tensor) -> Tensor:
    return 2 * x[:, 0] - x[:, 1] + 0.5 * x[:, 2]


def product(x: Tensor) -> Tensor:
    return x[:, 0] * x[:, 1]


@pytest.mark.parametrize("kind", ["ale", "pdp", "ice"])
def test_of_a_linear_classifier_every_kind_is_the_line(case: Make, correlated: np.ndarray, kind: str) -> None:
    classifier, data = case(linear, correlated)
    found = dependence(classifier, data, "x0", kind)  # type: ignore[arg-type]
    grid, values = found.grids[0], found.values[:, 0]
    assert np.diff(values) == pytest.approx(2 * np.diff(grid), abs=1e-4)
    if kind == "ale":
        # The trapezoids of the quantiles' steps weigh a step's middle, not its rows.
        assert values == pytest.approx(2 * (grid - correlated[:, 0].mean()), abs=0.1)
    else:
        x = data.inputs.double().numpy()
        assert values == pytest.approx(2 * grid + (-x[:, 1] + 0.5 * x[:, 2]).mean(), abs=1e-4)
    assert found.unit == "log-odds of yes"


def test_accumulated_effects_of_a_product_keep_to_the_rows_and_partial_dependence_does_not(case: Make, correlated: np.ndarray) -> None:
    classifier, data = case(product, correlated)
    grid = dependence(classifier, data, "x0", points=60).grids[0]
    inner = (grid > -1) & (grid < 3)
    effect = dependence(classifier, data, "x0", points=60).values[:, 0]
    # The slope is E[x1 | x0] = -0.5 + 0.6 (x0 - 1), so the effect is its integral.
    integral = -1.1 * grid + 0.3 * grid**2
    assert effect[inner] - effect[inner].mean() == pytest.approx(integral[inner] - integral[inner].mean(), abs=0.08)
    partial = dependence(classifier, data, "x0", "pdp", points=60).values[:, 0]
    assert partial == pytest.approx(grid * data.inputs[:, 1].double().mean().item(), abs=1e-4)


def test_accumulated_effects_have_mean_zero_over_the_rows(mixed: Case) -> None:
    classifier, data = mixed
    for name in ("flag", "married", "purpose"):
        found = dependence(classifier, data, name)
        share = pd.Series(found.cases[0]).value_counts(normalize=True)[list(found.grids[0])].to_numpy()
        assert share @ found.values == pytest.approx(0, abs=1e-9)


def test_of_a_linear_classifier_the_effect_of_a_category_is_its_weight(mixed: Case) -> None:
    classifier, data = mixed
    module = classifier.module
    assert module is not None
    weight = (module.weight[1] - module.weight[0]).double().numpy()  # type: ignore[index, union-attr]
    for kind in ("ale", "pdp"):
        found = dependence(classifier, data, "purpose", kind)  # type: ignore[arg-type]
        own = dict(zip(found.grids[0], found.values[:, 0], strict=True))
        assert own["house"] - own["car"] == pytest.approx(weight[5] - weight[4], abs=1e-5)
        assert own["other"] - own["car"] == pytest.approx(weight[7] - weight[4], abs=1e-5)
        steps = dependence(classifier, data, "months", kind).values[:, 0]  # type: ignore[arg-type]
        assert steps[-1] - steps[0] == pytest.approx(weight[1], abs=1e-4)


def test_second_order_effects_of_a_sum_are_zero(case: Make, correlated: np.ndarray) -> None:
    classifier, data = case(lambda x: x[:, 0] ** 2 + torch.sin(x[:, 1]), correlated)
    found = dependence(classifier, data, ("x0", "x1"))
    assert np.abs(found.values).max() < 1e-4
    assert found.values.shape == (10, 10, 1)


def test_second_order_effects_of_a_product_of_independent_numbers_are_the_product_about_their_means(case: Make) -> None:
    x = np.random.default_rng(0).uniform([0, 2], [1, 5], (4000, 2))
    classifier, data = case(product, x)
    found = dependence(classifier, data, ("x0", "x1"), points=12)
    first, second = found.grids
    truth = np.outer(first - 0.5, second - 3.5)
    assert found.values[..., 0] == pytest.approx(truth, abs=0.05)
    assert np.abs(truth).max() > 0.7


def test_second_order_effects_of_a_product_of_correlated_numbers(case: Make) -> None:
    rho = 0.6
    x = np.random.default_rng(0).multivariate_normal([0, 0], [[1, rho], [rho, 1]], 5000)
    classifier, data = case(product, x)
    found = dependence(classifier, data, ("x0", "x1"), points=20)
    first, second = found.grids
    near = (np.abs(first) < 1.2)[:, None] & (np.abs(second) < 1.2)[None]
    # The main effects of x0 x1 itself are rho x^2 / 2 each.
    truth = np.outer(first, second) - rho / 2 * (first[:, None] ** 2 + second[None] ** 2)
    difference = (found.values[..., 0] - truth)[near]
    assert difference.std() < 0.05
    assert truth[near].std() > 0.3


@pytest.mark.parametrize("features", [("x0",), ("x0", "x1")])
def test_partial_dependence_agrees_with_scikit_learn_on_the_same_grid(
    case: Make, correlated: np.ndarray, features: tuple[str, ...]
) -> None:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.inspection import partial_dependence

    classifier, data = case(lambda x: torch.tanh(x[:, 0] * x[:, 1]) + x[:, 2], correlated[:300])

    class Model(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        classes_ = np.array([0, 1])

        def fit(self, x: object, y: object) -> Model:
            self.fitted_ = True
            return self

        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return classifier.probabilities(torch.tensor(x, dtype=torch.float32)).double().numpy()

    ours = dependence(classifier, data, features, "pdp", output="probability")
    custom = dict(enumerate(ours.grids))
    model = Model().fit(None, None)
    x = data.inputs.double().numpy()
    theirs = partial_dependence(model, x, list(range(len(features))), kind="average", response_method="predict_proba", custom_values=custom)
    assert ours.values[..., 0] == pytest.approx(theirs["average"][0], abs=1e-5)
    if len(features) == 1:
        curves = dependence(classifier, data, "x0", "ice", output="probability").curves
        each = partial_dependence(model, x, [0], kind="individual", response_method="predict_proba", custom_values=custom)["individual"][0]
        assert curves is not None
        assert curves[..., 0] == pytest.approx(each, abs=1e-5)


def test_centred_curves_begin_at_nothing(case: Make, correlated: np.ndarray) -> None:
    classifier, data = case(linear, correlated[:50])
    found = dependence(classifier, data, "x0", "ice", centred=True)
    assert found.curves is not None
    assert np.abs(found.curves[:, 0]).max() == 0
    assert found.curves.std(0).max() < 1e-4, "of a linear classifier all rows change alike"
    assert found.label == "change of the log-odds of yes"


def test_intervals_narrow_with_the_rows_and_hold_the_truth(case: Make) -> None:
    x = np.random.default_rng(0).normal(size=(4000, 2))
    classifier, data = case(product, x)
    wide, narrow = (dependence(classifier, data[:rows], "x0", "pdp") for rows in (100, 4000))
    # The output is the value times a mean, so the width is that of the mean times the value.
    width = [float((found.high - found.low)[-1, 0] / found.grids[0][-1]) for found in (wide, narrow)]
    assert 4.5 < width[0] / width[1] < 8.5
    covered = np.zeros(40)
    for place in range(40):
        found = dependence(classifier, data[100 * place : 100 * place + 100], "x0", "pdp", seed=place)
        covered[place] = found.low[-1, 0] <= 0 <= found.high[-1, 0]
    assert covered.mean() >= 0.85


def test_every_class_of_many_is_looked_at_and_one_can_be_named(case: Make, correlated: np.ndarray) -> None:
    classifier, data = case(lambda x: torch.stack([x[:, 0], x[:, 1], x[:, 0] * 0], 1), correlated[:200], classes=("a", "b", "c"))
    found = dependence(classifier, data, "x0")
    assert found.classes == ("a", "b", "c")
    assert np.ptp(found.values, axis=0) == pytest.approx([np.ptp(found.grids[0]), 0, 0], abs=1e-4)
    assert dependence(classifier, data, "x0", target="b").values == pytest.approx(found.values[:, 1:2], abs=1e-12)
    assert len(found.to_frame()) == 3 * len(found.grids[0])
    assert len(found.plot().lines) >= 3
    pair = dependence(classifier, data, ("x0", "x1"))
    with pytest.raises(ConfigurationError, match="shows one class, and there are 3; name one"):
        pair.plot()
    pair.plot(target="b")


def test_black_boxes_have_one_too(mixed: Case) -> None:
    classifier, data = mixed
    box = Classifier.wrap(classifier.probabilities, schema=classifier.schema, classes=classifier.classes)
    for name in ("rate", "purpose"):
        assert dependence(box, data, name).values == pytest.approx(dependence(classifier, data, name).values, abs=1e-4)


def test_pieces_change_nothing(mixed: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {kind: dependence(*mixed, ("rate", "months"), kind).values for kind in ("ale", "pdp")}  # type: ignore[arg-type]
    monkeypatch.setattr("explain.behaviour.answers._CACHED", 56)
    for kind, values in whole.items():
        assert dependence(*mixed, ("rate", "months"), kind).values == pytest.approx(values, abs=1e-6)  # type: ignore[arg-type]


def test_similar_categories_are_neighbours(mixed_schema: object) -> None:
    generator = np.random.default_rng(0)
    city = np.repeat(["d", "a", "c", "b"], 100)
    level = {"a": 0.0, "b": 1.0, "c": 2.0, "d": 3.0}
    frame = pd.DataFrame({"city": city, "level": [level[name] + generator.normal(0, 0.8) for name in city], "y": ["no", "yes"] * 200})
    data = Dataset.from_frame(frame, target="y")
    side = side_of(data, "city", 30)
    order = "".join(side.grid[similar_order(side, data)])
    assert order in ("abcd", "dcba")


def test_few_rows_and_impossible_rows_are_noted(case: Make, mixed: Case) -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    x[:, 1] = x[:, 0] + 0.01 * x[:, 1]
    classifier, data = case(product, x)
    assert "29 of 29 steps are taken over fewer than 10 rows" in dependence(classifier, data, "x0").notes
    assert 'which kind="ale" avoids' in dependence(classifier, data, "x0", "pdp").notes[0]
    pair = dependence(classifier, data, ("x0", "x1"))
    assert "of them over none, which take that of the nearest" in pair.notes[-1]
    assert np.isfinite(pair.values).all()
    schema = replace(mixed[1].schema, relations=(Relation({"rate": 1.0}, "<=", 3.0),))
    related = Classifier.wrap(mixed[0].module, schema=schema, classes=mixed[0].classes)  # type: ignore[arg-type]
    assert "rate has a relation" in dependence(related, replace(mixed[1], schema=schema), "rate").notes[0]


def test_features_keep_their_columns_whatever_they_are_called() -> None:
    generator = np.random.default_rng(0)
    data = Dataset.from_frame(
        pd.DataFrame({"value": generator.normal(size=40), "low": generator.normal(size=40), "y": ["a", "b"] * 20}), target="y"
    )
    box = Classifier.wrap(lambda x: x[:, 0], schema=data.schema, classes=data.classes)
    found = dependence(box, data, ("value", "low"))
    frame = found.to_frame()
    assert list(frame.columns) == ["value", "low", "(class)", "(value)", "(low)", "(high)"]
    assert np.unique(frame["value"]) == pytest.approx(found.grids[0])
    assert frame["(low)"].to_numpy() == pytest.approx(found.low.reshape(-1))


def test_what_does_not_hold_is_refused(mixed: Case) -> None:
    classifier, data = mixed
    with pytest.raises(ConfigurationError, match=r"no feature 'rat'; did you mean 'rate'"):
        dependence(classifier, data, "rat")
    with pytest.raises(ConfigurationError, match="no kind of dependence 'pd'; did you mean 'pdp'"):
        dependence(classifier, data, "rate", "pd")  # type: ignore[arg-type]
    with pytest.raises(NotApplicableError, match="need two numbers, and 'purpose' has words for values; take kind=\"pdp\""):
        dependence(classifier, data, ("rate", "purpose"))
    with pytest.raises(NotApplicableError, match="a curve for each row is of one feature"):
        dependence(classifier, data, ("rate", "months"), "ice")
    with pytest.raises(ConfigurationError, match="two different ones"):
        dependence(classifier, data, ("rate", "rate"))
    with pytest.raises(ConfigurationError, match="points must be at least 2, got 1"):
        dependence(classifier, data, "rate", points=1)
    with pytest.raises(ConfigurationError, match="accumulated effects have mean 0 already"):
        dependence(classifier, data, "rate", centred=True)
    with pytest.raises(ConfigurationError, match="no class 'badd'; did you mean 'bad'"):
        dependence(classifier, data, "rate", target="badd")
    constant = data[(data.inputs[:, 2] == 0).numpy()]
    with pytest.raises(NotApplicableError, match=r"'flag' is 0\.0 in all"):
        dependence(classifier, constant, "flag")
    images = cases("image", 2)
    box = Classifier.wrap(lambda x: torch.full((len(x), 2), 0.5), schema=images.schema, classes=images.classes)
    with pytest.raises(NotApplicableError, match="features of a table, and the inputs are of modality image"):
        dependence(box, images, images.schema.names[0])


def test_it_shows_itself(mixed: Case) -> None:
    for features, kind in (("rate", "ale"), ("purpose", "pdp"), ("purpose", "ice"), ("rate", "ice"), (("rate", "months"), "ale")):
        found = dependence(*mixed, features, kind)  # type: ignore[arg-type]
        ax = found.plot()
        assert ax.get_title("left")
        assert "bad" in found._repr_html_()
    found = dependence(*mixed, "rate")
    line = found.plot().lines[0]
    assert np.asarray(line.get_xdata()) == pytest.approx(found.grids[0])
    assert np.asarray(line.get_ydata()) == pytest.approx(found.values[:, 0])
