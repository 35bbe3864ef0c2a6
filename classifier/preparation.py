"""Preparation: from cases as they were read to a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from classifier.cleaning import Cleaning, encode_labels, tidy_columns
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.grouping import cut_points, require_sizes
from classifier.modalities._series import series_frame
from classifier.modality import MODALITIES, Modality, modality_of
from classifier.schema import Encoding, Relation, Schema
from classifier.splitting import same_rows
from classifier.tables import shards

# Bytes on disk beyond which a table is read in parts. In memory it would be some ten times as large.
LARGE = 2**28


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How cases are to be taken; see :meth:`Dataset.from_frame` for the fields."""

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
    if reading.kind is MODALITIES["tabular"] and reading.series is None and sum(shard.stat().st_size for shard in shards(path)) > LARGE:
        from classifier.streaming import read_in_parts

        return read_in_parts(path, reading)
    frame, digest = reading.kind.read(path)
    if reading.series is not None:
        identity, time = reading.series
        frame = series_frame(frame, id=identity, time=time, keep=reading.drop, constant=(reading.target, *reading.protected))
    return replace(prepare(frame, reading, path.name), source={"name": path.name, "sha256": digest})


def prepare(frame: pd.DataFrame, reading: Reading, name: str, *, whole: bool = True) -> Dataset:
    """Make a dataset of a table; see :meth:`Dataset.from_frame`.

    Args:
        frame: One row a case.
        reading: How it is to be taken.
        name: What to call it in an error.
        whole: Whether it is a whole table. A part of one may lack labels, and hold few rows of a group.
    """
    frame = frame.rename(columns=str).reset_index(drop=True)
    reading.check(frame, name)
    outside, stated = reading.outside(frame), reading.stated(frame)
    known = tidy_columns(frame[outside], stated)
    labelled = known[reading.target].notna()
    if not labelled.any() and whole:
        raise DataError(f"the target {reading.target!r} has no value in any of {len(frame)} rows", remedy="is it the right column?")
    known, inputs = known[labelled], reading.kind.tidy(frame.drop(columns=outside), stated)[labelled]
    labels, classes = encode_labels(known[reading.target], reading.event, reading.classes)
    favourable = reading.favourable if reading.favourable is not None else classes[0] if len(classes) == 2 else None
    if favourable is not None and favourable not in classes:
        raise ConfigurationError(f"there is no class {favourable!r}", remedy=did_you_mean(favourable, classes))
    schema = reading.schema
    if schema is None:
        inferred = reading.kind.infer(inputs, stated=stated, relations=reading.relations, size=reading.size)
        schema = replace(inferred, encoding=reading.encoding)
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
        attributes=known.drop(columns=reading.target).reset_index(drop=True),
        protected=reading.protected,
        cuts=_cuts(reading, known, inputs),
        favourable=favourable,
        source={"name": name},
        cleaning=Cleaning(
            rows_read=len(frame),
            rows_without_target=int((~labelled).sum()),
            duplicates=duplicates(encoded, indices),
            kinds={feature.name: feature.kind for feature in schema.features},
            **modality_of(schema).describe(inputs, indices),
        ),
    )
    for attribute in reading.protected if whole else ():
        require_sizes(attribute, dataset.groups(attribute))
    return dataset


def _cuts(reading: Reading, known: pd.DataFrame, inputs: pd.DataFrame) -> dict[str, tuple[float, ...]]:
    """Where protected numbers are cut: at their quartiles, or as stated."""
    quartiles = {column: cut_points((known if column in known else inputs)[column]) for column in reading.protected}
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
