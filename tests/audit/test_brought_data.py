"""What reaches a classifier that was brought is what the data hold, or somebody said otherwise; `assay check` tells the rest."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import torch
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io
from torch import nn

from audit import preview
from audit.configuration import Configuration
from audit.preview import preview_configuration
from audit.subject import Subject
from classifier import Classifier, Feature, Schema
from classifier.adapters.function import from_function
from classifier.errors import AssayError, ConfigurationError, DataError, ModelError
from classifier.records import write_record


def loans() -> pd.DataFrame:
    """200 loans: two numbers, a category."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({name: generator.normal(50, 10, 200).round(1) for name in ("income", "debt")})
    frame["home"] = generator.choice(["free", "own", "rent"], 200)
    return frame.assign(default=np.where(frame["income"] - frame["debt"] + generator.normal(0, 8, 200) < 0, "yes", "no"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    loans().to_csv(tmp_path / "loans.csv", index=False)
    return tmp_path


def write(folder: Path, model: str, *, data: str = "", event: str = "yes", more: str = "") -> Path:
    path = folder / "audit.toml"
    stated = f'path = "loans.csv"\ntarget = "default"\nevent = "{event}"\n{data}'
    path.write_text(f'[audit]\nname = "loans"\nprofile = "quick"\n[data]\n{stated}\n[model]\n{model}\n{more}')
    return path


def subject(path: Path) -> Subject:
    """What would be audited."""
    configuration = Configuration.read(path)
    splits = configuration.read_splits(path.parent)
    classifier = None if configuration.model.predictions else configuration.classifier(splits, path.parent)
    return configuration.subject(splits, classifier, path.parent)


def factory(monkeypatch: pytest.MonkeyPatch, made: Any, name: str = "brought_factory") -> str:
    module = types.ModuleType(name)
    module.make = lambda: made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    from audit.brought import _make

    _make.cache_clear()
    return f'python = "{name}:make"'


def risk(frame: pd.DataFrame) -> Any:
    return 1 / (1 + np.exp((frame["income"] - frame["debt"]) / 10))


def boosted(folder: Path, frame: pd.DataFrame) -> Any:
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1, enable_categorical=True)
    model.fit(frame, loans()["default"] == "yes")
    model.save_model(folder / "m.json")
    return model


def test_gaps_are_refused_until_somebody_says_what_stands_for_them(folder: Path) -> None:
    frame = loans()[["income", "debt"]]
    model = boosted(folder, frame)
    frame.loc[::7, "income"] = np.nan
    frame.assign(default=loans()["default"]).to_csv(folder / "loans.csv", index=False)
    with pytest.raises(
        ConfigurationError, match=r"'income' of loans.csv lacks a value in 29 of 200 rows.*\[data.features.income\] fill = 50.5"
    ):
        preview_configuration(write(folder, 'xgboost = "m.json"'))
    path = write(folder, 'xgboost = "m.json"', more="[data.features.income]\nfill = 30.0")
    assert "income: 29 missing, the classifier is asked with 30.0" in preview_configuration(path)
    assert subject(path).probabilities() == pytest.approx(model.predict_proba(frame.fillna(30)), abs=1e-5)


def test_a_gap_in_a_category_can_be_a_category_of_its_own_or_missing_to_trees(folder: Path) -> None:
    frame = loans().drop(columns="default").assign(home=lambda f: f["home"].where(np.arange(200) % 5 > 0))
    model = boosted(folder, frame.astype({"home": pd.CategoricalDtype(["rent", "own", "free"])}))
    frame.assign(default=loans()["default"]).to_csv(folder / "loans.csv", index=False)
    with pytest.raises(
        ConfigurationError, match=r"categories = \[\"free\", \"own\", \"rent\", \"\(missing\)\"\] and fill = \"\(missing\)\""
    ):
        preview_configuration(write(folder, 'xgboost = "m.json"'))
    stated = '[data.features.home]\ncategories = ["free", "own", "rent", "(missing)"]\nfill = "(missing)"'
    expected = model.predict_proba(frame.astype({"home": pd.CategoricalDtype(["rent", "own", "free"])}))
    assert subject(write(folder, 'xgboost = "m.json"', more=stated)).probabilities() == pytest.approx(expected, abs=1e-5)


def test_predictions_and_classifiers_with_a_schema_of_their_own_may_have_gaps(folder: Path) -> None:
    frame = loans()
    frame.loc[::7, "income"] = np.nan
    frame.assign(yes=0.3).to_csv(folder / "loans.csv", index=False)
    assert subject(write(folder, 'predictions = "loans.csv"')).predictions is not None


@pytest.mark.parametrize("kind", ["lightgbm", "skops"])
def test_seconds_since_1970_do_not_lose_their_last_digits(folder: Path, kind: str) -> None:
    generator = np.random.default_rng(0)
    inputs = pd.DataFrame({"ts": 1_700_000_000 + generator.integers(0, 2000, 200), "debt": loans()["debt"]})
    labels = np.where(inputs["ts"] > 1_700_001_000, "yes", "no")
    inputs.assign(default=labels).to_csv(folder / "loans.csv", index=False)
    if kind == "lightgbm":
        lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(inputs, labels).booster_.save_model(folder / "m.txt")
        with pytest.raises(ConfigurationError, match=r"'ts' reaches 1700001\d+ .* 128 apart.*subtract a constant such as 1700000"):
            preview_configuration(write(folder, 'lightgbm = "m.txt"'))
        return
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, labels)
    io.dump(model, folder / "m.skops")
    with pytest.raises(ConfigurationError, match=r"'ts' reaches .* 128 apart.*state \[data\] encoding = \"unit\""):
        preview_configuration(write(folder, 'skops = "m.skops"'))
    found = subject(write(folder, 'skops = "m.skops"', data='encoding = "unit"')).probabilities()
    assert found == pytest.approx(model.predict_proba(inputs), abs=1e-5)


