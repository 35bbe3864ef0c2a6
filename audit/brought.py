"""A classifier, or predictions alone, brought from elsewhere: what ``[model]`` says of it, and what becomes of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from audit.toml_files import Form
from classifier.adapters._answers import class_order, two_sided
from classifier.adapters.boosting import from_lightgbm, from_xgboost
from classifier.adapters.exported import from_exported
from classifier.adapters.module import from_module
from classifier.adapters.onnx import from_onnx
from classifier.adapters.predictions import prediction_columns
from classifier.adapters.rest import from_rest
from classifier.adapters.sklearn import from_sklearn, from_skops
from classifier.adapters.weights import load_weights
from classifier.classifier import DOCUMENT, Classifier
from classifier.description import Description
from classifier.errors import AssayError, ConfigurationError, IntegrityError, StorageError
from classifier.formats.tables import read_table
from classifier.records import read_record
from classifier.schema import Encoding, Schema

# What each kind of model may be told beside its file.
_OPTIONS = {
    "output": ("onnx", "exported", "python"),
    "classes": ("onnx", "exported", "skops", "xgboost", "lightgbm", "rest", "huggingface", "python"),
    "categories": ("onnx", "exported", "xgboost", "lightgbm"),
    "layout": ("onnx", "exported"),
    "threads": ("onnx",),
    "trusted": ("skops",),
    "weights": ("python",),
    "requests": ("rest",),
    "columns": ("predictions",),
    "id": ("predictions",),
}
KINDS = ("path", "python", "onnx", "exported", "skops", "xgboost", "lightgbm", "rest", "huggingface", "predictions")
# Files of models that were trained by other programs, on tables as they are.
_NATURAL = ("onnx", "exported", "skops", "xgboost", "lightgbm", "rest", "predictions")


class RequestsPart(Form):
    """``[model.requests]``: how an endpoint is asked."""

    batch_size: int = 200
    per_second: float = 10.0
    timeout: float = 30.0
    retries: int = 5


class BroughtPart(Form):
    """The part of ``[model]`` that brings a classifier; see ``docs/bring-your-own.md``."""

    path: str | None = None
    python: str | None = None
    onnx: str | None = None
    exported: str | None = None
    skops: str | None = None
    xgboost: str | None = None
    lightgbm: str | None = None
    rest: str | None = None
    huggingface: str | None = None
    predictions: str | None = None
    output: Literal["logits", "probabilities"] | None = None
    classes: tuple[str, ...] = ()
    categories: Literal["one-hot", "codes"] = "one-hot"
    layout: Literal["channels_last", "channels_first"] | None = None
    threads: Annotated[int, Field(ge=1)] = 1
    trusted: tuple[str, ...] = ()
    weights: str | None = None
    requests: RequestsPart = RequestsPart()
    columns: dict[str, str] = {}
    id: str | None = None

    @model_validator(mode="after")
    def _fitting(self) -> BroughtPart:
        for option, kinds in _OPTIONS.items():
            if option in self.model_fields_set and self.kind not in kinds:
                raise ValueError(f"has {option}, which belongs to {' or '.join(kinds)}")
        return self

    @property
    def kind(self) -> str | None:
        """Which of the kinds it is; ``None`` where a classifier is trained."""
        return next((kind for kind in KINDS if getattr(self, kind) is not None), None)

    def encoding(self, modality: str) -> Encoding:
        """How it takes numbers, unless somebody says otherwise: scaled where it comes from here, else as they are.

        Networks of images take levels from 0 to 1 wherever they come from.
        """
        return "natural" if self.kind in _NATURAL and modality != "image" else "unit"

    def beside_predictions(
        self, path: Path, target: str, drop: tuple[str, ...], protected: tuple[str, ...]
    ) -> tuple[tuple[str, ...], bool]:
        """The columns of a table that are no inputs where predictions may be in the same file, and whether any others are left.

        Args:
            path: The table.
            target: Its column of labels.
            drop: Columns that are no inputs in any case.
            protected: Protected columns that are no inputs.
        """
        frame, _ = read_table(path)
        predicted = prediction_columns(frame, target=target, columns=self.columns, case=self.id)
        drop = (*drop, *(column for column in predicted if column not in (*drop, *protected)))
        return drop, not set(frame.columns) <= {target, *drop, *protected}

    def with_own_schema(self, folder: Path, size: tuple[int, ...]) -> Classifier | None:
        """The classifier, where it says itself what its inputs mean.

        Args:
            folder: Where the configuration lies; its paths start there.
            size: The stated size of an input.
        """
        if self.path is not None:
            return Classifier.load(folder / self.path)
        if self.huggingface is not None:
            from classifier.adapters.huggingface import from_huggingface

            return from_huggingface(folder / self.huggingface, classes=self.classes or None, size=size[0] if size else None)
        made = _make(self.python, folder.resolve()) if self.python is not None else None
        if not isinstance(made, Classifier):
            return None
        for option in ("classes", "output", "weights"):
            if option in self.model_fields_set:
                raise ConfigurationError(
                    f"[model] states {option}, and {self.python} makes a Classifier, which says that itself", remedy=f"leave {option} out"
                )
        return made

    def of_schema(self, folder: Path, schema: Schema, classes: tuple[str, ...]) -> Classifier:
        """The classifier, of inputs that the data describe.

        Args:
            folder: Where the configuration lies; its paths start there.
            schema: What the data's inputs mean.
            classes: The data's classes.
        """
        if self.onnx is not None:
            return from_onnx(
                folder / self.onnx, schema=schema, classes=classes, output=self.output, output_classes=self.classes,
                categories=self.categories, axes=self.layout, threads=self.threads,
            )  # fmt: skip
        if self.exported is not None:
            return from_exported(
                folder / self.exported, schema=schema, classes=classes, output=self.output, output_classes=self.classes,
                categories=self.categories, axes=self.layout,
            )  # fmt: skip
        if self.skops is not None:
            return from_skops(folder / self.skops, schema=schema, classes=classes, trusted=self.trusted, output_classes=self.classes)
        for file, load in ((self.xgboost, from_xgboost), (self.lightgbm, from_lightgbm)):
            if file is not None:
                return load(folder / file, schema=schema, classes=classes, output_classes=self.classes, categories=self.categories)
        if self.rest is not None:
            asked = self.requests
            return from_rest(
                self.rest, schema=schema, classes=classes, output_classes=self.classes, batch_size=asked.batch_size,
                per_second=asked.per_second, timeout=asked.timeout, retries=asked.retries,
            )  # fmt: skip
        return self._of_python(folder, schema, classes)

    def _of_python(self, folder: Path, schema: Schema, classes: tuple[str, ...]) -> Classifier:
        made = _make(str(self.python), folder.resolve())
        if self.weights is not None:
            if not isinstance(made, nn.Module):
                raise ConfigurationError(
                    f"[model] weights belong to a module, and {self.python} makes a {type(made).__name__}", remedy="leave weights out"
                )
            made = load_weights(made, folder / self.weights)
        if isinstance(made, nn.Module):
            return from_module(made, schema=schema, classes=classes, output=self.output, output_classes=self.classes)
        if self.output is not None:
            raise ConfigurationError(
                f"[model] output belongs to a module, and {self.python} makes a {type(made).__name__}, which gives probabilities",
                remedy="leave output out",
            )
        if hasattr(made, "predict_proba"):
            return from_sklearn(lambda: made, schema=schema, classes=classes, output_classes=self.classes)
        if not callable(made):
            raise ConfigurationError(
                f"{self.python} makes a {type(made).__name__}, required is a module, a fitted estimator, a function or a Classifier",
                remedy="return one of these",
            )
        return _of_function(made, schema, classes, self.classes)


def _of_function(function: Callable[[Tensor], Any], schema: Schema, classes: tuple[str, ...], own: tuple[str, ...]) -> Classifier:
    """A classifier of a function to probabilities, each of a class in the order that somebody states."""
    if not own:
        return Classifier.wrap(function, schema=schema, classes=classes, card={"output_order": classes})
    order = class_order(own, classes, what="the function")

    def probabilities(x: Tensor) -> Tensor:
        answer = two_sided(torch.as_tensor(function(x)), probabilities=True)
        return answer[:, order] if answer.shape[1] == len(order) else answer  # the classifier refuses another number

    probabilities.__module__ = getattr(function, "__module__", type(function).__module__)
    probabilities.__qualname__ = f"{getattr(function, '__qualname__', type(function).__qualname__)} as {', '.join(own)}"
    return Classifier.wrap(probabilities, schema=schema, classes=classes, card={"output_order": own})


def read_schema(path: Path) -> Schema:
    """A schema from a JSON file: as it is, or as ``classifier.json`` of a saved classifier holds it.

    Raises:
        ConfigurationError: If the file is missing or holds no schema.
    """
    try:
        return read_record(Description, path).schema if path.name == DOCUMENT else read_record(Schema, path)
    except (IntegrityError, StorageError) as error:
        raise ConfigurationError(
            f"[data] schema: {error.problem}", remedy=f"give a {DOCUMENT}, or what classifier.records.write_record made of a Schema"
        ) from error


@cache
def _make(python: str, folder: Path) -> Any:
    """What the factory that the user named returns: a classifier, a module, an estimator, or a function."""
    module_name, _, name = python.partition(":")
    with _importable(folder):
        try:
            module = importlib.import_module(module_name)
            factory = getattr(module, name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigurationError(
                f"[model] python = {python!r} cannot be imported: {error}",
                remedy=f'give "module:factory", a module that is installed or lies in {folder}',
            ) from error
        beside = folder.joinpath(*module_name.split(".")).with_suffix(".py")
        found = getattr(module, "__file__", None)
        # An installed one of that name, or the one of an audit that ran before in this process, is not the one that was meant.
        if beside.is_file() and found is not None and not beside.samefile(found):
            raise ConfigurationError(
                f"[model] python = {python!r} means {found}, and there is {beside} too", remedy="give one of the modules another name"
            )
        try:
            return factory()
        except AssayError:
            raise
        except Exception as error:  # whatever code that is not Assay's raises
            raise ConfigurationError(
                f"[model] python = {python!r} was called and failed: {type(error).__name__}: {error}",
                remedy="run the factory by itself; it is called without arguments, from the folder where the command runs",
            ) from error


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let modules of a folder be imported. It comes last, so that a file there stands for no module that is installed."""
    sys.path.append(str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
