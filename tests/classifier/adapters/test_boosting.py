"""Boosted trees answer as the library that trained them, and take the columns that they learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost

from classifier import Feature, Schema
from classifier.adapters.boosting import from_lightgbm, from_xgboost
from classifier.errors import ConfigurationError, ModelError

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


def coded(table: pd.DataFrame, order: tuple[str, ...] = ("rent", "own", "free")) -> pd.DataFrame:
    """The table with a category of pandas, whose codes are not in alphabetical order."""
    return table.assign(home=pd.Categorical(table["home"], categories=order))


def save(library: str, folder: Path, inputs: pd.DataFrame, labels: Any) -> tuple[Any, Any]:
    """A model of a library, fitted and saved, and what loads it."""
    if library == "xgboost":
        model: Any = xgboost.XGBClassifier(n_estimators=8, max_depth=3, n_jobs=1, enable_categorical=True).fit(inputs, labels)
        model.save_model(folder / "model.json")
        return model, lambda **options: from_xgboost(folder / "model.json", **options)
    model = lightgbm.LGBMClassifier(n_estimators=8, num_leaves=6, n_jobs=1, verbose=-1).fit(inputs, labels)
    model.booster_.save_model(folder / "model.txt")
    return model, lambda **options: from_lightgbm(folder / "model.txt", **options)


LIBRARIES = ("xgboost", "lightgbm")


@pytest.mark.parametrize("library", LIBRARIES)
def test_codes_of_categories_are_those_of_the_file(tmp_path: Path, table: pd.DataFrame, labels: Any, library: str) -> None:
    inputs = coded(table)
    model, load = save(library, tmp_path, inputs, labels > 0)
    for schema in (SCHEMA, replaced("home", categories=("free", "own"))):  # the data may lack one
        rows = table[table["home"].isin(schema["home"].categories)]
        classifier = load(schema=schema, classes=("a", "b"))
        expected = np.asarray(model.predict_proba(coded(rows)))
        assert classifier.probabilities(schema.encode(rows)).numpy() == pytest.approx(expected, abs=1e-5)
        assert classifier.card["assumptions"] == ()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_category_that_the_file_does_not_have_is_refused_unless_it_stands_for_a_gap(
    tmp_path: Path, table: pd.DataFrame, labels: Any, library: str
) -> None:
    gaps = table.assign(home=table["home"].where(np.arange(len(table)) % 5 > 0))
    model, load = save(library, tmp_path, coded(gaps), labels > 0)
    with pytest.raises(ModelError, match=r"does not have the category 'lent' of 'home'; it has \"rent\", \"own\", \"free\"; .*unknown ="):
        load(schema=replaced("home", categories=("free", "lent")), classes=("a", "b"))
    schema = replaced("home", categories=("free", "own", "rent", "(missing)"), fill="(missing)")
    found = load(schema=schema, classes=("a", "b")).probabilities(schema.encode(gaps)).numpy()
    assert found == pytest.approx(np.asarray(model.predict_proba(coded(gaps))), abs=1e-5)
    with pytest.raises(ModelError, match=r"takes 'home' as a category.*and the data have numbers there; .*kind = \"categorical\""):
        load(schema=replaced("home", kind="integer", categories=(), low=0, high=2), classes=("a", "b"))


def replaced(name: str, **fields: Any) -> Schema:
    features = tuple(replace(feature, **fields) if feature.name == name else feature for feature in SCHEMA.features)
    return replace(SCHEMA, features=features)


def test_codes_that_no_file_tells_are_assumed_aloud(tmp_path: Path, table: pd.DataFrame, labels: Any) -> None:
    inputs = table.assign(home=table["home"].map({"free": 0, "own": 1, "rent": 2}))
    _, load = save("lightgbm", tmp_path, inputs, labels > 0)
    (assumed,) = load(schema=SCHEMA, classes=("a", "b"), categories="codes").card["assumptions"]
    assert "home (free 0, own 1, rent 2)" in assumed
    with pytest.raises(ModelError, match="for all categories, and does not say their codes; state categories"):
        load(schema=SCHEMA, classes=("a", "b"))


@pytest.mark.parametrize(
    ("library", "names"), [("xgboost", ["f1", "f0"]), ("lightgbm", ["Column_1", "Column_0"]), ("xgboost", ["f0", "f1"])]
)
def test_names_that_look_like_numbers_are_names_where_the_data_have_them(
    tmp_path: Path, table: pd.DataFrame, labels: Any, library: str, names: list[str]
) -> None:
    inputs = table[["income", "debt"]].set_axis(names, axis=1)
    model, load = save(library, tmp_path, inputs, labels > 0)
    features = tuple(replace(SCHEMA[old], name=new) for old, new in zip(("income", "debt"), names, strict=True))
    schema = Schema("tabular", features[::-1], encoding="natural")
    found = load(schema=schema, classes=("a", "b")).probabilities(schema.encode(inputs)).numpy()
    assert found == pytest.approx(np.asarray(model.predict_proba(inputs)), abs=1e-5)


def test_blanks_in_names_are_what_lightgbm_makes_of_them(tmp_path: Path, table: pd.DataFrame, labels: Any) -> None:
    inputs = table[["income", "debt"]].rename(columns={"income": "net income"})
    model, load = save("lightgbm", tmp_path, inputs, labels > 0)
    schema = Schema("tabular", (SCHEMA["debt"], replace(SCHEMA["income"], name="net income")), encoding="natural")
    found = load(schema=schema, classes=("a", "b")).probabilities(schema.encode(inputs)).numpy()
    assert found == pytest.approx(np.asarray(model.predict_proba(inputs)), abs=1e-5)


@pytest.mark.parametrize("library", LIBRARIES)
def test_outputs_are_in_the_order_of_sorted_labels_or_somebody_states_another(
    tmp_path: Path, table: pd.DataFrame, labels: Any, library: str
) -> None:
    inputs = table[["income", "debt"]]
    model, load = save(library, tmp_path, inputs, labels > 0)
    schema = Schema("tabular", (SCHEMA["income"], SCHEMA["debt"]), encoding="natural")
    x, expected = schema.encode(inputs), np.asarray(model.predict_proba(inputs))
    # The event is class 0 of the file: numbers decide.
    assert load(schema=schema, classes=("1", "0")).probabilities(x).numpy() == pytest.approx(expected[:, ::-1], abs=1e-5)
    with pytest.raises(ConfigurationError, match=r"data have good, bad, which is not the order .*classes = \[\"bad\", \"good\"\]"):
        load(schema=schema, classes=("good", "bad"))
    stated = load(schema=schema, classes=("good", "bad"), output_classes=("good", "bad"))
    assert stated.probabilities(x).numpy() == pytest.approx(expected, abs=1e-5)


def test_a_column_that_the_data_lack_says_what_to_state(tmp_path: Path, table: pd.DataFrame, labels: Any) -> None:
    _, load = save("xgboost", tmp_path, pd.get_dummies(table).astype(float), labels > 0)
    with pytest.raises(ModelError, match=r"\[data.features.home\] categories = \[\"free\", \"lent\", \"own\", \"rent\"\]"):
        load(schema=replaced("home", categories=("free", "lent", "own")), classes=("a", "b"))


@pytest.mark.parametrize(
    ("library", "objective", "remedy"),
    [("xgboost", "binary:hinge", "train it with binary:logistic"), ("lightgbm", "multiclassova", "train it with multiclass")],
)
def test_an_objective_without_probabilities_names_one_that_has_them(
    tmp_path: Path, table: pd.DataFrame, labels: Any, library: str, objective: str, remedy: str
) -> None:
    inputs = table[["income", "debt"]].to_numpy(dtype=float)
    if library == "xgboost":
        xgboost.train({"objective": objective, "nthread": 1}, xgboost.DMatrix(inputs, labels > 0), 2).save_model(tmp_path / "m.json")
    else:
        options = {"objective": objective, "num_class": 3, "verbose": -1, "num_threads": 1}
        lightgbm.train(options, lightgbm.Dataset(inputs, labels), 2).save_model(tmp_path / "m.txt")
    with pytest.raises(ModelError, match=remedy):
        (from_xgboost if library == "xgboost" else from_lightgbm)(
            next(tmp_path.iterdir()), schema=Schema("tabular", (SCHEMA["income"], SCHEMA["debt"])), classes=("a", "b", "c")
        )
