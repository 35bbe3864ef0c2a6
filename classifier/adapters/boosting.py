"""Trees boosted by XGBoost (Chen and Guestrin, 2016) or LightGBM (Ke et al., 2017), from their own model files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from classifier.adapters._answers import class_order, require_outputs, two_sided
from classifier.adapters._equality import sample_inputs
from classifier.adapters._layout import Categories, fit_layout
from classifier.classifier import Classifier
from classifier.errors import ModelError
from classifier.records import sha256
from classifier.schema import Schema

# What each objective predicts; the others are no classifiers.
_XGBOOST = {"binary:logistic": "probabilities", "binary:logitraw": "logits", "multi:softprob": "probabilities", "multi:softmax": "logits"}
_LIGHTGBM = ("binary", "multiclass", "cross_entropy")
_NUMBERED = re.compile(r"f\d+|Column_\d+")


def from_xgboost(
    path: str | Path, *, schema: Schema, classes: Sequence[str], output_classes: Sequence[str] = (), categories: Categories = "one-hot"
) -> Classifier:
    """Make a classifier of a file that XGBoost's ``save_model`` wrote, ``.json`` or ``.ubj``. It is a black box.

    Its trees compare numbers with thresholds that occur in the data, so the schema should leave them in natural units.

    Args:
        path: The model file.
        schema: What the inputs mean.
        classes: Name of each class; of two, the second is the event.
        output_classes: The class of each output, in the file's order; by default `classes`.
        categories: How the model takes categories; see :func:`fit_layout`.

    Raises:
        ModelError: If the file cannot be read, is no classifier, or takes other columns or knows other classes.
    """
    try:
        import xgboost
    except ImportError as error:
        raise ModelError("reading XGBoost models needs xgboost", remedy="pip install 'assay[boosting]'") from error
    path = _existing(path, (".json", ".ubj"))
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(path)
        learner = json.loads(booster.save_config())["learner"]
    except (xgboost.core.XGBoostError, ValueError, KeyError) as error:
        raise ModelError(f"{path.name} is no model of XGBoost: {str(error).splitlines()[0]}", remedy="write it with save_model") from error
    objective = learner["learner_train_param"]["objective"]
    if objective not in _XGBOOST:
        raise ModelError(f"{path.name} has the objective {objective!r}, required is one of {', '.join(_XGBOOST)}")
    probable = _XGBOOST[objective] == "probabilities"
    best = booster.attr("best_iteration")
    # After early stopping XGBoost's own classifier predicts with the best iteration, and so does this.
    until = (0, int(best) + 1) if best is not None else (0, 0)
    kinds = booster.feature_types

    def predict(columns: Tensor) -> Tensor:
        table = xgboost.DMatrix(
            columns.numpy(), feature_names=booster.feature_names, feature_types=kinds, enable_categorical="c" in (kinds or ()), nthread=1
        )
        return torch.from_numpy(booster.predict(table, output_margin=not probable, iteration_range=until))

    return _classifier(
        predict, path, booster.num_features(), booster.feature_names or (), schema, classes, output_classes, categories, probable=probable
    )


def from_lightgbm(
    path: str | Path, *, schema: Schema, classes: Sequence[str], output_classes: Sequence[str] = (), categories: Categories = "one-hot"
) -> Classifier:
    """Make a classifier of a file that LightGBM's ``save_model`` wrote, ``.txt``. It is a black box.

    Args and errors: as :func:`from_xgboost` has them.
    """
    try:
        import lightgbm
    except ImportError as error:
        raise ModelError("reading LightGBM models needs lightgbm", remedy="pip install 'assay[boosting]'") from error
    path = _existing(path, (".txt",))
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise ModelError(f"{path.name} is no model of LightGBM: {str(error).splitlines()[0]}", remedy="write it with save_model") from error
    stated = re.search(r"^objective=(\S+)", text, re.MULTILINE)
    objective = stated[1] if stated else "none"
    if objective not in _LIGHTGBM:
        raise ModelError(f"{path.name} has the objective {objective!r}, required is one of {', '.join(_LIGHTGBM)}")

    def predict(columns: Tensor) -> Tensor:
        return torch.as_tensor(booster.predict(columns.double().numpy(), num_threads=1))

    names = booster.feature_name()
    return _classifier(predict, path, booster.num_feature(), names, schema, classes, output_classes, categories, probable=True)


def _existing(path: str | Path, suffixes: Sequence[str]) -> Path:
    path = Path(path)
    if path.suffix not in suffixes:
        raise ModelError(f"{path.name} is no {' or '.join(suffixes)} file", remedy="write the model with save_model; pickles are not read")
    if not path.is_file():
        raise ModelError(f"there is no file {path}", remedy="paths start at the folder of audit.toml")
    return path


def _classifier(
    predict: Callable[[Tensor], Tensor],
    path: Path,
    width: int,
    names: Sequence[str],
    schema: Schema,
    classes: Sequence[str],
    output_classes: Sequence[str],
    categories: Categories,
    *,
    probable: bool,
) -> Classifier:
    own_names = () if all(_NUMBERED.fullmatch(name) for name in names) else tuple(names)
    layout = fit_layout(schema, [width], what=path.name, categories=categories, names=own_names)
    order = class_order(tuple(output_classes) or tuple(classes), classes, what=path.name)

    def function(x: Tensor) -> Any:
        answer = predict(layout(x))
        answer = two_sided(answer.reshape(len(x), -1).double(), probabilities=probable)[:, order]
        return answer if probable else answer.softmax(1)

    require_outputs(predict(layout(sample_inputs(schema, 2))).reshape(2, -1), classes, what=path.name)
    function.__module__, function.__qualname__ = "boosting", sha256(path.read_bytes())
    return Classifier.wrap(
        function, schema=schema, classes=list(classes), card={"why_no_gradients": "the classifier is a black box: trees have no gradients"}
    )