def test_whole_numbers_that_32_bits_round_are_told(folder: Path) -> None:
    inputs = loans()[["income", "debt"]].assign(cents=np.random.default_rng(0).integers(0, 10**8, 200))
    inputs.assign(default=loans()["default"]).to_csv(folder / "loans.csv", index=False)
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(inputs, loans()["default"])
    model.booster_.save_model(folder / "m.txt")
    assert "cents: its numbers are given in 32 bits, 8 apart" in preview_configuration(write(folder, 'lightgbm = "m.txt"'))


def test_a_column_that_was_left_out_for_being_constant_is_named_and_kept_where_it_is_stated(folder: Path) -> None:
    frame = loans()[["income", "debt"]]
    frame.insert(1, "k", 1.0)
    frame["home"] = "own"
    codes = frame.assign(k=np.random.default_rng(0).uniform(0, 10, 200), home=np.random.default_rng(1).integers(0, 3, 200))
    lightgbm_model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(codes, loans()["default"] == "yes")
    lightgbm_model.booster_.save_model(folder / "m.txt")
    frame.assign(default=loans()["default"]).to_csv(folder / "loans.csv", index=False)
    model = 'lightgbm = "m.txt"\ncategories = "codes"'
    with pytest.raises(
        ModelError, match=r"takes a column 'k'.*left out, since they have one value only in these data: k, home; .*features.k"
    ):
        preview_configuration(write(folder, model))
    stated = '[data.features.k]\nlow = 0\nhigh = 10\n[data.features.home]\ncategories = ["free", "own", "rent"]'
    found = subject(write(folder, model, more=stated))
    assert found.test.schema.names == ("income", "k", "debt", "home")
    expected = np.asarray(lightgbm_model.predict_proba(codes.assign(k=1.0, home=1)))
    assert found.probabilities() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("make", [lambda: nn.Sequential(nn.Linear(2, 2)), lambda: lambda x: x[:, :1].expand(-1, 2).softmax(1)])
def test_python_may_state_the_class_of_each_output(folder: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any]) -> None:
    loans().drop(columns="home").to_csv(folder / "loans.csv", index=False)
    made = make()
    said = factory(monkeypatch, made)
    plain = subject(write(folder, said)).probabilities()
    turned = subject(write(folder, f'{said}\nclasses = ["yes", "no"]'))
    assert turned.probabilities() == pytest.approx(plain[:, ::-1], abs=1e-6)
    assert "outputs: yes, no, as [model] classes states" in preview_configuration(folder / "audit.toml")


def test_an_estimator_of_zeros_and_ones_is_brought_by_stating_what_they_are_called(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = loans()[["income", "debt"]]
    frame.assign(default=loans()["default"]).to_csv(folder / "loans.csv", index=False)
    estimator = LogisticRegression().fit(frame, (loans()["default"] == "yes").astype(float))
    said = factory(monkeypatch, estimator)
    with pytest.raises(ModelError, match=r"the estimator knows the classes 0, 1, the data have no, yes; state \[model\] classes"):
        subject(write(folder, said))
    found = subject(write(folder, f'{said}\nclasses = ["no", "yes"]')).probabilities()
    assert found == pytest.approx(estimator.predict_proba(frame), abs=1e-5)


def test_a_module_that_ends_in_a_softmax_by_python_is_taken_for_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x).softmax(1)

    loans().drop(columns="home").to_csv(folder / "loans.csv", index=False)
    module = Own()
    said = factory(monkeypatch, module)
    with pytest.raises(ConfigurationError, match=r"state \[model\] output"):
        preview_configuration(write(folder, said))
    found = subject(write(folder, f'{said}\noutput = "probabilities"'))
    assert found.probabilities() == pytest.approx(module(found.test.inputs).detach().numpy(), abs=1e-5)
    with pytest.raises(ConfigurationError, match="output belongs to a module"):
        subject(write(folder, f'{factory(monkeypatch, len)}\noutput = "logits"'))


