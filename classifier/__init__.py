"""What everything is about: the model, its data, its inputs, and how a number about it is stated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classifier.classifier import Classifier
    from classifier.dataset import Dataset, Splits
    from classifier.metric import Metric
    from classifier.schema import Feature, Relation, Schema

__all__ = ["Classifier", "Dataset", "Feature", "Metric", "Relation", "Schema", "Splits"]

_HOMES = {"Classifier": "classifier", "Dataset": "dataset", "Splits": "dataset", "Metric": "metric"}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import; a program that only checks digests must not pay for it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"classifier.{_HOMES.get(name, 'schema')}"), name)
