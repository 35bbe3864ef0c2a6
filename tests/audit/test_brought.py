"""Every kind of classifier that is brought runs a whole audit, and `assay check` says before what it can be asked."""

from __future__ import annotations

import json
import re
import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

from audit import Subject, run
from audit.bundle import Audit, verify_bundle
from audit.configuration import Configuration
from audit.evidence import Evidence
from audit.pipeline import audit_configuration
from audit.preview import preview_configuration
from classifier.errors import AssayError, ConfigurationError, DataError
from classifier.records import write_record

NUMBERS = ("income", "months", "debt")
CHECKS = """
[checks."explanation.attribution"]
limit = 6
background = 3
samples = 32
[checks."robustness.attack"]
limit = 12
suite = "quick"
eps = [0.1]
[checks."performance.learning"]
permutations = 200
[checks."performance.accuracy"]
resamples = 100
[checks."fairness.groups"]
resamples = 100
"""
# What becomes of these where a classifier is brought stands in the matrix.
SKIPPED = (
    "robustness.backdoor", "robustness.bounds", "robustness.corruptions", "robustness.distance", "robustness.feature_costs",
    "robustness.invariance", "robustness.out_of_distribution", "robustness.smoothing", "robustness.text_edits", "robustness.transfer",
    "data.label_errors",
)  # fmt: skip