SCHEMA = Schema("tabular", tuple(Feature(name, "continuous", low=0, high=100) for name in ("income", "debt")), encoding="natural")


def test_a_classifier_whose_event_is_its_first_output_is_audited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = from_function(risk, schema=SCHEMA, classes=("no", "yes"))
    path = write(folder, factory(monkeypatch, own), event="no")
    turned = subject(path)
    assert turned.test.classes == ("yes", "no")
    assert turned.probabilities()[:, 0] == pytest.approx(risk(loans()), abs=1e-5)
    assert "outputs: no, yes, as it names them" in preview_configuration(path)
    module = Classifier.wrap(nn.Linear(2, 2), schema=SCHEMA, classes=("no", "yes"))
    module.save(folder / "saved")
    saved = write(folder, factory(monkeypatch, module, "brought_module"), event="no")
    assert subject(saved).probabilities()[:, 1] == pytest.approx(module.probabilities(subject(saved).test.inputs)[:, 0].numpy(), abs=1e-6)
    with pytest.raises(ConfigurationError, match=r"states classes, and .* makes a Classifier"):
        subject(write(folder, f'{factory(monkeypatch, own)}\nclasses = ["no", "yes"]'))


def test_what_a_factory_raises_is_told_with_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = factory(monkeypatch, None)
    monkeypatch.setattr(sys.modules["brought_factory"], "make", lambda: open("model.joblib"))  # noqa: SIM115
    with pytest.raises(ConfigurationError, match="'brought_factory:make' was called and failed: FileNotFoundError") as caught:
        preview_configuration(write(folder, said))
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(ConfigurationError, match="makes a NoneType, required is a module"):
        preview_configuration(write(folder, factory(monkeypatch, None)))


def test_a_factory_beside_the_configuration_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (folder / "beside_audit.py").write_text("from torch import nn\ndef make():\n    return nn.Linear(5, 2)\n")
    monkeypatch.chdir("/")
    path = write(folder, 'python = "beside_audit:make"')
    before = list(sys.path)
    assert "gradients: yes" in preview_configuration(path)
    assert sys.path == before
    # The same name beside another configuration is another module.
    other = folder / "other"
    other.mkdir()
    (other / "beside_audit.py").write_text("make = None")
    loans().to_csv(other / "loans.csv", index=False)
    with pytest.raises(ConfigurationError, match=r"means .*beside_audit.py, and there is .*other/beside_audit.py too"):
        preview_configuration(write(other, 'python = "beside_audit:make"'))
    monkeypatch.delitem(sys.modules, "beside_audit")


def test_a_check_says_when_answers_look_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def brought(function: Callable[[pd.DataFrame], Any]) -> str:
        made = from_function(function, schema=SCHEMA, classes=("no", "yes"))
        return preview_configuration(write(folder, factory(monkeypatch, made)))

    assert "worse than chance" not in (said := brought(risk))
    assert "exactly 0 or 1" not in said
    assert "it ranks 200 rows worse than chance (AUC 0." in brought(lambda frame: 1 - risk(frame))
    assert "each of 200 answers is exactly 0 or 1" in brought(lambda frame: (risk(frame) > 0.5).astype(float))
    assert "worse than chance" not in brought(lambda frame: np.full(len(frame), 0.5))


def given(folder: Path, test: pd.DataFrame, *, data: str = "", model: str = 'architecture = "logistic"') -> Path:
    test.to_csv(folder / "test.csv", index=False)
    return write(folder, model, data=f'test_path = "test.csv"\n{data}')


def test_test_rows_that_are_training_rows_are_counted_by_a_check(folder: Path) -> None:
    frame = loans().assign(person=[f"p{index}" for index in range(200)])
    frame[:150].to_csv(folder / "loans.csv", index=False)
    drop = 'drop = ["person"]'
    assert "not independent" not in preview_configuration(given(folder, frame[150:], data=drop))
    assert "10 of 60 test rows are training rows too" in preview_configuration(given(folder, frame[140:], data=drop))
    shared = frame[150:].assign(person=["p1", "p2"] * 10 + [f"q{index}" for index in range(30)])
    assert "20 of 50 test rows have a person of training rows (2 values)" in preview_configuration(
        given(folder, shared, data='group = "person"')
    )


