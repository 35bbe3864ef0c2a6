"""Real models raise no alarm: state_dicts of torch, estimators of scikit-learn, arrays of numpy, and what other tools save."""

from __future__ import annotations

import io
import pickle
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures, SplineTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators
from torch import nn

from audit.supply_chain import Scan, scan

Scanned = Callable[..., Scan]
X, Y = load_iris(return_X_y=True)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))


def tensors() -> dict[str, Any]:
    """Tensors of every kind that a state_dict holds."""
    whole = torch.arange(10.0)
    named = torch.ones(2)
    named.note = "kept as an attribute"  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = {
            "tensor": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
            "channel": torch.quantize_per_channel(torch.ones(2, 2), torch.ones(2), torch.zeros(2, dtype=torch.long), 0, torch.quint8),
            "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
            "compressed": torch.eye(3).to_sparse_csr(),
        }
    return {
        **quantised,
        "parameter": nn.Parameter(torch.ones(2)),
        "buffer": nn.Buffer(torch.ones(2)),
        "bfloat16": torch.ones(3).bfloat16(),
        "float8": torch.ones(3).to(torch.float8_e4m3fn),
        "complex": torch.ones(2, dtype=torch.complex64).conj(),
        "bool": torch.tensor([True, False]),
        "unsigned": torch.zeros(2, dtype=torch.uint16),
        "sparse": torch.eye(3).to_sparse(),
        "shared": whole[:5],
        "shared, too": whole[5:],
        "empty": torch.empty(0),
        "named": named,
        "size": torch.Size([1, 2]),
        "type": torch.float32,
        "device": torch.device("cpu"),
        "counter": Counter("aab"),
        "set": {1, 2},
    }


def checkpoint() -> dict[str, Any]:
    module = network()
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(4, 4)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 3])
    state = {"model": module.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
    return {**state, "random": torch.get_rng_state(), "options": {"widths": [1, 2.5, None, True, (1, 2)]}}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("make", [lambda: network().state_dict(), tensors, checkpoint], ids=["state_dict", "tensors", "checkpoint"])
def test_what_torch_saves_raises_no_alarm(make: Callable[[], Any], legacy: bool, tmp_path: Path) -> None:
    torch.save(make(), tmp_path / "model.pt", _use_new_zipfile_serialization=not legacy)
    found = scan(tmp_path / "model.pt")
    assert found.findings == ()
    assert found.files[0].kind == ("torch (pickles)" if legacy else "torch (zip)")


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_state_dict_that_pickle_saved_raises_no_alarm(protocol: int, scanned: Scanned) -> None:
    assert scanned(pickle.dumps(network().state_dict(), protocol)).findings == ()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_of_numpy_raise_no_alarm(protocol: int, scanned: Scanned) -> None:
    objects = {
        "numbers": np.arange(5),
        "fortran": np.asfortranarray(np.ones((2, 3), np.float16)),
        "texts": np.array(["a", "bc"]),
        "objects": np.array([1, None, "x"], object),
        "masked": np.ma.array([1, 2], mask=[0, 1]),
        "records": np.zeros(2, dtype=[("a", "f4"), ("b", "i8", (2,))]),
        "dates": np.array(["2020-01-01"], dtype="M8[D]"),
        "scalar": np.float32(1),
        "type": np.dtype("f4"),
        "kind": np.float64,
        "generator": np.random.default_rng(0),
        "old generator": np.random.RandomState(0),
    }
    assert scanned(pickle.dumps(objects, protocol)).findings == ()


def test_files_of_numpy_raise_no_alarm(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6.0))
    np.save(tmp_path / "b.npy", np.zeros(3, dtype=[("a", "<f4"), ("b", "i8", (2,))]))
    np.save(tmp_path / "c.npy", np.float64(3))
    np.savez(tmp_path / "d.npz", a=np.arange(3), b=np.array(["x", "yy"]))
    np.savez_compressed(tmp_path / "e.npz", a=np.zeros((1000, 1000)))
    assert scan(tmp_path).findings == ()
    np.save(tmp_path / "f.npy", np.array([{"a": 1}, None], object), allow_pickle=True)
    assert [(finding.rule, finding.severity) for finding in scan(tmp_path).findings] == [("numpy.object", "low")]


FRAME = pd.DataFrame({"a": [1.0, 2.0, None, 4.0] * 10, "b": ["x", "y", None, "z"] * 10})
PIPELINES: dict[str, Callable[[], Any]] = {
    "columns": lambda: make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number")),
            (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), ["b"]),
        ),
        LogisticRegression(),
    ).fit(FRAME, [0, 1] * 20),
    "texts": lambda: make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression()).fit(["good day", "bad day"] * 5, [1, 0] * 5),
    "function": lambda: make_pipeline(FunctionTransformer(np.log1p), LogisticRegression(max_iter=500)).fit(X, Y),
    "search": lambda: GridSearchCV(
        SVC(), {"C": [0.1, 1]}, scoring={"a": "accuracy", "f": "f1_macro"}, refit="a", cv=StratifiedKFold(3)
    ).fit(X, Y),
    "forest": lambda: RandomForestClassifier(5).fit(X, Y),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=3).fit(X, Y),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=3).fit(X, Y),
    "neighbours": lambda: KNeighborsClassifier(algorithm="kd_tree").fit(X, Y),
    "balls": lambda: KNeighborsClassifier(algorithm="ball_tree").fit(X, Y),
    "gaussian process": lambda: GaussianProcessClassifier().fit(X, Y),
    "gradient descent": lambda: SGDClassifier().fit(X, Y),
    "splines": lambda: make_pipeline(SplineTransformer(), PolynomialFeatures(), LogisticRegression(max_iter=10)).fit(X, Y),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PIPELINES)
