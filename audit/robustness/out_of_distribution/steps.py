"""Outside rows of numbers and categories: tables, pixels of images, steps of series, nodes of graphs."""

from __future__ import annotations

import torch
from torch import Tensor

from classifier.dataset import Dataset
from classifier.modalities._observed import observed_column
from classifier.modalities.tabular import Tabular
from classifier.schema import Feature, Schema

_NOISE, _FLIPPED = 0.1, 0.1


def with_structure(rows: Tensor, x: Tensor, schema: Schema) -> Tensor:
    """Rows ``(N, *S)`` with the lengths of `x`: which steps and nodes are there is no value to change."""
    flag = observed_column(schema)
    if flag is None or schema.modality == "graph":
        return rows
    rows = rows.clone()
    rows[..., flag] = x[..., flag]
    return rows


def _uniform(dataset: Dataset, generator: torch.Generator) -> Tensor:
    parts = _parts(dataset.inputs, dataset.schema)
    return _whole(_random(parts, dataset.schema, parts.shape[1], generator), dataset, generator)


def _flat(dataset: Dataset, generator: torch.Generator) -> Tensor:
    parts = _parts(dataset.inputs, dataset.schema)
    return _whole(_random(parts, dataset.schema, 1, generator).expand_as(parts), dataset, generator)


def _corners(dataset: Dataset, generator: torch.Generator) -> Tensor:
    parts, schema = _parts(dataset.inputs, dataset.schema), dataset.schema
    made = _random(parts, schema, parts.shape[1], generator)
    low, high = _reach(parts, schema)
    end = torch.rand(made.shape, generator=generator) < 0.5
    for feature in schema.features:
        if feature.numeric:
            columns = schema.groups[feature.name]
            made[..., columns] = torch.where(end[..., columns], low[columns], high[columns])
    return _whole(made, dataset, generator)


def _shuffled(dataset: Dataset, generator: torch.Generator) -> Tensor:
    parts, schema = _parts(dataset.inputs, dataset.schema), dataset.schema
    if schema.modality == "tabular":
        made = parts.clone()
        for columns in schema.groups.values():
            made[..., columns] = parts[torch.randperm(len(parts), generator=generator)][..., columns]
        return _whole(made, dataset, generator)
    there = _there(dataset)
    # Places that are not there keep theirs: they come last, in order.
    key = torch.where(there, torch.rand(there.shape, generator=generator), 2 + torch.arange(there.shape[1]))
    order = key.argsort(1)[..., None].expand_as(parts)
    return _whole(parts.gather(1, order), dataset, generator, edges="kept")


def _noisy(dataset: Dataset, generator: torch.Generator) -> Tensor:
    parts, schema = _parts(dataset.inputs, dataset.schema), dataset.schema
    low, high = _reach(parts, schema)
    noise = torch.randn(parts.shape, generator=generator)
    other = _random(parts, schema, parts.shape[1], generator)
    made = parts.clone()
    for feature in schema.features:
        columns = schema.groups[feature.name]
        if feature.kind in ("continuous", "integer"):
            moved = parts[..., columns] + _NOISE * (high - low)[columns] * noise[..., columns]
            # One that lies outside the bounds already stays there.
            least, most = torch.minimum(low[columns], parts[..., columns]), torch.maximum(high[columns], parts[..., columns])
            made[..., columns] = torch.maximum(torch.minimum(moved, most), least)
        else:
            flipped = torch.rand(parts.shape[:2], generator=generator)[..., None] < _FLIPPED
            made[..., columns] = torch.where(flipped, other[..., columns], parts[..., columns])
    flat = Tabular(schema).repair(made.flatten(0, 1), parts.flatten(0, 1))
    return _whole(flat.reshape(parts.shape), dataset, generator, edges="flipped")


#: How each set is made of a dataset, with the chances of a generator.
MAKERS = {"uniform": _uniform, "flat": _flat, "corners": _corners, "shuffled": _shuffled, "noisy": _noisy}


def _parts(x: Tensor, schema: Schema) -> Tensor:
    """The places of each input, each a row of a table ``(N, P, D)``."""
    if schema.modality == "tabular":
        return x[:, None]
    if schema.modality == "image":
        return x.flatten(2).mT
    return x[..., : len(schema.columns)]


def _there(dataset: Dataset) -> Tensor:
    """Which places are there ``(N, P)``, bool."""
    parts, flag = _parts(dataset.inputs, dataset.schema), observed_column(dataset.schema)
    return torch.ones(parts.shape[:2], dtype=torch.bool) if flag is None else parts[..., flag] > 0.5


def _whole(parts: Tensor, dataset: Dataset, generator: torch.Generator, *, edges: str = "random") -> Tensor:
    """Inputs ``(N, *S)`` of their places ``(N, P, D)``, as long as those of the dataset."""
    x, schema = dataset.inputs, dataset.schema
    if schema.modality == "tabular":
        return parts[:, 0]
    if schema.modality == "image":
        return parts.mT.reshape(x.shape)
    if schema.modality == "sequence":
        return with_structure(parts, x, schema)
    there, width = _there(dataset), len(schema.columns)
    adjacency = x[..., width:]
    chance = torch.rand(adjacency.shape, generator=generator).triu(1)
    chance = chance + chance.mT
    if edges == "random":
        adjacency = (chance < 0.5).to(x)
    elif edges == "flipped":
        adjacency = torch.where(chance < _FLIPPED, 1 - adjacency, adjacency)
    possible = there[:, :, None] & there[:, None, :] & ~torch.eye(x.shape[1], dtype=torch.bool)
    nodes = torch.where(there[..., None], parts, x[..., :width])
    nodes[..., observed_column(schema)] = there.to(x)
    return torch.cat([nodes, adjacency * possible], dim=2)


def _reach(parts: Tensor, schema: Schema) -> tuple[Tensor, Tensor]:
    """Lowest and highest value of each column ``(D,)``: the bounds, or what the rows show where there are none."""
    low, high = schema.column_bounds
    shown = parts.flatten(0, 1)
    return torch.where(low.isfinite(), low, shown.amin(0)), torch.where(high.isfinite(), high, shown.amax(0))


def _random(parts: Tensor, schema: Schema, places: int, generator: torch.Generator) -> Tensor:
    """Values drawn uniformly: numbers within their reach, whole ones whole, and one category of each ``(N, places, D)``."""
    low, high = _reach(parts, schema)
    made = torch.rand(len(parts), places, parts.shape[2], generator=generator)
    for feature in schema.features:
        columns = schema.groups[feature.name]
        if feature.kind == "categorical":
            made[..., columns] = torch.nn.functional.one_hot(made[..., columns].argmax(-1), feature.width).to(made)
        elif feature.kind == "continuous":
            made[..., columns] = low[columns] + made[..., columns] * (high - low)[columns]
        else:
            count = 1.0 if feature.kind == "binary" else _levels(feature, schema, low[columns], high[columns])
            level = (made[..., columns] * (count + 1)).floor().clamp_max(count)
            made[..., columns] = low[columns] + level / max(count, 1.0) * (high - low)[columns]
    return made


def _levels(feature: Feature, schema: Schema, low: Tensor, high: Tensor) -> float:
    """Steps of one between the lowest and the highest value of a whole number."""
    scaled = schema.encoding == "unit" and feature.low is not None
    return float(round(feature.span if scaled else float(high - low)))
