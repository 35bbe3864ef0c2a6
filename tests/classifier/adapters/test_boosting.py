"""Boosted trees answer as the library that trained them, and take the columns that they learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost

from classifier import Feature, Schema
from classifier.adapters.boosting import from_lightgbm, from_xgboost
from classifier.errors import ModelError

SCHEMA = Schema(
    "tabular",
    (
        Feature("income", "integer", low=0, high=100),
        Feature("home", "categorical", categories=("free", "own", "rent")),
        Feature("debt", "continuous", low=0, high=100),
    ),
    encoding="natural",
)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"income": generator.integers(0, 101, 300), "home": generator.choice(["free", "own", "rent"], 300)})
    return frame.assign(debt=generator.uniform(0, 100, 300))


@pytest.fixture(scope="module")
def labels(table: pd.DataFrame) -> Any:
    return ((table["income"] > table["debt"]).astype(int) + (table["home"] == "own")).to_numpy()


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
def test_xgboost_gives_its_own_probabilities(tmp_path: Path, table: pd.DataFrame, labels: Any, classes: tuple[str, ...]) -> None:
    y = np.minimum(labels, len(classes) - 1)
    # Columns by name, in another order than the schema's.
    inputs = pd.get_dummies(table[["debt", "income", "home"]]).astype(float)
    model = xgboost.XGBClassifier(n_estimators=6, max_depth=3, n_jobs=1).fit(inputs, y)
    for name in ("model.json", "model.ubj"):
        model.save_model(tmp_path / name)
        classifier = from_xgboost(tmp_path / name, schema=SCHEMA, classes=classes)
        assert classifier.probabilities(SCHEMA.encode(table)).numpy() == pytest.approx(model.predict_proba(inputs), abs=1e-5)
    turned = from_xgboost(tmp_path / "model.ubj", schema=SCHEMA, classes=classes, output_classes=classes[::-1])
    assert turned.probabilities(SCHEMA.encode(table)).numpy() == pytest.approx(model.predict_proba(inputs)[:, ::-1], abs=1e-5)


@pytest.mark.parametrize("objective", ["multi:softmax", "binary:logitraw"])
def test_xgboost_decisions_and_margins_become_probabilities(tmp_path: Path, table: pd.DataFrame, labels: Any, objective: str) -> None:
    classes = ("a", "b", "c") if objective.startswith("multi") else ("a", "b")
    options = {"objective": objective, "max_depth": 2, "nthread": 1} | ({"num_class": 3} if len(classes) == 3 else {})
    inputs = SCHEMA.encode(table)
    data = xgboost.DMatrix(inputs.numpy(), np.minimum(labels, len(classes) - 1))
    booster = xgboost.train(options, data, 4)
    booster.save_model(tmp_path / "model.json")
    margins = booster.predict(data, output_margin=True)
    expected = 1 / (1 + np.exp(-margins)) if len(classes) == 2 else np.exp(margins) / np.exp(margins).sum(1, keepdims=True)
    found = from_xgboost(tmp_path / "model.json", schema=SCHEMA, classes=classes).probabilities(inputs).numpy()
    assert (found[:, 1] if len(classes) == 2 else found) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
def test_lightgbm_gives_its_own_probabilities_from_codes_of_categories(
    tmp_path: Path, table: pd.DataFrame, labels: Any, classes: tuple[str, ...]
) -> None:
    y = np.minimum(labels, len(classes) - 1)
    codes = table["home"].map({"free": 0, "own": 1, "rent": 2})
    inputs = np.stack([table["income"], codes, table["debt"]], axis=1).astype(float)
    model = lightgbm.LGBMClassifier(n_estimators=6, num_leaves=5, n_jobs=1, verbose=-1).fit(inputs, y, categorical_feature=[1])
    model.booster_.save_model(tmp_path / "model.txt")
    with pytest.raises(ModelError, match='state categories = "codes"'):
        from_lightgbm(tmp_path / "model.txt", schema=SCHEMA, classes=classes)
    classifier = from_lightgbm(tmp_path / "model.txt", schema=SCHEMA, classes=classes, categories="codes")
    assert classifier.probabilities(SCHEMA.encode(table)).numpy() == pytest.approx(np.asarray(model.predict_proba(inputs)), abs=1e-5)
    assert "trees have no gradients" in classifier.why_no_gradients


def test_early_stopping_is_kept(tmp_path: Path, table: pd.DataFrame) -> None:
    inputs = SCHEMA.encode(table).numpy()
    y = np.random.default_rng(1).integers(0, 2, 300)  # nothing to learn, so that the best round comes early
    model = xgboost.XGBClassifier(n_estimators=40, early_stopping_rounds=5, n_jobs=1)
    model.fit(inputs[:200], y[:200], eval_set=[(inputs[200:], y[200:])], verbose=False)
    assert model.best_iteration < 39
    model.save_model(tmp_path / "model.json")
    found = from_xgboost(tmp_path / "model.json", schema=SCHEMA, classes=("a", "b")).probabilities(SCHEMA.encode(table))
    assert found.numpy() == pytest.approx(model.predict_proba(inputs), abs=1e-5)


def test_what_does_not_fit_is_refused(tmp_path: Path, table: pd.DataFrame, labels: Any) -> None:
    inputs = SCHEMA.encode(table).numpy()
    xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(inputs, labels).save_model(tmp_path / "regression.json")
    with pytest.raises(ModelError, match="has the objective 'reg:squarederror', required is one of binary:logistic"):
        from_xgboost(tmp_path / "regression.json", schema=SCHEMA, classes=("a", "b"))
    xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(inputs[:, :3], labels > 0).save_model(tmp_path / "fewer.json")
    with pytest.raises(ModelError, match=r"takes inputs of shape \(3\), the data give \(5,\)"):
        from_xgboost(tmp_path / "fewer.json", schema=SCHEMA, classes=("a", "b"))
    named = pd.DataFrame(inputs, columns=["income", "home_free", "home_own", "home_lent", "debt"])
    xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(named, labels > 0).save_model(tmp_path / "named.json")
    with pytest.raises(ModelError, match="takes a column 'home_lent', which the data do not give"):
        from_xgboost(tmp_path / "named.json", schema=SCHEMA, classes=("a", "b"))
    xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(inputs, labels).save_model(tmp_path / "three.json")
    with pytest.raises(ModelError, match=r"has outputs of shape \(3,\) a row, the classes are a, b"):
        from_xgboost(tmp_path / "three.json", schema=SCHEMA, classes=("a", "b"))
    for load, name in ((from_xgboost, "text.json"), (from_lightgbm, "text.txt")):
        (tmp_path / name).write_text("no model")
        with pytest.raises(ModelError, match="is no model of"):
            load(tmp_path / name, schema=SCHEMA, classes=("a", "b"))
    with pytest.raises(ModelError, match="pickles are not read"):
        from_xgboost(tmp_path / "model.pkl", schema=SCHEMA, classes=("a", "b"))