def test_an_error_in_one_of_several_files_names_it(folder: Path) -> None:
    with pytest.raises(DataError, match=r"test.csv.*unknown category 'lent'"):
        preview_configuration(given(folder, loans().assign(home="lent")))
    loans().assign(default="no").to_csv(folder / "loans.csv", index=False)
    path = given(folder, loans())
    with pytest.raises(AssayError, match=r"loans.csv.*one class only"):
        preview_configuration(path)


def test_cases_with_long_numbers_stay_apart(folder: Path) -> None:
    frame = loans().assign(case=[str(1234567890123456000 + index) for index in range(200)])
    frame.to_csv(folder / "loans.csv", index=False)
    scores = frame[["case"]].assign(yes=risk(frame)).sample(frac=1, random_state=0)
    scores.to_csv(folder / "scores.csv", index=False)
    found = subject(write(folder, 'predictions = "scores.csv"\nid = "case"')).probabilities()
    assert found[:, 1] == pytest.approx(risk(frame), abs=1e-6)


@pytest.mark.parametrize("column", ["default", "income", "home"])
def test_predictions_of_other_rows_are_known_by_what_both_files_have(folder: Path, column: str) -> None:
    scores = loans()[[column]].assign(yes=risk(loans()))
    path = write(folder, 'predictions = "scores.csv"')
    scores.to_csv(folder / "scores.csv", index=False)
    assert subject(path).probabilities()[:, 1] == pytest.approx(risk(loans()), abs=1e-6)
    scores[::-1].to_csv(folder / "scores.csv", index=False)
    with pytest.raises(DataError, match=rf"scores.csv and the data differ in \d+ of 200 rows of '{column}', first in row 0: .*id ="):
        subject(path)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (pd.DataFrame({"choice": loans()["default"]}), "holds decisions alone, in the column 'choice'; labels are not enough"),
        (pd.DataFrame({"yes": loans()["default"]}), "give numbers from 0 to 1; labels are not enough"),
        (pd.DataFrame({"yes": risk(loans()) * 100}), r"in row 0: [\d.]+ as yes, required is a number from 0 to 1; give probabilities"),
    ],
)
def test_what_is_no_probability_is_shown_as_the_file_has_it(folder: Path, scores: pd.DataFrame, message: str) -> None:
    scores.to_csv(folder / "scores.csv", index=False)
    with pytest.raises(DataError, match=message):
        subject(write(folder, 'predictions = "scores.csv"'))


def test_a_schema_from_a_file_says_itself_what_stands_for_gaps(folder: Path) -> None:
    frame = loans()[["income", "debt"]]
    model = boosted(folder, frame)
    frame.loc[::7, "income"] = np.nan
    frame.assign(default=loans()["default"]).to_csv(folder / "loans.csv", index=False)
    features = (Feature("income", "continuous", low=0, high=100, fill=20.0), SCHEMA["debt"])
    write_record(folder / "schema.json", Schema("tabular", features, encoding="natural"))
    found = subject(write(folder, 'xgboost = "m.json"', data='schema = "schema.json"')).probabilities()
    assert found == pytest.approx(model.predict_proba(frame.fillna(20)), abs=1e-5)


NUMBER = Feature("a", "continuous", low=0, high=1)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (Schema("tabular", (NUMBER,)), "1 column an input, scaled to 0 and 1 by their bounds"),
        (Schema("text", (Feature("text", "text", low=0, high=2, categories=("", "?", "a")),), size=(32,)), "texts of 32 tokens"),
        (Schema("image", (NUMBER,), size=(8, 8)), "images of 8 x 8 pixels and 1 channel, levels from 0 to 1"),
        (Schema("sequence", (NUMBER,), encoding="natural", size=(6,)), "series of 6 steps with 1 column each, in natural units"),
        (Schema("graph", (NUMBER,), size=(5,)), "graphs of up to 5 nodes with 1 column each"),
    ],
    ids=lambda value: value.modality if isinstance(value, Schema) else "",
)
def test_an_input_is_put_into_the_words_of_its_kind(schema: Schema, said: str) -> None:
    assert preview._taken(schema).startswith(said)


def test_codes_that_a_network_is_given_are_told(folder: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=4096)
    exported = torch.export.export(nn.Linear(3, 2), (torch.rand(3, 3),), dynamic_shapes=({0: batch},))
    torch.export.save(exported, folder / "m.pt2")
    said = preview_configuration(write(folder, 'exported = "m.pt2"\ncategories = "codes"'))
    assert "codes of categories are their positions: home (free 0, own 1, rent 2); no file tells others" in said
    assert "outputs: no, yes, as labels are sorted" in said
