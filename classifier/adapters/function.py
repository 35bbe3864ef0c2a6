"""Any function from a table to probabilities, as a classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from torch import Tensor

from classifier.classifier import Classifier
from classifier.schema import Schema
from classifier.trees import Trees


def from_function(
    function: Callable[[pd.DataFrame], Any],
    *,
    schema: Schema,
    classes: Sequence[str],
    card: Mapping[str, Any] | None = None,
    trees: Trees | None = None,
) -> Classifier:
    """Make a classifier of a function that takes a table in natural units.

    A function of tensors needs no adapter: `Classifier.wrap` takes it.

    Args:
        function: From a table with the schema's columns to probabilities ``(N, K)``, or ``(N,)`` of the event.
        schema: What the inputs mean.
        classes: Name of each class; of two, the second is the event.
        card: What is to be told of it.
        trees: The ensemble of trees that the function calls, if it does.
    """

    def probabilities(x: Tensor) -> Any:
        return function(schema.decode(x))

    probabilities.__module__ = getattr(function, "__module__", type(function).__module__)
    probabilities.__qualname__ = getattr(function, "__qualname__", type(function).__qualname__)
    told = {**(card or {}), "takes_whole_values": True}
    return Classifier.wrap(probabilities, schema=schema, classes=list(classes), card=told, trees=trees)
