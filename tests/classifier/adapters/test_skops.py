"""An estimator from a skops file answers as it did, and types that nobody trusts are not made."""

from __future__ import annotations

import pickle
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skops import io

from classifier import Feature, Schema
from classifier.adapters.sklearn import from_skops
from classifier.errors import ModelError

SCHEMA = Schema("tabular", tuple(Feature(name, "continuous", low=0, high=100) for name in ("income", "debt")), encoding="natural")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).uniform(0, 100, (80, 2)), columns=["income", "debt"]).astype(np.float32)


def test_a_pipeline_answers_as_it_did(tmp_path: Path, table: pd.DataFrame) -> None:
    labels = np.where(table["income"] > table["debt"], "good", "bad")
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, labels)
    io.dump(pipeline, tmp_path / "model.skops")
    classifier = from_skops(tmp_path / "model.skops", schema=SCHEMA, classes=("good", "bad"))
    found = classifier.probabilities(SCHEMA.encode(table)).numpy()
    assert found == pytest.approx(pipeline.predict_proba(table)[:, ::-1], abs=1e-5)
    renamed = from_skops(tmp_path / "model.skops", schema=SCHEMA, classes=("no", "yes"), output_classes=("yes", "no"))
    assert renamed.probabilities(SCHEMA.encode(table)).numpy() == pytest.approx(found, abs=1e-5)
    with pytest.raises(ModelError, match="the estimator knows the classes bad, good, the data have no, yes"):
        from_skops(tmp_path / "model.skops", schema=SCHEMA, classes=("no", "yes"))
    with pytest.raises(ModelError, match="does not take inputs of shape"):
        from_skops(tmp_path / "model.skops", schema=Schema("tabular", SCHEMA.features[:1]), classes=("good", "bad"))


def test_types_that_are_not_known_to_be_harmless_must_be_named(tmp_path: Path, table: pd.DataFrame) -> None:
    labels = table["income"] > table["debt"]
    pipeline = make_pipeline(FunctionTransformer(np.nan_to_num), LogisticRegression()).fit(table, labels)
    io.dump(pipeline, tmp_path / "model.skops")
    unknown = io.get_untrusted_types(file=tmp_path / "model.skops")
    assert unknown
    with pytest.raises(ModelError, match=r"types that are not known to be harmless: .*; if you know where it comes from") as caught:
        from_skops(tmp_path / "model.skops", schema=SCHEMA, classes=("False", "True"))
    assert all(name in str(caught.value) for name in unknown)
    classifier = from_skops(tmp_path / "model.skops", schema=SCHEMA, classes=("False", "True"), trusted=unknown)
    assert classifier.probabilities(SCHEMA.encode(table)).numpy() == pytest.approx(pipeline.predict_proba(table), abs=1e-5)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(pickle.dumps(LogisticRegression()))
    with pytest.raises(ModelError, match=r"is no skops file: .*; write it with skops.io.dump; pickles are not read"):
        from_skops(tmp_path / "model.skops", schema=SCHEMA, classes=("a", "b"))


def test_an_array_that_is_a_pickle_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    io.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(table, table["income"] > 50), tmp_path / "whole.skops")
    pickled = BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    with ZipFile(tmp_path / "whole.skops") as whole, ZipFile(tmp_path / "model.skops", "w") as changed:
        for name in whole.namelist():
            changed.writestr(name, pickled.getvalue() if name.endswith(".npy") else whole.read(name))
    with pytest.raises(ModelError, match=r"model.skops cannot be loaded: .*; write it with skops.io.dump"):
        from_skops(tmp_path / "model.skops", schema=SCHEMA, classes=("False", "True"))
