"""Trees boosted by XGBoost (Chen and Guestrin, 2016) or LightGBM (Ke et al., 2017), from their own model files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from classifier.adapters._answers import class_order, require_outputs, two_sided
from classifier.adapters._columns import Coded, fit_columns, own_names
from classifier.adapters._equality import sample_inputs
from classifier.adapters._labels import label_text, output_labels
from classifier.adapters._layout import Categories
from classifier.classifier import Classifier
from classifier.errors import ModelError
from classifier.records import sha256
from classifier.schema import Schema
from classifier.trees import Trees

# What each objective predicts; the others are no classifiers.
_XGBOOST = {"binary:logistic": "probabilities", "binary:logitraw": "logits", "multi:softprob": "probabilities", "multi:softmax": "logits"}
_LIGHTGBM = ("binary", "multiclass", "cross_entropy")
_REMEDIES = {
    "binary:hinge": "it gives decisions alone; train it with binary:logistic",
    "multiclassova": "its outputs do not sum to 1 as probabilities do; train it with multiclass",
}


def from_xgboost(
    path: str | Path, *, schema: Schema, classes: Sequence[str], output_classes: Sequence[str] = (), categories: Categories = "one-hot"
) -> Classifier:
    """Make a classifier of a file that XGBoost's ``save_model`` wrote, ``.json`` or ``.ubj``. It is a black box.

    Its trees compare numbers with thresholds that occur in the data, so the schema should leave them in natural units.

    Args:
        path: The model file.
        schema: What the inputs mean.
        classes: Name of each class; of two, the second is the event.
        output_classes: The class of each output, in the file's order; by default sorted as label encoders do. One output is
            the probability of the second.
        categories: How the model takes categories, where the file does not tell; see :func:`fit_layout`. Codes that the
            file holds are used, whatever the data's own order is.

    Raises:
        ModelError: If the file cannot be read, is no classifier, takes other columns or knows other categories or classes.
        ConfigurationError: If the order of the classes is not that of sorted labels, and nobody states it.
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
    _require_objective(objective, tuple(_XGBOOST), path.name)
    probable = _XGBOOST[objective] == "probabilities"
    best = booster.attr("best_iteration")
    # After early stopping XGBoost's own classifier predicts with the best iteration, and so does this.
    until = (0, int(best) + 1) if best is not None else (0, 0)
    kinds, names = booster.feature_types, booster.feature_names or ()

    def predict(columns: Tensor) -> Tensor:
        table = xgboost.DMatrix(
            columns.numpy(), feature_names=booster.feature_names, feature_types=kinds, enable_categorical="c" in (kinds or ()), nthread=1
        )
        return torch.from_numpy(booster.predict(table, output_margin=not probable, iteration_range=until))

    coded = _xgboost_categories(booster, path.name) if "c" in (kinds or ()) else {}
    return _classifier(
        booster, predict, path, booster.num_features(), names, coded, schema, classes, output_classes, categories, probable=probable
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
    _require_objective(objective, _LIGHTGBM, path.name)

    def predict(columns: Tensor) -> Tensor:
        return torch.as_tensor(booster.predict(columns.double().numpy(), num_threads=1))

    names = booster.feature_name()
    coded = _lightgbm_categories(booster, text, schema, path.name)
    return _classifier(
        booster, predict, path, booster.num_feature(), names, coded, schema, classes, output_classes, categories, probable=True
    )


def _require_objective(objective: str, known: Sequence[str], name: str) -> None:
    if objective not in known:
        raise ModelError(
            f"{name} has the objective {objective!r}, required is one of {', '.join(known)}",
            remedy=_REMEDIES.get(objective, "bring a model that was trained to classify"),
        )


def _xgboost_categories(booster: Any, name: str) -> Coded:
    """The categories of each categorical column, as the file has them since XGBoost 3.1; older files have none."""
    keys = booster.feature_names or [str(index) for index in range(booster.num_features())]
    categorical = [key for key, kind in zip(keys, booster.feature_types, strict=True) if kind == "c"]
    try:
        listed = booster.get_categories(export_to_arrow=True).to_arrow() or []
    except ImportError as error:
        raise ModelError(f"reading the categories of {name} needs pyarrow", remedy="pip install 'assay[parquet]'") from error
    # The library gives the columns in their order; unnamed ones are called "0", "1" and so on.
    own = {key: values for key, (_, values) in zip(keys, listed, strict=True)} if listed else {}
    found = {key: own.get(key) for key in categorical}
    return {key: None if values is None else tuple(map(label_text, values.to_pylist())) for key, values in found.items()}


def _lightgbm_categories(booster: Any, text: str, schema: Schema, name: str) -> Coded:
    """The categories of each column that pandas had as a category.

    The file lists them without the columns' names. A column that is split by categories is described there as
    ``-1:2:0:1``, a number as ``[low:high]``, one that is never used as ``none``.
    """
    lists, names = booster.pandas_categorical or [], booster.feature_name()
    stated = re.search(r"^feature_infos=(.*)$", text, re.MULTILINE)
    kinds = dict(zip(names, stated[1].split() if stated else (), strict=False))
    split = [column for column in names if re.fullmatch(r"-?\d+(:-?\d+)*", kinds.get(column, ""))]
    if not lists:
        return dict.fromkeys(split)
    categorical = {feature.name for feature in schema.features if feature.categories}
    own = own_names(names, schema)
    unused = [column for column in names if column in split or (kinds.get(column) == "none" and (not own or column in categorical))]
    for columns in (split, unused):
        if len(columns) == len(lists):
            return {column: tuple(map(label_text, values)) for column, values in zip(columns, lists, strict=True)}
    raise ModelError(
        f"{name} lists the categories of {len(lists)} columns and does not tell which; it splits by {', '.join(split) or 'none'}",
        remedy="train it with columns of which each is used, or bring it by python with a factory of the estimator",
    )


def _existing(path: str | Path, suffixes: Sequence[str]) -> Path:
    path = Path(path)
    if path.suffix not in suffixes:
        raise ModelError(f"{path.name} is no {' or '.join(suffixes)} file", remedy="write the model with save_model; pickles are not read")
    if not path.is_file():
        raise ModelError(f"there is no file {path}", remedy="paths start at the folder of audit.toml")
    return path


def _classifier(
    booster: Any,
    predict: Callable[[Tensor], Tensor],
    path: Path,
    width: int,
    names: Sequence[str],
    coded: Coded,
    schema: Schema,
    classes: Sequence[str],
    output_classes: Sequence[str],
    categories: Categories,
    *,
    probable: bool,
) -> Classifier:
    columns = fit_columns(schema, names, width, coded, categories=categories, what=path.name)
    own = output_labels(output_classes, classes, what=path.name, numbered=True)
    order = class_order(own, classes, what=path.name)

    def function(x: Tensor) -> Any:
        answer = predict(columns(x))
        answer = two_sided(answer.reshape(len(x), -1).double(), probabilities=probable)[:, order]
        return answer if probable else answer.softmax(1)

    require_outputs(predict(columns(sample_inputs(schema, 2))).reshape(2, -1), classes, what=path.name)
    function.__module__, function.__qualname__ = "boosting", sha256(path.read_bytes())
    card: Mapping[str, Any] = {
        "why_no_gradients": "the classifier is a black box: trees have no gradients",
        "output_order": own,
        "assumptions": columns.assumed,
        "takes_whole_values": columns.coded,
    }
    trees = Trees(booster, lambda x: columns(x).numpy(), columns.owners(schema), tuple(order))
    return Classifier.wrap(function, schema=schema, classes=list(classes), card=card, trees=trees)
