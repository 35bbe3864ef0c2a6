"""Dataset: inputs, labels, protected attributes, and where every row came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.cleaning import Cleaning
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.grouping import cut_points, group_names
from classifier.opening import in_confidence, keyed_digest
from classifier.records import as_record, canonical_json, sha256
from classifier.schema import Encoding, Relation, Schema
from classifier.seeds import Seed
from classifier.splitting import cut, cut_by_time, stratified_positions, units
from classifier.storage import joined, take

Independence = Literal["held out", "given", "unknown"]


@dataclass(frozen=True)
class Dataset:
    """Rows that a classifier is trained or judged on.

    Args:
        inputs: Encoded inputs ``(N, *S)``.
        labels: Class of each row, as its index in `classes` ``(N,)``.
        ids: Where each row came from: its number in the file, from 0 ``(N,)``.
        schema: What the inputs mean.
        classes: Name of each class; of two, the second is the event.
        attributes: What else is known of each row and is no input: protected attributes, identifiers, times.
        protected: Which attributes or features are protected.
        cuts: Where a protected number is cut into groups.
        favourable: The class that the person concerned wants; ``None`` where nobody said.
        source: Name of the file and its SHA-256; of a sealed one, of the sealed bytes.
        cleaning: What was found in the table.
        secret: Of data from sealed files, what only who can open them can know; it keys `digest`.
    """

    inputs: Tensor
    labels: Tensor
    ids: NDArray[np.int64]
    schema: Schema
    classes: tuple[str, ...]
    attributes: pd.DataFrame = field(repr=False)
    protected: tuple[str, ...] = ()
    cuts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    favourable: str | None = None
    source: Mapping[str, str] = field(default_factory=dict)
    cleaning: Cleaning | None = None
    secret: bytes | None = field(default=None, repr=False)

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        target: str,
        event: str | None = None,
        favourable: str | None = None,
        protected: Sequence[str] = (),
        protected_inputs: Sequence[str] = (),
        drop: Sequence[str] = (),
        cuts: Mapping[str, Sequence[float]] | None = None,
        features: Mapping[str, Mapping[str, Any]] | None = None,
        relations: Sequence[Relation] = (),
        schema: Schema | None = None,
        classes: Sequence[str] | None = None,
        modality: str = "tabular",
        size: Sequence[int] = (),
        encoding: Encoding = "unit",
        series: tuple[str, str] | None = None,
    ) -> Dataset:
        """Read cases from a file or a folder; see ``docs/data.md`` for the formats, and :meth:`from_frame` for all other arguments.

        Args:
            path: The file or the folder; a sealed file is opened as `audit.vault.opening` says.
            series: Of a table with a row for each step of a series, the columns that tell the series and the time.
        """
        from classifier.preparation import Reading, read

        reading = Reading(
            target=target, event=event, favourable=favourable, protected=_names("protected", protected),
            protected_inputs=_names("protected_inputs", protected_inputs), drop=_names("drop", drop), cuts=cuts or {},
            features=features or {}, relations=tuple(relations), schema=schema, classes=classes, modality=modality, size=tuple(size),
            encoding=encoding, series=series,
        )  # fmt: skip
        return read(Path(path), reading)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        target: str,
        event: str | None = None,
        favourable: str | None = None,
        protected: Sequence[str] = (),
        protected_inputs: Sequence[str] = (),
        drop: Sequence[str] = (),
        cuts: Mapping[str, Sequence[float]] | None = None,
        features: Mapping[str, Mapping[str, Any]] | None = None,
        relations: Sequence[Relation] = (),
        schema: Schema | None = None,
        classes: Sequence[str] | None = None,
        modality: str = "tabular",
        size: Sequence[int] = (),
        encoding: Encoding = "unit",
        name: str = "the table",
    ) -> Dataset:
        """Make a dataset of a table.

        Args:
            frame: One row a case.
            target: The column to predict.
            event: The class that is predicted (a default, a disease); of two classes it becomes the second.
            favourable: The class that the person concerned wants; by default, of two, the other one.
            protected: Protected attributes. They are no inputs, unless named in `protected_inputs`.
            protected_inputs: Protected attributes that the classifier is given all the same.
            drop: Columns that are no inputs: identifiers, times, groups to split by.
            cuts: Where protected numbers are cut into groups; by default at their quartiles.
            features: For a column, the fields of `Feature` that are stated rather than inferred.
            relations: Relations that every valid row keeps.
            schema: The schema to encode with, instead of inferring one.
            classes: The classes there are, instead of those that occur.
            modality: What one case is: a row of numbers and categories, an image, a text, a series, a graph.
            size: Size of an input; see `Schema`. By default that of the largest.
            encoding: How numbers are encoded, where no schema says so; see `Schema`.
            name: What to call the table in an error.

        Raises:
            DataError: If the data cannot be used; the message names the column and the row.
            ConfigurationError: If a column or a class is named that is not there.
        """
        from classifier.preparation import Reading, prepare

        reading = Reading(
            target=target, event=event, favourable=favourable, protected=_names("protected", protected),
            protected_inputs=_names("protected_inputs", protected_inputs), drop=_names("drop", drop), cuts=cuts or {},
            features=features or {}, relations=tuple(relations), schema=schema, classes=classes, modality=modality, size=tuple(size),
            encoding=encoding,
        )  # fmt: skip
        return prepare(frame, reading, name)

    @classmethod
    def builtin(cls, name: str) -> Dataset:
        """A data set that comes with Assay: ``"german-credit"``, ``"breast-cancer"``, ``"digits"``, ``"moons"`` or ``"reviews-zh"``."""
        from classifier.builtin import load_builtin

        return load_builtin(name)

    @property
    def event(self) -> str | None:
        """The class that is predicted, of two."""
        return self.classes[1] if len(self.classes) == 2 else None

    @property
    def digest(self) -> str:
        """SHA-256 over the schema, the classes, the row numbers, the inputs and the labels; of sealed data keyed with `secret`."""
        parts = (self.inputs.numpy(), self.labels.numpy(), self.ids)
        digests = (sha256(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data) for part in parts)
        return keyed_digest(canonical_json([as_record(self.schema), self.classes, *digests]), self.secret)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Dataset:
        index = torch.from_numpy(np.arange(len(self))[rows])
        attributes = self.attributes.iloc[index.numpy()].reset_index(drop=True)
        with in_confidence(self.secret):
            inputs = take(self.inputs, index)
        return replace(self, inputs=inputs, labels=self.labels[index], ids=self.ids[rows], attributes=attributes)

    @staticmethod
    def joined(parts: Sequence[Dataset]) -> Dataset:
        """The rows of several parts of one dataset, in the order that they had in it."""
        order = np.argsort(np.concatenate([part.ids for part in parts]), kind="stable")
        with in_confidence(*(part.secret for part in parts)) as confidence:
            inputs = joined([part.inputs for part in parts])
        whole = replace(
            parts[0],
            secret=confidence.secret,
            inputs=inputs,
            labels=torch.cat([part.labels for part in parts]),
            ids=np.concatenate([part.ids for part in parts]),
            attributes=pd.concat([part.attributes for part in parts], ignore_index=True),
        )
        return whole[order]

    def frame(self) -> pd.DataFrame:
        """The inputs as a table in natural units, with the class as a last column."""
        frame = self.schema.decode(self.inputs)
        frame["(class)"] = np.array(self.classes, dtype=object)[self.labels.numpy()]
        return frame

    def column(self, name: str) -> pd.Series[Any]:
        """A column in natural units, whether it is an attribute or an input ``(N,)``."""
        if name in self.attributes.columns:
            return self.attributes[name]
        if name in self.schema.names:
            return self.schema.decode(self.inputs)[name]
        raise ConfigurationError(
            f"the data have no column {name!r}", remedy=did_you_mean(name, [*self.attributes.columns, *self.schema.names])
        )

    def groups(self, attribute: str) -> NDArray[np.object_]:
        """The group of each row by a protected attribute ``(N,)``.

        A number is cut at the stated points, or at its quartiles; a missing value is a group of its own.
        """
        column = self.column(attribute)
        return group_names(column, self.cuts.get(attribute) or cut_points(column))

    def split(
        self, *, test: float = 0.25, validation: float = 0.15, seed: int = 0, group: str | None = None, time: str | None = None
    ) -> Splits:
        """Cut into training, validation and test rows, each with the same mix of classes.

        Rows that share a group never straddle two parts, nor do rows that are equal in every input, unless time orders them.

        Args:
            test: Share of rows to test on.
            validation: Share of rows that decide when to stop.
            seed: Decides which rows go where.
            group: A column whose rows belong together (a customer, a patient); every row needs a value.
            time: A column to order by, so that the latest rows are tested on: numbers, or dates written as 2026-01-31.
        """
        if not (0 < test < 1 and 0 < validation < 1 and test + validation < 1):
            raise ConfigurationError(f"test and validation must be shares that leave some to train on, got {test} and {validation}")
        if group is not None and time is not None:
            raise ConfigurationError("rows can be split by group or by time, not by both")
        if time is not None:
            parts = cut_by_time(self.column(time), test=test, validation=validation)
        else:
            parts = cut(self._positions(Seed(seed, ("split",)), group), test=test, validation=validation)
        train, kept, held = (self[rows] for rows in parts)
        try:
            return Splits(train, kept, held)
        except DataError as error:
            if group is None:
                raise
            raise DataError(
                f"{error.problem}, since rows that share {group!r} stay together and there are {self.column(group).nunique()} such groups",
                remedy="it takes several groups of each class: take larger parts, or group by another column",
            ) from error

    def folds(self, count: int, *, seed: int = 0, group: str | None = None) -> NDArray[np.int64]:
        """The fold of each row ``(N,)``, from 0 to `count` - 1; stratified and grouped like :meth:`split`."""
        if count < 2:
            raise ConfigurationError(f"folds must be at least 2, got {count}")
        return (self._positions(Seed(seed, ("folds",)), group) * count).astype(np.int64)

    def _positions(self, seed: Seed, group: str | None) -> NDArray[np.float64]:
        together = units(self.inputs, None if group is None else self.column(group))
        return stratified_positions(together, self.labels.numpy(), seed)


def _names(option: str, names: Sequence[str]) -> tuple[str, ...]:
    # A text is a sequence of letters, which would be taken for as many columns.
    if isinstance(names, str):
        raise ConfigurationError(f"{option} must be a list of columns, got {names!r}", remedy=f'{option} = ["{names}"]')
    return tuple(names)


@dataclass(frozen=True)
class Splits:
    """The parts of a dataset: what is learned from, what stops the training, and what judges.

    Args:
        train: Rows to learn from.
        validation: Rows that decide when to stop.
        test: Rows that nothing was learned from.
        independence: How that is known: ``"held out"`` (split here), ``"given"`` (in files of their own) or
            ``"unknown"`` (a classifier brought without test data of its own).
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    independence: Independence = "held out"

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            part: Dataset = getattr(self, name)
            absent = sorted(set(range(len(part.classes))) - set(part.labels.tolist()))
            if absent:
                raise DataError(
                    f"the class {part.classes[absent[0]]!r} does not occur in the {name} part of {len(part)} rows",
                    remedy="take larger parts, or leave out classes with so few rows",
                )
