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

from classifier.cleaning import Cleaning, encode_labels, tidy_columns
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.grouping import cut_points, group_names, require_sizes
from classifier.modality import MODALITIES, modality_of
from classifier.records import as_record, canonical_json, sha256
from classifier.schema import Relation, Schema
from classifier.seeds import Seed
from classifier.splitting import cut, cut_by_time, same_rows, stratified_positions, units

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
        source: Name of the file and its SHA-256.
        cleaning: What was found in the table.
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
    ) -> Dataset:
        """Read cases from a file or a folder; see :meth:`from_frame` for the arguments, and ``docs/data.md`` for the formats."""
        path = Path(path)
        frame, digest = MODALITIES[schema.modality if schema is not None else modality].read(path)
        dataset = cls.from_frame(
            frame, target=target, event=event, favourable=favourable, protected=protected, protected_inputs=protected_inputs,
            drop=drop, cuts=cuts, features=features, relations=relations, schema=schema, classes=classes, modality=modality, size=size,
            name=path.name,
        )  # fmt: skip
        return replace(dataset, source={"name": path.name, "sha256": digest})

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
            name: What to call the table in an error.

        Raises:
            DataError: If the data cannot be used; the message names the column and the row.
            ConfigurationError: If a column or a class is named that is not there.
        """
        frame = frame.rename(columns=str).reset_index(drop=True)
        twice = frame.columns[frame.columns.duplicated()]
        if len(twice):
            raise DataError(f"{name} has two columns {twice[0]!r}", remedy="give each column a name of its own")
        named = (target, *protected, *protected_inputs, *drop, *(cuts or {}), *((features or {}) if modality == "tabular" else ()))
        for column in named:
            if column not in frame.columns:
                raise ConfigurationError(f"{name} has no column {column!r}", remedy=did_you_mean(column, frame.columns))
        if target in (*protected, *drop):
            raise ConfigurationError(f"column {target!r} is the target and cannot be protected or dropped too")
        for column in protected_inputs:
            if column not in protected:
                raise ConfigurationError(f"{column!r} is under protected_inputs but not under protected")
        outside = [c for c in frame.columns if c == target or c in drop or (c in protected and c not in protected_inputs)]
        kind = MODALITIES[schema.modality if schema is not None else modality]
        # Nobody can change a protected attribute, unless that is stated.
        fixed: dict[str, Any] = {"protected": True, "mutable": False}
        stated = {
            column: {**(fixed if column in protected else {}), **(features or {}).get(column, {})}
            for column in (*frame.columns, *(features or {}))
        }
        known = tidy_columns(frame[outside], stated)
        labelled = known[target].notna()
        if not labelled.any():
            raise DataError(f"the target {target!r} has no value in any of {len(frame)} rows", remedy="is it the right column?")
        known, inputs = known[labelled], kind.tidy(frame.drop(columns=outside), stated)[labelled]
        labels, classes = encode_labels(known[target], event, classes)
        if favourable is not None and favourable not in classes:
            raise ConfigurationError(f"there is no class {favourable!r}", remedy=did_you_mean(favourable, classes))
        if schema is None:
            schema = kind.infer(inputs, stated=stated, relations=relations, size=tuple(size))
        encoded, indices = schema.encode(inputs), torch.from_numpy(labels)
        numbers = inputs if modality == "tabular" else inputs.iloc[:, :0]
        quartiles = {column: cut_points((known if column in known else numbers)[column]) for column in protected}
        dataset = cls(
            inputs=encoded,
            labels=indices,
            ids=known.index.to_numpy(dtype=np.int64),
            schema=schema,
            classes=classes,
            attributes=known.drop(columns=target).reset_index(drop=True),
            protected=tuple(protected),
            cuts={
                **{column: points for column, points in quartiles.items() if points},
                **{column: tuple(sorted(map(float, points))) for column, points in (cuts or {}).items()},
            },
            favourable=favourable if favourable is not None else classes[0] if len(classes) == 2 else None,
            source={"name": name},
            cleaning=Cleaning(
                rows_read=len(frame),
                rows_without_target=int((~labelled).sum()),
                duplicates=len(indices) - len(np.unique(same_rows(torch.cat([encoded.flatten(1), indices[:, None]], 1)))),
                kinds={feature.name: feature.kind for feature in schema.features},
                **modality_of(schema).describe(inputs, indices),
            ),
        )
        for attribute in protected:
            require_sizes(attribute, dataset.groups(attribute))
        return dataset

    @classmethod
    def builtin(cls, name: str) -> Dataset:
        """A data set that comes with Assay: ``"german-credit"``, ``"breast-cancer"`` or ``"moons"``."""
        from classifier.builtin import load_builtin

        return load_builtin(name)

    @property
    def event(self) -> str | None:
        """The class that is predicted, of two."""
        return self.classes[1] if len(self.classes) == 2 else None

    @property
    def digest(self) -> str:
        """SHA-256 over the schema, the classes, the row numbers, the inputs and the labels."""
        parts = (self.inputs.numpy(), self.labels.numpy(), self.ids)
        return sha256(
            canonical_json([as_record(self.schema), self.classes, *(sha256(np.ascontiguousarray(part).tobytes()) for part in parts)])
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Dataset:
        index = torch.from_numpy(np.arange(len(self))[rows])
        return replace(
            self,
            inputs=self.inputs[index],
            labels=self.labels[index],
            ids=self.ids[rows],
            attributes=self.attributes.iloc[index.numpy()].reset_index(drop=True),
        )

    @staticmethod
    def joined(parts: Sequence[Dataset]) -> Dataset:
        """The rows of several parts of one dataset, in the order that they had in it."""
        order = np.argsort(np.concatenate([part.ids for part in parts]), kind="stable")
        whole = replace(
            parts[0],
            inputs=torch.cat([part.inputs for part in parts]),
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
            group: A column whose rows belong together (a customer, a patient).
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
        return Splits(train, kept, held)

    def folds(self, count: int, *, seed: int = 0, group: str | None = None) -> NDArray[np.int64]:
        """The fold of each row ``(N,)``, from 0 to `count` - 1; stratified and grouped like :meth:`split`."""
        return (self._positions(Seed(seed, ("folds",)), group) * count).astype(np.int64)

    def _positions(self, seed: Seed, group: str | None) -> NDArray[np.float64]:
        together = units(self.inputs, None if group is None else self.column(group))
        return stratified_positions(together, self.labels.numpy(), seed)


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