def loans() -> pd.DataFrame:
    """200 loans: three numbers, a category, and who asks."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({name: generator.normal(50, 10, 200).round(1) for name in NUMBERS})
    frame["home"] = generator.choice(["free", "own", "rent"], 200)
    frame["sex"] = generator.choice(["f", "m"], 200)
    frame["default"] = np.where(frame["income"] - frame["debt"] + generator.normal(0, 8, 200) < 0, "yes", "no")
    return frame


def network() -> nn.Module:
    """Logits of the six columns of `loans`, in natural units."""
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm1d(6, momentum=1.0), nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 2)).eval()


def columns() -> torch.Tensor:
    frame = loans()
    return torch.from_numpy(pd.get_dummies(frame[[*NUMBERS, "home"]]).to_numpy(dtype=np.float32))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the table lies, with a configuration folder of its own for the keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CI", raising=False)
    loans().to_csv(tmp_path / "loans.csv", index=False)
    return tmp_path


def write(folder: Path, model: str, *, data: str = 'path = "loans.csv"', protected: str = '["sex"]', checks: str = CHECKS) -> Path:
    path = folder / "audit.toml"
    stated = f'{data}\ntarget = "default"\nevent = "yes"\nprotected = {protected}'
    path.write_text(f'[audit]\nname = "loans"\nprofile = "quick"\n[data]\n{stated}\n[model]\n{model}\n{checks}')
    return path


def bundled(path: Path) -> tuple[Audit, dict[str, Evidence]]:
    """The audit to its finished and verified bundle, with what each check left."""
    outcome = audit_configuration(path, progress=False)
    assert verify_bundle(outcome.folder)
    return outcome.audit, {evidence.check: evidence for evidence in outcome.audit.evidence}


def audited(path: Path, *, skip: tuple[str, ...] = SKIPPED) -> tuple[Subject, dict[str, Evidence]]:
    """The same without a bundle, with what was audited."""
    configuration = Configuration.read(path)
    splits = configuration.read_splits(path.parent)
    subject = configuration.subject(splits, configuration.classifier(splits, path.parent), path.parent)
    audit = run(subject, profile="quick", options=configuration.checks, skip=skip, progress=False)
    return subject, {evidence.check: evidence for evidence in audit.evidence}


def make_exported(folder: Path) -> tuple[str, Any]:
    model = network()
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.export.save(torch.export.export(model, (columns()[:3],), dynamic_shapes=({0: batch},)), folder / "m.pt2")
    return 'exported = "m.pt2"', model(columns()).softmax(1)


def make_onnx(folder: Path) -> tuple[str, Any]:
    model = network()
    torch.onnx.export(model, (columns()[:3],), folder / "m.onnx", dynamo=True, dynamic_shapes=({0: "batch"},), verbose=False)
    return 'onnx = "m.onnx"', model(columns()).softmax(1)


def make_estimator_onnx(folder: Path) -> tuple[str, Any]:
    """As converters of scikit-learn write it: the label, and a map of probabilities; for seven rows at once."""
    frame = loans()
    estimator = LogisticRegression(max_iter=500).fit(columns().numpy(), frame["default"])
    weights, (intercept,) = estimator.coef_[0].tolist(), estimator.intercept_.tolist()
    classify = helper.make_node(
        "LinearClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml", coefficients=[*(-w for w in weights), *weights],
        intercepts=[-intercept, intercept], classlabels_strings=["no", "yes"], post_transform="LOGISTIC",
    )  # fmt: skip
    zipped = helper.make_node("ZipMap", ["p"], ["m"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"])
    pairs = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    graph = helper.make_graph(
        [classify, zipped],
        "estimator",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [7, 6])],
        [
            helper.make_tensor_value_info("label", TensorProto.STRING, [7]),
            helper.make_value_info("m", helper.make_sequence_type_proto(pairs)),
        ],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), folder / "m.onnx")
    return 'onnx = "m.onnx"', estimator.predict_proba(columns().numpy())


def make_python(folder: Path) -> tuple[str, Any]:
    model = network()
    save_file(model.state_dict(), folder / "m.safetensors")
    module = types.ModuleType("brought_factories")
    module.make = lambda: nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 2))  # type: ignore[attr-defined]
    sys.modules["brought_factories"] = module
    return 'python = "brought_factories:make"\nweights = "m.safetensors"', model(columns()).softmax(1)


def make_skops(folder: Path) -> tuple[str, Any]:
    from skops import io

    frame = loans()
    inputs = frame[[*NUMBERS, "home"]]
    coded = make_column_transformer((OneHotEncoder(sparse_output=False), ["home"]), remainder=StandardScaler())
    pipeline = make_pipeline(coded, LogisticRegression()).fit(inputs, frame["default"])
    io.dump(pipeline, folder / "m.skops")
    return 'skops = "m.skops"', pipeline.predict_proba(inputs)


def make_xgboost(folder: Path) -> tuple[str, Any]:
    import xgboost

    inputs, labels = columns().numpy(), (loans()["default"] == "yes").astype(int)
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1).fit(inputs, labels)
    model.save_model(folder / "m.json")
    return 'xgboost = "m.json"', model.predict_proba(inputs)


def make_lightgbm(folder: Path) -> tuple[str, Any]:
    import lightgbm

    inputs, labels = columns().numpy(), (loans()["default"] == "yes").astype(int)
    model = lightgbm.LGBMClassifier(n_estimators=5, num_leaves=4, n_jobs=1, verbose=-1).fit(inputs, labels)
    model.booster_.save_model(folder / "m.txt")
    return 'lightgbm = "m.txt"', model.booster_.predict(inputs)


MAKERS: dict[str, tuple[Callable[[Path], tuple[str, Any]], bool]] = {
    "exported": (make_exported, True),
    "onnx": (make_onnx, True),
    "onnx of an estimator": (make_estimator_onnx, False),
    "python with weights": (make_python, True),
    "skops": (make_skops, False),
    "xgboost": (make_xgboost, False),
    "lightgbm": (make_lightgbm, False),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_brought_classifier_answers_as_at_home_to_every_check(folder: Path, kind: str) -> None:
    make, differentiable = MAKERS[kind]
    model, expected = make(folder)
    encoding = '\nencoding = "natural"' if kind.startswith("python") else ""
    path = write(folder, model, data=f'path = "loans.csv"{encoding}')
    said = preview_configuration(path)
    assert f"Model: {model.split(' ')[0]} " in said
    assert ("gradients: yes" in said) == differentiable
    assert not re.search(r"robustness\.attack +not run", said)
    subject, evidence = audited(path)
    expected = np.asarray(expected.detach() if isinstance(expected, torch.Tensor) else expected, dtype=float)
    assert subject.probabilities()[:, 1] == pytest.approx(expected if expected.ndim == 1 else expected[:, 1], abs=1e-5)
    assert evidence["robustness.attack"].not_run is None
    # What does not ask for gradients runs, unless it would have to know how the classifier came about.
    lacking = {evidence[name].not_run for name in evidence if name != "robustness.attack"} - {None}
    assert lacking <= {"the training data are not known", "the classifier comes without the recipe that trained it"}
    assert evidence["explanation.attribution"].not_run is None


@pytest.mark.parametrize("kind", ["exported", pytest.param("skops", marks=pytest.mark.slow)])
def test_a_brought_classifier_leaves_a_bundle_that_names_it(folder: Path, kind: str) -> None:
    make, differentiable = MAKERS[kind]
    path = write(folder, make(folder)[0])
    audit, _ = bundled(path)
    configuration = Configuration.read(path)
    assert audit.identity.classifier == configuration.classifier(configuration.read_splits(folder), folder).digest
    assert audit.identity.architecture == "brought"
    # Weights are sealed; a black box has none.
    assert (folder / "reports" / "loans" / "model.safetensors.age").exists() == differentiable


class Answering(BaseHTTPRequestHandler):
    """Answers with the model of the server, and counts."""

    def do_POST(self) -> None:  # the standard library's name
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
        self.server.asked += [json.dumps(row, sort_keys=True) for row in rows]  # type: ignore[attr-defined]
        risks = [1 / (1 + np.exp((row["income"] - row["debt"]) / 10)) for row in rows]
        body = json.dumps({"probabilities": [[1 - risk, risk] for risk in risks]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_endpoint_is_audited_and_no_row_asked_twice(folder: Path, server: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{server.server_address[1]}/predict"
    path = write(folder, f'rest = "{url}"\n[model.requests]\nbatch_size = 5000\nper_second = 1000')
    said = preview_configuration(path)
    assert "an endpoint gives no gradients" in said
    server.asked.clear()  # type: ignore[attr-defined]
    # An attack asks some rows twice on purpose, to see whether the answers are random.
    _, evidence = audited(path, skip=(*SKIPPED, "robustness.attack"))
    asked: list[str] = server.asked  # type: ignore[attr-defined]
    assert len(set(asked)) == len(asked) > 200
    assert evidence["explanation.attribution"].not_run is None


def predicted() -> pd.DataFrame:
    frame = loans()
    risk = 1 / (1 + np.exp((frame["income"] - frame["debt"]) / 10))
    return frame[["default", "sex"]].assign(case=[f"c{i}" for i in range(200)], no=(1 - risk).round(6), yes=risk.round(6))


def test_predictions_alone_are_audited_as_far_as_they_go(folder: Path) -> None:
    predicted().to_csv(folder / "predictions.csv", index=False)
    path = write(folder, 'predictions = "predictions.csv"\nid = "case"', data='path = "predictions.csv"')
    said = preview_configuration(path)
    assert "nothing is known of its inputs" in said
    assert re.search(r"explanation\.attribution +not run: there are predictions only", said)
    audit, evidence = bundled(path)
    assert audit.identity.architecture == "predictions"
    assert audit.identity.features == 0
    ran = {name for name, found in evidence.items() if found.not_run is None}
    assert {"data.quality", "performance.accuracy", "performance.calibration", "performance.learning", "fairness.groups"} <= ran
    assert {"explanation.attribution", "robustness.attack", "privacy.membership_inference"} & ran == set()
    quality = {metric.name: metric for metric in evidence["data.quality"].metrics}
    assert quality["data.rows"].value == 200
    assert quality["data.rows_outside_bounds"].value is None
    assert "no inputs" in str(quality["data.rows_outside_bounds"].reason)
    accuracy = next(metric for metric in evidence["performance.accuracy"].metrics if metric.name == "performance.accuracy")
    frame = predicted()
    assert accuracy.value == pytest.approx(((frame["yes"] >= 0.5) == (frame["default"] == "yes")).mean())
    assert accuracy.bound == "upper"  # nobody knows what was learned from


def test_predictions_beside_a_table_are_matched_by_case(folder: Path) -> None:
    frame, cases = loans(), predicted()[["case", "yes"]]
    frame.assign(case=cases["case"]).to_csv(folder / "loans.csv", index=False)
    cases.rename(columns={"yes": "risk"}).sample(frac=1, random_state=0).to_csv(folder / "scores.csv", index=False)
    path = write(folder, 'predictions = "scores.csv"\nid = "case"\n[model.columns]\nyes = "risk"')
    configuration = Configuration.read(path)
    splits = configuration.read_splits(folder)
    subject = configuration.subject(splits, None, folder)
    assert subject.test.schema.names == (*NUMBERS, "home")
    assert subject.probabilities()[:, 1] == pytest.approx(cases["yes"].to_numpy())
    with pytest.raises(ConfigurationError, match="predictions alone, and this asks the classifier itself"):
        configuration.classifier(splits, folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(yes=f["yes"] * 3), "no probabilities in row"),
        (lambda f: f.assign(yes="high"), "holds 'high' as a probability"),
        (lambda f: f.drop(columns=["yes", "no"]).assign(score=0.5), "no column 'yes' with the probability of that class"),
        (lambda f: f[:150], "has 150 rows, the data have 200"),
    ],
)
def test_a_file_of_predictions_that_does_not_fit_is_refused(folder: Path, change: Any, message: str) -> None:
    change(predicted()).drop(columns="case").to_csv(folder / "scores.csv", index=False)
    path = write(folder, 'predictions = "scores.csv"')
    with pytest.raises(DataError, match=message):
        preview_configuration(path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ('onnx = "m.onnx"\npath = "saved"', "needs one of architecture"),
        ('onnx = "m.onnx"\ntrusted = ["a"]', "has trusted, which belongs to skops"),
        ('architecture = "mlp"\noutput = "logits"', "has output, which belongs to onnx or exported"),
        ('onnx = "absent.onnx"', "there is no file"),
        ('python = "absent_module:make"', "cannot be imported"),
        ('rest = "http://8.8.8.8/"', "required is a loopback or private address"),
        ('rest = "http://127.0.0.1:9/"', "does not answer"),
    ],
)
def test_a_model_that_cannot_be_brought_is_refused_before_anything_runs(folder: Path, model: str, message: str) -> None:
    with pytest.raises(AssayError, match=message):
        preview_configuration(write(folder, model))


def test_a_schema_from_a_file_is_the_one_that_is_used(folder: Path) -> None:
    model, _ = make_python(folder)
    first = Configuration.read(write(folder, model)).read_splits(folder).test.schema
    write_record(folder / "schema.json", replace(first, encoding="natural"))
    path = write(folder, model, data='path = "loans.csv"\nschema = "schema.json"')
    assert Configuration.read(path).read_splits(folder).test.schema == replace(first, encoding="natural")
    with pytest.raises(ConfigurationError, match="leave those out"):
        Configuration.read(write(folder, model, data='path = "loans.csv"\nschema = "schema.json"\nencoding = "unit"'))
    path = write(folder, model, data='path = "loans.csv"\nschema = "schema.json"')
    (folder / "schema.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="does not hold a Schema"):
        Configuration.read(path).read_splits(folder)
