"""From encoded rows to the columns of boosted trees: numbers, one-hot columns, and codes of categories."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from classifier.adapters._layout import Categories, absent_column, fit_layout
from classifier.errors import ModelError
from classifier.schema import Feature, Schema

#: For each categorical column of a model its categories, in the order of their codes; ``None`` where the file lacks them.
Coded = Mapping[str, tuple[str, ...] | None]


@dataclass(frozen=True)
class _Column:
    """One column of the model: an encoded column as it is or, with `codes`, the code of each category of the group."""

    group: slice
    codes: Tensor | None = None


@dataclass(frozen=True)
class Columns:
    """The columns of a model.

    Args:
        columns: Where each comes from.
        assumed: What was taken for granted of the codes, as sentences.
    """

    columns: tuple[_Column, ...]
    assumed: tuple[str, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        """Encoded rows ``(N, D)`` as the model's columns ``(N, M)``, in double precision; a missing category is NaN."""
        found = []
        for column in self.columns:
            values = x[:, column.group].double()
            if column.codes is not None:
                # A feature of two values has one column for both.
                chosen = values.argmax(1) if values.shape[1] > 1 else (values[:, 0] > 0.5).long()
                values = column.codes[chosen][:, None]
            found.append(values)
        return torch.cat(found, dim=1)

    @property
    def coded(self) -> bool:
        """Whether a category goes in as its code, so that nothing lies between two of them."""
        return any(column.codes is not None for column in self.columns)

    def owners(self, schema: Schema) -> tuple[str, ...]:
        """The feature that each column is of."""
        owner = {place: name for name, group in schema.groups.items() for place in range(group.start, group.stop)}
        return tuple(owner[column.group.start] for column in self.columns)


def fit_columns(schema: Schema, names: Sequence[str], width: int, coded: Coded, *, categories: Categories, what: str) -> Columns:
    """The columns that a model takes, found by its own names or, where it has none, by their order.

    Args:
        schema: What the inputs mean; a table.
        names: The model's names of its columns, such as ``"income"``, ``"home"`` or ``"home_rent"``.
        width: How many columns it takes.
        coded: Its categorical columns, by name or else by position.
        categories: What its other columns take of a category; see :func:`fit_layout`.
        what: What to call the model in an error.

    Raises:
        ModelError: If a column or a category does not fit; the message names it.
    """
    if schema.modality != "tabular":
        raise ModelError(f"{what} takes rows of a table, the data are of the modality {schema.modality!r}")
    if own_names(names, schema):
        places = {**_normal({name: index for index, name in enumerate(schema.columns)}), **_normal({name: name for name in schema.names})}
        wanted = [_place(name, places, schema, coded, categories, what) for name in names]
    else:
        kind: Categories = "codes" if any(own is not None for own in coded.values()) else categories
        fit_layout(schema, [width], what=what, categories=kind)
        wanted = list(schema.names) if kind == "codes" else list(range(len(schema.columns)))
    keys = list(names) or [str(index) for index in range(width)]
    columns, guessed = [], []
    for key, place in zip(keys, wanted, strict=True):
        if isinstance(place, int):
            columns.append(_Column(slice(place, place + 1)))
            continue
        feature = schema[place]
        own = coded.get(key)
        codes = None if own is None else _codes(feature, own, what)
        if own is None and feature.kind == "categorical":
            codes = torch.arange(feature.width, dtype=torch.float64)
        columns.append(_Column(schema.groups[place], codes))
        if own is None and feature.categories:
            guessed.append(f"{place} ({', '.join(f'{name} {code}' for code, name in enumerate(feature.categories))})")
    note = f"the file does not say the codes of categories; each is given its position: {'; '.join(guessed)}. If the training had others, "
    note += "state [data.features.NAME] categories in their order"
    return Columns(tuple(columns), (note,) if guessed else ())


def own_names(names: Sequence[str], schema: Schema) -> bool:
    """Whether a model's names of its columns are its owner's, and not numbers that the library gave.

    They are the library's only if they count from 0 in order, and the data have no columns of those names.
    """
    given = [[f"{start}{index}" for index in range(len(names))] for start in ("f", "Column_")]
    return bool(names) and (list(names) not in given or bool({*names} & {*schema.names, *schema.columns}))


def _normal(places: Mapping[str, int | str]) -> dict[str, int | str]:
    """Places by name, and by the name as pandas and LightGBM write it: ``purpose=new car`` is ``purpose_new_car``."""
    written = [_written(name) for name in places]
    return {**{_written(name): place for name, place in places.items() if written.count(_written(name)) == 1}, **places}


def _written(name: str) -> str:
    return re.sub(r"[=\s]", "_", name)


def _place(name: str, places: Mapping[str, int | str], schema: Schema, coded: Coded, categories: Categories, what: str) -> int | str:
    """Where a column of the model is: the number of an encoded column, or the name of a feature."""
    place = places.get(name)
    if place is None:
        raise absent_column(name, schema, what=what)
    if isinstance(place, str) and schema[place].kind == "categorical" and coded.get(name) is None and categories != "codes":
        raise ModelError(
            f"{what} takes one column {name!r} for all categories, and does not say their codes",
            remedy='state categories = "codes" if each is its position in the feature\'s categories',
        )
    return place


def _codes(feature: Feature, own: Sequence[str], what: str) -> Tensor:
    """The code of each of a feature's categories; what stands for a missing or an unknown one is NaN."""
    listed = ", ".join(f'"{name}"' for name in own)
    if not feature.categories:
        raise ModelError(
            f"{what} takes {feature.name!r} as a category, one of {listed}, and the data have numbers there",
            remedy=f'state [data.features.{feature.name}] kind = "categorical"',
        )
    codes = []
    for name in feature.categories:
        if name in own:
            codes.append(float(list(own).index(name)))
        elif name in (feature.fill, feature.unknown):
            codes.append(torch.nan)
        else:
            raise ModelError(
                f"{what} does not have the category {name!r} of {feature.name!r}; it has {listed}",
                remedy=f'leave out those rows, or state [data.features.{feature.name}] categories = [{listed}, "(unknown)"] and '
                'unknown = "(unknown)", which is then asked as a missing value',
            )
    return torch.tensor(codes, dtype=torch.float64)
