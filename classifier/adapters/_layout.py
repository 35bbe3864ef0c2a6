"""From the encoding of a schema to the array that a brought model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from classifier.errors import ModelError, did_you_mean
from classifier.modality import modality_of
from classifier.schema import Feature, Schema

Categories = Literal["one-hot", "codes"]
Axes = Literal["channels_last", "channels_first"]


class Layout(nn.Module):
    """Lays encoded inputs ``(N, *S)`` out as a model wants them; linear, so that gradients pass.

    Args:
        matrix: From the encoded columns to those of the model ``(D, M)``; ``None`` leaves them.
        moved: Where the axis of the channels goes, from and to, counting the batch; ``None`` leaves it.
    """

    matrix: Tensor | None

    def __init__(self, matrix: Tensor | None, *, moved: tuple[int, int] | None) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)
        self.moved = moved

    def forward(self, x: Tensor) -> Tensor:
        if self.matrix is not None:
            x = x @ self.matrix.to(x)
        return x if self.moved is None else x.movedim(*self.moved)


def fit_layout(
    schema: Schema,
    expected: Sequence[int | None] | None,
    *,
    what: str,
    categories: Categories = "one-hot",
    axes: Axes | None = None,
) -> Layout:
    """The layout that makes a schema's inputs fit a model.

    Args:
        schema: What the inputs mean.
        expected: Shape of one input as the model states it, ``None`` for an axis of any length; ``None`` where
            it states nothing.
        what: What to call the model in an error.
        categories: Whether a category is a one in a group of columns, or its position in `Feature.categories`.
        axes: Where the model has the channels; needed where its shape does not tell.

    Raises:
        ModelError: If the shapes do not fit, or do not tell which layout it is.
    """
    columns = schema.names if categories == "codes" else schema.columns
    matrix = _codes(schema) if categories == "codes" and schema.names != schema.columns else None
    own = _axes(schema)
    shape = (*schema.shape[:-1], len(columns)) if matrix is not None else schema.shape
    shapes: dict[Axes, tuple[int, ...]] = {own or "channels_last": shape}
    if own == "channels_last":
        shapes["channels_first"] = (shape[-1], *shape[:-1])
    elif own == "channels_first":
        shapes["channels_last"] = (*shape[1:], shape[0])
    fitting = [name for name, extents in shapes.items() if _fits(extents, expected) and axes in (None, name)]
    if not fitting:
        shown = "(" + ", ".join("any" if extent is None else str(extent) for extent in expected or ()) + ")"
        raise ModelError(f"{what} takes inputs of shape {shown}, the data give {shape}", remedy=_remedy(schema, expected))
    if len(fitting) == 2:
        raise ModelError(f"{what} does not tell where it has the channels", remedy='state layout = "channels_first" or "channels_last"')
    if own in (None, fitting[0]):
        return Layout(matrix, moved=None)
    return Layout(matrix, moved=(-1, 1) if own == "channels_last" else (1, -1))


def _axes(schema: Schema) -> Axes | None:
    """Where a schema's inputs have the channels, if they have such an axis beside others."""
    columns = len(schema.columns)
    last, first = schema.shape == (*schema.size, columns), schema.shape == (columns, *schema.size)
    if not schema.size or not (last or first):
        return None
    if last and first:
        # A cube: the modality tells, by laying other values over other channels.
        laid = modality_of(schema).lay(torch.arange(columns))
        return "channels_last" if torch.equal(laid[0], laid[-1]) else "channels_first"
    return "channels_last" if last else "channels_first"


def _fits(shape: Sequence[int], expected: Sequence[int | None] | None) -> bool:
    if expected is None:
        return True
    return len(shape) == len(expected) and all(want in (None, have) for have, want in zip(shape, expected, strict=True))


def _remedy(schema: Schema, expected: Sequence[int | None] | None) -> str:
    if schema.names != schema.columns and expected and expected[-1] == len(schema.names):
        return 'state categories = "codes" if it takes each category as its position in the feature\'s categories'
    if _pairs(schema):
        named = ", ".join(feature.name for feature in _pairs(schema))
        return f'state kind = "categorical" for {named} if it takes a column for each of the two values'
    return "give it the columns that it learned from, in that order; put the others under drop"


def _pairs(schema: Schema) -> list[Feature]:
    """Features of two named values, which take one column here and often two elsewhere."""
    return [feature for feature in schema.features if feature.kind == "binary" and feature.categories]


def _codes(schema: Schema) -> Tensor:
    """One column a feature: a category's one-hot columns weighted with their position."""
    matrix = torch.zeros(len(schema.columns), len(schema.names))
    for index, feature in enumerate(schema.features):
        group = schema.groups[feature.name]
        matrix[group, index] = torch.arange(feature.width, dtype=torch.float32) if feature.kind == "categorical" else 1.0
    return matrix


def absent_column(name: str, schema: Schema, *, what: str) -> ModelError:
    """The error for a column of a model that the data do not give, with what could be stated to give it.

    Args:
        name: The column, as the model calls it.
        schema: What the data give.
        what: What to call the model.
    """
    # The longest name, so that "home_loan_yes" is not taken for a value of "home".
    owner = max((f for f in schema.features if f.categories and name.startswith((f"{f.name}_", f"{f.name}="))), key=_length, default=None)
    if owner is None:
        remedy = did_you_mean(name, schema.columns)
    elif owner.kind == "binary":
        remedy = f'state kind = "categorical" for {owner.name!r} if each value has its column'
    else:
        value = name[len(owner.name) + 1 :]
        listed = ", ".join(f'"{known}"' for known in sorted({*owner.categories, value}))
        remedy = f"if it is a category that no row has, state [data.features.{owner.name}] categories = [{listed}]"
    return ModelError(f"{what} takes a column {name!r}, which the data do not give", remedy=remedy)


def _length(feature: Feature) -> int:
    return len(feature.name)
