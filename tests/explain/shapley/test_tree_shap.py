"""Shapley values of trees with SHAP, beside those by enumeration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from classifier.adapters.boosting import from_lightgbm, from_xgboost
from classifier.adapters.sklearn import from_sklearn
from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from classifier.schema import Feature, Schema
from explain import attribute, available

SCHEMA = Schema("tabular", tuple(Feature(name, "continuous", 0.0, 10.0) for name in "abcde"))


def table() -> tuple[pd.DataFrame, Any]:
    values = pd.DataFrame(10 * np.random.default_rng(0).random((200, 5)), columns=list("abcde"))
    return values, np.where(values.a * values.b + 3 * values.c > 40, "yes", "no")


def rows() -> tuple[Tensor, Tensor]:
    x = SCHEMA.encode(table()[0])
    return x[:6], x[50:70]


def estimator(name: str, labels: Any) -> Any:
    from sklearn import ensemble, tree

    kind = getattr(ensemble, name, None) or getattr(tree, name)
    size = {} if name == "DecisionTreeClassifier" else {"n_estimators": 8}
    return kind(max_depth=4, random_state=0, **size).fit(table()[0], labels)


CASES = [
    ("GradientBoostingClassifier", "log_odds"), ("RandomForestClassifier", "probability"), ("ExtraTreesClassifier", "probability"),
    ("DecisionTreeClassifier", "probability"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "output"), CASES)
@pytest.mark.parametrize("classes", [("no", "yes"), ("yes", "no")])
def test_trees_give_what_enumeration_gives(name: str, output: str, classes: tuple[str, str]) -> None:
    classifier = from_sklearn(lambda: estimator(name, table()[1]), schema=SCHEMA, classes=classes)
    x, background = rows()
    for target in classes:
        ours, truth = (
            attribute(classifier, x, method, baseline=background, output=output, target=target) for method in ("tree_shap", "exact_shapley")
        )
        assert ours.exact
        assert ours.attributions.abs().max() > 0.05
        assert torch.allclose(ours.attributions, truth.attributions, atol=1e-5)
        assert torch.allclose(ours.base_value, truth.base_value, atol=1e-5)


def test_forests_of_three_classes_divide_the_probability_of_each() -> None:
    values, labels = table()
    labels = np.where(values.d > 7, "maybe", labels)
    classes = ("yes", "maybe", "no")
    classifier = from_sklearn(lambda: estimator("RandomForestClassifier", labels), schema=SCHEMA, classes=classes)
    x, background = rows()
    target = torch.tensor([0, 1, 2, 2, 1, 0])
    ours, truth = (
        attribute(classifier, x, method, baseline=background, output="probability", target=target)
        for method in ("tree_shap", "exact_shapley")
    )
    assert torch.allclose(ours.attributions, truth.attributions, atol=1e-5)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_model_files_of_boosted_trees_are_read(library: str, tmp_path: Path) -> None:
    pytest.importorskip(library)
    values, labels = table()
    schema = Schema("tabular", SCHEMA.features, encoding="natural")
    x = schema.encode(values)
    if library == "xgboost":
        import xgboost

        booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, xgboost.DMatrix(values, labels == "yes"), 10)
        booster.save_model(tmp_path / "model.json")
        classifier = from_xgboost(tmp_path / "model.json", schema=schema, classes=("no", "yes"))
    else:
        import lightgbm

        data = lightgbm.Dataset(values, (labels == "yes").astype(int))
        booster = lightgbm.train({"objective": "binary", "max_depth": 3, "verbose": -1}, data, 10)
        booster.save_model(tmp_path / "model.txt")
        classifier = from_lightgbm(tmp_path / "model.txt", schema=schema, classes=("no", "yes"))
    ours, truth = (attribute(classifier, x[:6], method, baseline=x[50:70]) for method in ("tree_shap", "exact_shapley"))
    assert torch.allclose(ours.attributions, truth.attributions, atol=1e-4)


def test_a_background_of_thousands_counts_whole() -> None:
    """SHAP by itself would take a hundred rows of it."""
    classifier = from_sklearn(lambda: estimator("DecisionTreeClassifier", table()[1]), schema=SCHEMA, classes=("no", "yes"))
    background = torch.rand(5000, 5, generator=torch.Generator().manual_seed(1))
    ours = attribute(classifier, rows()[0], "tree_shap", baseline=background, output="probability")
    mean = classifier.probabilities(background)[:, 1].double().mean()
    assert torch.allclose(ours.base_value, mean.expand(6), atol=1e-6)


def test_what_the_trees_do_not_add_up_is_refused() -> None:
    forest = from_sklearn(lambda: estimator("RandomForestClassifier", table()[1]), schema=SCHEMA, classes=("no", "yes"))
    with pytest.raises(NotApplicableError, match=r'log_odds of a RandomForestClassifier.*try output="probability"'):
        attribute(forest, rows()[0], "tree_shap")
    # What SHAP calls the probability of boosted trees is no Shapley value, and is not taken.
    boosted = from_sklearn(lambda: estimator("GradientBoostingClassifier", table()[1]), schema=SCHEMA, classes=("no", "yes"))
    with pytest.raises(NotApplicableError, match=r'probability of a GradientBoostingClassifier.*try output="log_odds"'):
        attribute(boosted, rows()[0], "tree_shap", output="probability")


def test_what_has_no_trees_of_its_features_is_told_why(black_box: Classifier, classifier: Classifier) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def pipeline() -> Any:
        return make_pipeline(StandardScaler(), estimator("DecisionTreeClassifier", table()[1])).fit(*table())

    scaled = from_sklearn(pipeline, schema=SCHEMA, classes=("no", "yes"))
    for other in (black_box, classifier, scaled):
        reasons = {entry.method: entry.reason for entry in available(other)}
        assert "holds none" in reasons["tree_shap"]
        with pytest.raises(NotApplicableError, match=r"these do: .*exact_shapley"):
            attribute(other, torch.zeros(1, *other.schema.shape), "tree_shap")


def test_trees_that_take_several_columns_of_a_feature_are_refused(tmp_path: Path, numbers: Callable[[int], Schema]) -> None:
    pytest.importorskip("xgboost")
    import xgboost

    features = (Feature("home", "categorical", categories=("rent", "own", "free")), Feature("age", "continuous", 0.0, 90.0))
    schema = Schema("tabular", features, encoding="natural")
    x = torch.cat([torch.eye(3).repeat(20, 1), 90 * torch.rand(60, 1)], 1)
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(x.numpy(), (x[:, 0] + x[:, 3] / 90 > 1).numpy()), 3)
    booster.save_model(tmp_path / "model.json")
    classifier = from_xgboost(tmp_path / "model.json", schema=schema, classes=("no", "yes"))
    with pytest.raises(NotApplicableError, match="they take several of home"):
        attribute(classifier, x[:1], "tree_shap")
