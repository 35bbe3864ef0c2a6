"""A classifier brought from elsewhere answers as it did at home."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

from classifier import Classifier, Dataset, Feature, Schema
from classifier.adapters.function import from_function
from classifier.adapters.sklearn import from_sklearn
from classifier.builtin import GERMAN_CREDIT
from classifier.errors import ModelError
from classifier.seeds import Seed


@pytest.fixture(scope="module")
def table(german_credit: Dataset) -> pd.DataFrame:
    """The file itself, as whoever fitted the pipeline had it."""
    return pd.read_csv(GERMAN_CREDIT)[[*german_credit.schema.names, "credit_risk"]]


@pytest.fixture(scope="module")
def pipeline(table: pd.DataFrame) -> Any:
    inputs = table.drop(columns="credit_risk")
    numbers = ["duration_months", "amount_dm"]
    columns = make_column_transformer((StandardScaler(), numbers), remainder=OneHotEncoder(sparse_output=False))
    return make_pipeline(columns, LogisticRegression(max_iter=500)).fit(inputs, table["credit_risk"])


def test_a_pipeline_gives_the_same_probabilities(german_credit: Dataset, table: pd.DataFrame, pipeline: Any) -> None:
    assert list(pipeline.classes_) == ["bad", "good"]
    classifier = from_sklearn(lambda: pipeline, schema=german_credit.schema, classes=german_credit.classes)
    expected = pipeline.predict_proba(table.drop(columns="credit_risk"))
    # Good comes first here, and last in the estimator.
    assert classifier.probabilities(german_credit.inputs).numpy() == pytest.approx(expected[:, ::-1], abs=1e-6)
    agreement = np.array(classifier.classes)[classifier.predict(german_credit.inputs)] == pipeline.predict(
        table.drop(columns="credit_risk")
    )
    assert agreement.all()
    assert not classifier.differentiable


def test_classes_that_are_numbers_are_known_by_their_names(german_credit: Dataset, table: pd.DataFrame) -> None:
    inputs, default = table[["duration_months", "amount_dm"]], (table["credit_risk"] == "bad").astype(int)
    estimator = LogisticRegression(max_iter=500).fit(inputs, default)
    schema = Schema("tabular", (german_credit.schema["duration_months"], german_credit.schema["amount_dm"]))
    classifier = from_sklearn(lambda: estimator, schema=schema, classes=("0", "1"))
    found = classifier.probabilities(schema.encode(inputs)).numpy()
    assert found == pytest.approx(estimator.predict_proba(inputs), abs=1e-6)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LogisticRegression(), "LogisticRegression is not fitted; fit it inside the factory"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "Pipeline is not fitted"),
        (LinearSVC(), "LinearSVC gives no probabilities; wrap it in CalibratedClassifierCV"),
        (LogisticRegression().fit(np.eye(3), ["a", "b", "c"]), "the estimator knows the classes a, b, c, the data have good, bad"),
    ],
)
def test_an_estimator_that_cannot_answer_is_refused(german_credit: Dataset, estimator: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        from_sklearn(lambda: estimator, schema=german_credit.schema, classes=german_credit.classes)


def test_an_estimator_of_other_columns_is_refused(german_credit: Dataset, table: pd.DataFrame) -> None:
    estimator = LogisticRegression(max_iter=500).fit(table[["amount_dm"]], table["credit_risk"])
    with pytest.raises(ModelError, match="the model does not take inputs of shape"):
        from_sklearn(lambda: estimator, schema=german_credit.schema, classes=german_credit.classes)


def test_a_function_is_given_natural_units(german_credit: Dataset, table: pd.DataFrame) -> None:
    seen: list[pd.DataFrame] = []

    def longer_is_worse(frame: pd.DataFrame) -> Any:
        seen.append(frame)
        return frame["duration_months"] / 100

    classifier = from_function(longer_is_worse, schema=german_credit.schema, classes=german_credit.classes)
    found = classifier.probabilities(german_credit.inputs[:50])[:, 1]
    assert found.tolist() == pytest.approx((table["duration_months"][:50] / 100).tolist(), abs=1e-6)
    assert seen[-1].to_dict("list") == table.drop(columns="credit_risk")[:50].astype(
        {"amount_dm": float, "duration_months": float}
    ).to_dict("list")


def test_functions_of_different_names_have_different_digests(mixed_schema: Schema) -> None:
    def first(frame: pd.DataFrame) -> Any:
        return np.full(len(frame), 0.5)

    def second(frame: pd.DataFrame) -> Any:
        return np.full(len(frame), 0.5)

    one, other = (from_function(f, schema=mixed_schema, classes=("a", "b")) for f in (first, second))
    assert one.digest != other.digest
    assert one.digest == from_function(first, schema=mixed_schema, classes=("a", "b")).digest


def test_a_function_that_answers_beside_the_point_is_refused(mixed_schema: Schema) -> None:
    with pytest.raises(ModelError, match="must return probabilities"):
        from_function(lambda frame: np.full((len(frame), 2), 0.7), schema=mixed_schema, classes=("a", "b"))
    with pytest.raises(ModelError, match=r"shape \(2, 3\), required is \(2, 2\)"):
        from_function(lambda frame: np.full((len(frame), 3), 1 / 3), schema=mixed_schema, classes=("a", "b"))


def test_a_black_box_answers_row_by_row(mixed_schema: Schema) -> None:
    classifier: Classifier = from_function(lambda frame: frame["months"] / 100, schema=mixed_schema, classes=("a", "b"))
    x = torch.rand(9, 8, generator=Seed(0).torch())
    one_by_one = torch.cat([classifier.logits(row[None]) for row in x])
    assert torch.equal(classifier.logits(x), one_by_one)


def encoded(values: list[Any], known: Any = None) -> Any:
    """A pipeline whose encoder was fitted with some values, behind an imputer."""
    frame = pd.DataFrame({"home": known if known is not None else values, "age": range(len(values))})
    steps = ColumnTransformer(
        [("c", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), ["home"])],
        remainder="passthrough",
    )
    return make_pipeline(steps, LogisticRegression()).fit(frame, ["no", "yes"] * (len(values) // 2))


HOMES = Schema("tabular", (Feature("home", "categorical", categories=("free", "own", "rent")), Feature("age", "integer", low=0, high=9)))


def test_values_that_an_encoder_has_never_seen_are_refused_or_told() -> None:
    strings = encoded(["free", "own", "rent", "own"])
    assert from_sklearn(lambda: strings, schema=HOMES, classes=("no", "yes")).card["assumptions"] == ()
    (said,) = from_sklearn(lambda: encoded(["free", "own"]), schema=HOMES, classes=("no", "yes")).card["assumptions"]
    assert said == "the encoder of home has never seen rent; it knows 'free', 'own'"
    with pytest.raises(
        ModelError, match=r"encoder of 'home' knows 'lent', 'sold'; the data have 'free', 'own', 'rent', which it has never"
    ):
        from_sklearn(lambda: encoded(["lent", "sold"]), schema=HOMES, classes=("no", "yes"))
    with pytest.raises(ModelError, match=r"knows 1, 2; the data have 'free'"):
        from_sklearn(lambda: encoded([1, 2]), schema=HOMES, classes=("no", "yes"))


def test_numbers_before_an_encoder_of_strings_are_refused() -> None:
    numbers = Schema("tabular", (Feature("home", "integer", low=1, high=3), HOMES["age"]))
    with pytest.raises(ModelError, match=r"encoder of 'home' knows '1', '2'.*kind = \"categorical\""):
        from_sklearn(lambda: encoded(["1", "2"]), schema=numbers, classes=("no", "yes"))
    steps = make_pipeline(OrdinalEncoder(), LogisticRegression()).fit(pd.DataFrame({"home": ["1", "2"], "age": ["0", "1"]}), [0, 1])
    with pytest.raises(ModelError, match="encoder of 'home' knows '1', '2'"):
        from_sklearn(lambda: steps, schema=numbers, classes=("0", "1"))


@pytest.mark.parametrize("kind", [int, float, np.float32])
def test_whole_numbers_as_classes_need_no_decimal_point(kind: type) -> None:
    estimator = LogisticRegression().fit(np.eye(2), np.array([0, 1]).astype(kind))
    schema = Schema("tabular", tuple(Feature(name, "continuous", low=0, high=1) for name in "ab"))
    assert from_sklearn(lambda: estimator, schema=schema, classes=("0", "1")).classes == ("0", "1")