def test_a_fitted_pipeline_raises_no_alarm_however_it_is_saved(name: str, tmp_path: Path) -> None:
    model = PIPELINES[name]()
    for protocol in PROTOCOLS:
        (tmp_path / f"{protocol}.pkl").write_bytes(pickle.dumps(model, protocol))
    joblib.dump(model, tmp_path / "plain.joblib")
    for method in ("zlib", "gzip", "bz2", "lzma", "xz"):
        joblib.dump(model, tmp_path / f"{method}.joblib", compress=(method, 3))
    found = scan(tmp_path)
    assert found.findings == ()
    assert {file.kind for file in found.files} == {"pickle", "joblib", "zlib", "gzip", "bzip2", "lzma", "xz"}


def test_objects_between_the_arrays_of_joblib_raise_no_alarm(tmp_path: Path) -> None:
    joblib.dump({"a": np.arange(5), "b": [np.zeros((3, 3)), np.array(["a", None], object)], "c": FRAME.to_numpy()}, tmp_path / "m.joblib")
    assert scan(tmp_path).findings == ()


def fitted(kind: type) -> Any:
    """An estimator of that kind, fitted on whatever it takes."""
    base, tree = LogisticRegression(max_iter=50), DecisionTreeClassifier(max_depth=2)
    options = (
        {}, {"estimator": base}, {"estimators": [("a", base), ("b", tree)]}, {"estimator": base, "param_grid": {"C": [1, 2]}},
        {"estimator": base, "param_distributions": {"C": [1, 2]}, "n_iter": 2}, {"transformers": [("a", "passthrough", [0])]},
        {"steps": [("a", base)]}, {"transformer_list": [("a", StandardScaler())]}, {"dictionary": np.eye(4)},
    )  # fmt: skip
    for option in options:
        try:
            model = kind(**option)
            break
        except TypeError:
            continue
    for name, value in {"n_estimators": 5, "max_iter": 300 if kind.__name__ == "TSNE" else 20, "n_components": 2}.items():
        if name in model.get_params():
            model.set_params(**{name: value})
    if kind.__name__ in ("StackingRegressor", "VotingRegressor"):
        model.set_params(estimators=[("a", Ridge())])
    elif kind.__name__ in ("RegressorChain", "MultiOutputRegressor"):
        model.set_params(estimator=Ridge())
    two, many = (Y > 0).astype(int), np.c_[Y > 0, Y > 1].astype(int)
    words = ["a b c", "b c d", "c d e"] * 10
    for rows in (
        (X, Y),
        (X, two),
        (X, many),
        (X, Y + 1.0),
        (X,),
        (Y,),
        (X[:, :2], X[:, 2:]),
        (words,),
        ([{"a": 1}],),
        (X[:, 0], Y),
        (X @ X.T,),
    ):
        try:
            return model.fit(*rows)
        except Exception:  # whatever it does not take, it may take the next
            continue
    return model


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, _ in all_estimators()])
def test_every_estimator_of_scikit_learn_raises_no_alarm(name: str, tmp_path: Path) -> None:
    model = fitted(dict(all_estimators())[name])
    for protocol in PROTOCOLS:
        (tmp_path / f"{protocol}.pkl").write_bytes(pickle.dumps(model, protocol))
    joblib.dump(model, tmp_path / "model.joblib")
    assert scan(tmp_path).findings == ()


def test_what_other_tools_save_raises_no_alarm(tmp_path: Path) -> None:
    import lightgbm
    import skops.io
    import xgboost
    from safetensors.torch import save_file

    model = LogisticRegression(max_iter=500).fit(X, Y)
    skops.io.dump(model, tmp_path / "model.skops")
    boosted = xgboost.XGBClassifier(n_estimators=2).fit(X, Y)
    boosted.save_model(tmp_path / "model.json")
    boosted.save_model(tmp_path / "model.ubj")
    lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(X, Y).booster_.save_model(tmp_path / "model.txt")
    save_file({"w": torch.ones(10, 10), "b": torch.ones(3).bfloat16()}, tmp_path / "model.safetensors")
    torch.export.save(torch.export.export(network().eval(), (torch.ones(2, 4),)), tmp_path / "model.pt2")
    found = scan(tmp_path)
    assert found.findings == ()
    assert {file.name: file.kind for file in found.files}["model.pt2"] == "torch program"


def test_a_module_that_torch_pickled_and_a_program_of_torchscript_are_found(tmp_path: Path, scanned: Scanned) -> None:
    buffer = io.BytesIO()
    torch.save(network(), buffer)
    assert {finding.rule for finding in scanned(buffer.getvalue(), "model.pt").at_least("high")} == {"pickle.global"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(network()), str(tmp_path / "script.pt"))
    assert "torch.script" in {finding.rule for finding in scan(tmp_path / "script.pt").at_least("high")}
