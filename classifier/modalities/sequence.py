"""Series: the players are stretches of a variable, and a series shorter than the size is filled up and flagged as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from classifier.chunks import chunk_size, sum_in_chunks
from classifier.cleaning import constant_columns, describe_table, infer_feature, tidy_columns
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.formats.series import SERIES, read_series, series_frame
from classifier.modalities._observed import OBSERVED, observed_column, observed_feature
from classifier.modalities._stated import require_features, require_size
from classifier.modalities._steps import fill_steps, join_steps, require_fill, series_cells, series_column
from classifier.modalities.tabular import Tabular, word_for
from classifier.modality import MODALITIES, Modality
from classifier.schema import Feature, Relation, Schema
from classifier.storage import room_for

__all__ = ["Series", "series_frame"]

MOST_PLAYERS = 32


@MODALITIES.register
@dataclass(frozen=True)
class Series(Modality):
    """Series ``(T, D)``: at each of T steps the variables, and where lengths differ, whether the step was observed.

    A case is an array (steps,) or (steps, variables), or a table with a column for each variable. Where a
    series is shorter than the size, its last step is repeated and flagged as not observed; where it is
    longer, it is cut at the end.
    """

    def __post_init__(self) -> None:
        if len(self.schema.size) != 1:
            raise ConfigurationError(f"the size of a series is (steps,), got {self.schema.size}", remedy="give the schema size=(150,)")

    @staticmethod
    def read(path: Path) -> tuple[pd.DataFrame, str]:
        return read_series(path)

    @staticmethod
    def infer(
        inputs: pd.DataFrame, *, stated: Mapping[str, Mapping[str, Any]], relations: Sequence[Relation], size: tuple[int, ...]
    ) -> Schema:
        require_size(size, "a series", ("steps",))
        cells = series_cells(inputs)
        longest, shortest = max(map(len, cells)), min(map(len, cells))
        extent = size[0] if size else longest
        steps = join_steps(cells, extent)[0]
        steps = tidy_columns(steps, stated)
        constant = constant_columns(steps)
        require_features(inputs.columns, stated, list(map(str, steps.columns)))
        features = [infer_feature(steps[name].dropna(), stated.get(name, {})) for name in steps.columns if name not in constant]
        if not features:
            raise DataError("no variable of the series varies", remedy="check that the file is whole")
        for feature in features:
            require_fill(feature)
        flag = [observed_feature()] if shortest < extent else []
        return Schema("sequence", (*features, *flag), tuple(relations), size=(extent,))

    def describe(self, inputs: pd.DataFrame, labels: Tensor) -> Mapping[str, Any]:
        cells, extent = series_cells(inputs), self.schema.size[0]
        lengths = np.array([len(cell) for cell in cells])
        steps, _ = join_steps(cells, extent)
        steps = tidy_columns(steps, {feature.name: {"kind": feature.kind} for feature in self.schema.features})
        row_labels = labels.numpy().repeat(lengths.clip(max=extent))
        found = describe_table(steps, self.schema, row_labels)
        notes = []
        if (lengths > extent).any():
            notes.append(f"{int((lengths > extent).sum())} of {len(cells)} series are longer than {extent} steps and were cut there")
        if (lengths < extent).any():
            notes.append(
                f"{int((lengths < extent).sum())} of {len(cells)} series are shorter than {extent} steps; the rest is not observed"
            )
        others = [str(name) for name in inputs.columns if name != series_column(inputs)]
        notes += [f"{name} is no series, and so no input" for name in others]
        return {**found, "notes": (*found["notes"], *notes)}

    def encode(self, frame: pd.DataFrame) -> Tensor:
        extent, flag = self.schema.size[0], observed_column(self.schema)
        steps, lengths = join_steps(series_cells(frame), extent)
        for name in self._variables:
            if name not in steps.columns:
                raise DataError(f"the series have no variable {name!r}", remedy=did_you_mean(name, map(str, steps.columns)))
        if flag is None and (lengths < extent).any():
            row = int((lengths < extent).argmax())
            raise DataError(
                f"the series in row {row} has {lengths[row]} steps, required are {extent}",
                remedy="lengths may differ where they differ in the training data, or a larger size is stated",
            )
        columns = tidy_columns(steps, {f.name: {"kind": f.kind} for f in self.schema.features if f.name in steps})
        columns = columns.assign(**{feature.name: fill_steps(columns[feature.name], feature) for feature in self._features})
        if flag is not None:
            columns[OBSERVED] = 1.0
        encoded = Tabular(self.schema).encode(columns)
        # The last step stands for those that are not there, since any other value might lie far from all others.
        place = torch.from_numpy(np.minimum(np.arange(extent), lengths[:, None] - 1) + (lengths.cumsum() - lengths)[:, None])
        x = room_for(len(lengths), self.shape)
        size = chunk_size(self.shape)
        for start in range(0, len(x), size):
            x[start : start + size] = encoded[place[start : start + size]]
        if flag is not None:
            x[..., flag] = torch.from_numpy(np.arange(extent) < lengths[:, None]).to(x)
        return x

    def decode(self, x: Tensor) -> pd.DataFrame:
        steps = Tabular(self.schema).decode(x.flatten(0, 1))
        here = self.observed(x).cpu().numpy() > 0.5
        cells = np.empty(len(x), dtype=object)
        for index in range(len(x)):
            rows = steps.iloc[index * self.schema.size[0] : (index + 1) * self.schema.size[0]]
            cells[index] = rows.loc[here[index], list(self._variables)].reset_index(drop=True)
        return pd.DataFrame({SERIES: pd.Series(cells, dtype=object)})

    def observed(self, x: Tensor) -> Tensor:
        """Which steps were there: 1, or 0 where not ``(N, T)``."""
        flag = observed_column(self.schema)
        return torch.ones_like(x[..., 0]) if flag is None else x[..., flag]

    @cached_property
    def stretches(self) -> tuple[tuple[int, int], ...]:
        """First and last step of each stretch, as few steps as leave about 32 players; the last stretch may be shorter."""
        extent = self.schema.size[0]
        length = -(-extent // max(1, MOST_PLAYERS // len(self._rows)))
        return tuple((start + 1, min(start + length, extent)) for start in range(0, extent, length))

    @cached_property
    def players(self) -> tuple[str, ...]:
        spans = [f"step {a}" if a == b else f"steps {a} to {b}" for a, b in self.stretches]
        return tuple(spans if len(self._rows) == 1 else (f"{name}, {span}" for name in self._rows for span in spans))

    @cached_property
    def membership(self) -> Tensor:
        lengths = torch.tensor([end - start + 1 for start, end in self.stretches])
        span = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        # A single variable's stretch is there or not as a whole, so the flag belongs to its player.
        row = torch.tensor([min(index, len(self._rows) - 1) for index, f in enumerate(self.schema.features) for _ in range(f.width)])
        return span[:, None] + len(lengths) * row

    def present(self, x: Tensor) -> Tensor:
        return self.gather(self.observed(x)[..., None].expand_as(x)) > 0.5

    def neutral(self) -> Tensor:
        middle = super().neutral()
        for feature in self.schema.features:
            if feature.kind == "categorical":
                middle[:, self.schema.groups[feature.name]] = 1 / feature.width
        flag = observed_column(self.schema)
        if flag is not None:
            middle[:, flag] = 1.0
        return middle

    def typical(self, x: Tensor) -> Tensor:
        """The mean of the observed steps, as long as the middle one of the series ``(T, D)``."""
        flag = observed_column(self.schema)
        if flag is None:
            return x.mean(0)
        sums = sum_in_chunks(lambda part: (part * part[..., flag, None]).sum(0), x)
        counts = sum_in_chunks(lambda part: part[..., flag, None].sum(0), x)
        total = sums.sum(0) / counts.sum().clamp_min(1.0)
        mean = torch.where(counts > 0, sums / counts.clamp_min(1.0), total).to(x.dtype)
        mean[:, flag] = (counts[:, 0] >= 0.5 * len(x)).to(x)
        return mean

    def spread(self, values: Tensor, x: Tensor) -> Tensor:
        """Divide a stretch's value evenly over its steps, and over a category's columns."""
        membership = self.membership.to(values.device)
        flag = observed_column(self.schema)
        counted = torch.ones_like(membership, dtype=values.dtype)
        if flag is not None and len(self._rows) == 1:
            counted[:, flag] = 0
        sizes = torch.zeros(len(self.players), dtype=values.dtype, device=values.device)
        sizes.scatter_add_(0, membership.flatten(), counted.flatten())
        return (values / sizes)[:, membership] * counted

    def repair(self, x: Tensor, centre: Tensor) -> Tensor:
        """Repair each observed step as a row of a table; the others stay as they were, and which they are."""
        kept = torch.stack([self.observed(centre) <= 0.5] * x.shape[2], dim=2)
        flag = observed_column(self.schema)
        if flag is not None:
            kept[..., flag] = True
        repaired = Tabular(self.schema).repair(x.flatten(0, 1), centre.flatten(0, 1)).reshape(x.shape)
        return torch.where(kept, centre, repaired)

    def valid(self, x: Tensor) -> Tensor:
        steps = Tabular(self.schema).valid(x.flatten(0, 1)).reshape(x.shape[:2])
        here = self.observed(x)
        # Nothing comes after the end.
        return steps.all(1) & (here[:, 0] > 0.5) & (here[:, 1:] <= here[:, :-1]).all(1)

    def words(self, x: Tensor) -> list[dict[str, str]]:
        """The mean of each stretch in natural units, or its commonest category."""
        x = x.detach().cpu()
        here = self.observed(x)[..., None].clamp(0, 1)
        columns: dict[str, list[list[str]]] = {name: [] for name in self._rows}
        for start, end in self.stretches:
            there = here[:, start - 1 : end].sum(1)
            means = (x[:, start - 1 : end] * here[:, start - 1 : end]).sum(1) / there.clamp_min(1e-12)
            natural = Tabular(self.schema).decode(means)
            for name in self._rows:
                feature = self.schema[name]
                if name == OBSERVED:
                    columns[name].append([f"{count:.0f} of {end - start + 1} steps" for count in there[:, 0].tolist()])
                    continue
                words = [word_for(feature, value) for value in natural[name]]
                columns[name].append(
                    [word if count >= 0.5 else "not observed" for word, count in zip(words, there[:, 0].tolist(), strict=True)]
                )
        table = [words for name in self._rows for words in columns[name]]
        return [dict(zip(self.players, row, strict=True)) for row in zip(*table, strict=True)]

    @property
    def _features(self) -> tuple[Feature, ...]:
        """The variables, without the flag."""
        return tuple(feature for feature in self.schema.features if feature.name != OBSERVED)

    @property
    def _variables(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self._features)

    @property
    def _rows(self) -> tuple[str, ...]:
        """The features whose stretches are players: all, but for the flag of a single variable."""
        return self._variables if len(self._variables) == 1 else self.schema.names
