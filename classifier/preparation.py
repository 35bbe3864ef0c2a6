"""Preparation: from cases as they were read to a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.cleaning import Cleaning, lower_median, require_fields, schema_fields, tidy, tidy_columns
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.feature_fields import is_number
from classifier.formats.series import series_frame
from classifier.formats.tables import table_size
from classifier.grouping import cut_points, group_notes
from classifier.labels import class_named, encode_labels
from classifier.modality import MODALITIES, Modality, modality_of
from classifier.opening import in_confidence, require_kind
from classifier.schema import Encoding, Relation, Schema
from classifier.spelling import Taken, named
from classifier.splitting import same_rows
from classifier.suspicions import bounds_notes, outside_bounds, spelling_notes

# Bytes on disk beyond which a table is read in parts. In memory it would be some ten times as large.
LARGE = 2**28


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How cases are to be taken; see :meth:`Dataset.from_frame` for the fields.

    Of a part of a table, `taken` says what the columns are that are no inputs.
    """

    target: str
    event: str | None = None
    favourable: str | None = None
    protected: tuple[str, ...] = ()
    protected_inputs: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    cuts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    schema: Schema | None = None
    classes: Sequence[str] | None = None
    modality: str = "tabular"
    size: tuple[int, ...] = ()
    encoding: Encoding = "unit"
    series: tuple[str, str] | None = None
    taken: Mapping[str, Taken] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, stated in self.features.items():
            require_fields(name, stated)
        if isinstance(self.classes, str):
            raise ConfigurationError(
                f"classes must be a list of names, got {self.classes!r}", remedy=f'classes = ["{self.classes}", "..."]'
            )
        twice = [name for name in self.classes or () if list(self.classes or ()).count(name) > 1]
        if twice:
            raise ConfigurationError(f"classes must have different names, got {twice[0]!r} twice")
        for column, points in self.cuts.items():
            if not all(is_number(point) and np.isfinite(point) for point in points):
                raise ConfigurationError(
                    f"the cuts of {column!r} must be numbers, got {points!r}", remedy=f"[data.cuts] {column} = [30, 60]"
                )

    @property
    def kind(self) -> type[Modality]:
        """The modality of the cases."""
        return MODALITIES[self.schema.modality if self.schema is not None else self.modality]

    def outside(self, frame: pd.DataFrame) -> list[str]:
        """The columns that are no inputs."""
        kept = set(self.protected) - set(self.protected_inputs)
        return [column for column in frame.columns if column == self.target or column in self.drop or column in kept]

    def stated(self, frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """For each feature, what is stated of it. Nobody can change a protected attribute, unless that is stated."""
        fixed: dict[str, Any] = {"protected": True, "mutable": False}
        return {
            column: {**(fixed if column in self.protected else {}), **self.features.get(column, {})}
            for column in (*frame.columns, *self.features)
        }

    def check(self, frame: pd.DataFrame, name: str) -> None:
        """Refuse a table that has not the columns that are named.

        Raises:
            DataError: If two columns have one name.
            ConfigurationError: If a column is named that is not there, or for two things that exclude each other.
        """
        twice = frame.columns[frame.columns.duplicated()]
        if len(twice):
            raise DataError(f"{name} has two columns {twice[0]!r}", remedy="give each column a name of its own")
        features = self.features if self.modality == "tabular" else ()
        for column in (self.target, *self.protected, *self.protected_inputs, *self.drop, *self.cuts, *features):
            if column not in frame.columns:
                raise ConfigurationError(f"{name} has no column {column!r}", remedy=did_you_mean(column, frame.columns))
        if self.target in (*self.protected, *self.drop):
            raise ConfigurationError(f"column {self.target!r} is the target and cannot be protected or dropped too")
        for column in self.protected_inputs:
            if column not in self.protected:
                raise ConfigurationError(f"{column!r} is under protected_inputs but not under protected")


def read(path: Path, reading: Reading) -> Dataset:
    """Read cases from a file or a folder; see :meth:`Dataset.read`."""
    try:
        require_kind(path)
        if reading.kind is MODALITIES["tabular"] and reading.series is None and table_size(path) > LARGE:
            from classifier.streaming import read_in_parts

            return read_in_parts(path, reading)
        with in_confidence() as confidence:
            frame, digest = reading.kind.read(path)
            if reading.series is not None:
                identity, time = reading.series
                frame = series_frame(frame, id=identity, time=time, keep=reading.drop, constant=(reading.target, *reading.protected))
            dataset = prepare(frame, reading, path.name)
        return replace(dataset, source={"name": path.name, "sha256": digest}, secret=confidence.secret)
    except DataError as error:
        # An audit reads up to three files, and a row number alone tells nobody which.
        if path.name in error.problem:
            raise
        raise DataError(f"in {path.name}, {error.problem}", remedy=error.remedy) from error


def prepare(frame: pd.DataFrame, reading: Reading, name: str, *, whole: bool = True, middle: NDArray[np.bool_] | None = None) -> Dataset:
    """Make a dataset of a table; see :meth:`Dataset.from_frame`.

    Args:
        frame: One row a case.
        reading: How it is to be taken.
        name: What to call it in an error.
        whole: Whether it is a whole table. A part of one has the numbers of its rows as index; it may lack labels,
            and hold few rows of a group.
        middle: Of some rows of a table, which were drawn at random ``(N,)``: medians and quartiles are theirs.
    """
    if frame.columns.nlevels > 1:
        raise DataError(
            f"{name} has columns of {frame.columns.nlevels} levels, required is one name each", remedy="join the levels of a name"
        )
    frame = frame.rename(columns=str)
    frame = frame.reset_index(drop=True) if whole else frame
    reading.check(frame, name)
    outside, stated = reading.outside(frame), reading.stated(frame)
    target = _target(frame[reading.target], reading)
    labelled = target.notna()
    if not labelled.any() and whole:
        raise DataError(f"the target {reading.target!r} has no value in any of {len(frame)} rows", remedy="is it the right column?")
    # What a row without a label holds decides nothing.
    rows, target = frame[labelled], target[labelled]
    known = tidy_columns(rows[[column for column in outside if column != reading.target]], stated, exact=True, taken=reading.taken)
    raw = rows.drop(columns=outside)
    if reading.schema is not None and reading.schema.modality == "tabular":
        raw = raw[[column for column in raw.columns if column in reading.schema.names]]
        stated = schema_fields(reading.schema)
    inputs = reading.kind.tidy(raw, stated)
    labels, classes = encode_labels(target, reading.event, reading.classes)
    favourable = reading.favourable if reading.favourable is not None else classes[0] if len(classes) == 2 else None
    if favourable is not None:
        favourable = class_named(favourable, classes, f"there is no class {favourable!r}")
    schema = reading.schema
    if schema is None:
        inferred = reading.kind.infer(inputs, stated=stated, relations=reading.relations, size=reading.size)
        schema = replace(inferred, encoding=reading.encoding)
        if middle is not None:
            schema = _with_medians(schema, inputs[middle[labelled.to_numpy()]], reading)
    for feature in reading.features:
        if feature not in frame.columns and feature not in schema.names:
            raise ConfigurationError(f"{name} has no feature {feature!r}", remedy=did_you_mean(feature, schema.names))
    encoded, indices = schema.encode(inputs), torch.from_numpy(labels)
    dataset = Dataset(
        inputs=encoded,
        labels=indices,
        ids=known.index.to_numpy(dtype=np.int64),
        schema=schema,
        classes=classes,
        attributes=known.reset_index(drop=True),
        protected=reading.protected,
        cuts=_cuts(reading, known, inputs, None if middle is None else middle[labelled.to_numpy()]),
        favourable=favourable,
        source={"name": name},
    )
    if whole or middle is not None:
        found = _found(raw, inputs, indices, schema)
    else:
        missing = {str(column): int(count) for column, count in inputs.isna().sum().items() if count}
        found = {"missing": missing, "outside": outside_bounds(inputs, schema)}
    if whole:
        found["notes"] = (*found.get("notes", ()), *bounds_notes(found.get("outside", {}), schema), *group_notes(dataset))
    cleaning = Cleaning(
        rows_read=len(frame),
        rows_without_target=int((~labelled).sum()),
        duplicates=duplicates(encoded, indices),
        kinds={feature.name: feature.kind for feature in schema.features},
        **found,
    )
    return replace(dataset, cleaning=cleaning)


def _target(column: pd.Series[Any], reading: Reading) -> pd.Series[Any]:
    """The target tidied: called as the classes are, where those are known."""
    if reading.classes is not None:
        return named(column, map(str, reading.classes), numbers=True)
    codes = reading.features.get(reading.target, {}).get("kind") == "categorical"
    return tidy(column, codes=codes, exact=True, taken=reading.taken.get(reading.target))


def _found(raw: pd.DataFrame, inputs: pd.DataFrame, labels: Tensor, schema: Schema) -> dict[str, Any]:
    """What was found in the input columns: fields of `Cleaning`."""
    found = dict(modality_of(schema).describe(inputs, labels))
    if schema.modality == "tabular":
        notes, merged = spelling_notes(raw, inputs)
        found["notes"] = (*notes, *found["notes"])
        found["constant"] = tuple(column for column in found["constant"] if column not in merged)
    return found


def _with_medians(schema: Schema, middle: pd.DataFrame, reading: Reading) -> Schema:
    """The schema with the medians of some rows, where a median fills gaps."""
    features = []
    for feature in schema.features:
        inferred = feature.numeric and feature.fill is not None and "fill" not in reading.features.get(feature.name, {})
        known = inferred and middle[feature.name].notna().any()
        features.append(replace(feature, fill=lower_median(middle[feature.name].dropna())) if known else feature)
    return replace(schema, features=tuple(features))


def _cuts(reading: Reading, known: pd.DataFrame, inputs: pd.DataFrame, middle: NDArray[np.bool_] | None) -> dict[str, tuple[float, ...]]:
    """Where protected numbers are cut: at their quartiles, or as stated."""
    columns = {name: (known if name in known else inputs)[name] for name in reading.protected if name in known or name in inputs}
    quartiles = {name: cut_points(column if middle is None else column[middle]) for name, column in columns.items()}
    return {
        **{column: points for column, points in quartiles.items() if points},
        **{column: tuple(sorted(map(float, points))) for column, points in reading.cuts.items()},
    }


def duplicates(inputs: Tensor, labels: Tensor) -> int:
    """How many cases repeat an earlier one in inputs and label; of cases without inputs nobody can tell.

    Args:
        inputs: Encoded inputs ``(N, *S)``.
        labels: Class of each ``(N,)``.
    """
    if len(inputs) == 0 or inputs[0].numel() == 0:
        return 0
    return len(labels) - len(np.unique(same_rows(inputs) * (int(labels.max()) + 1) + labels.numpy()))
