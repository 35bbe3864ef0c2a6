"""Rows that are none of those that were learned from: near ones made of them by a change, and far ones by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from audit.robustness.out_of_distribution import steps, tokens
from classifier.dataset import Dataset
from classifier.errors import DataError
from classifier.modality import modality_of
from classifier.seeds import Seed

Distance = Literal["near", "far"]
Maker = Callable[[Dataset, torch.Generator], Tensor]


@dataclass(frozen=True)
class Outside:
    """A set of rows that are not like those that were learned from.

    Args:
        name: What was done to make them.
        distance: ``"near"`` or ``"far"``, or ``"given"`` where they were brought.
        rows: The inputs ``(M, *S)``.
        source: The row that each was made from, as its index ``(M,)``.
    """

    name: str
    distance: Literal["near", "far", "given"]
    rows: Tensor
    source: Tensor


def make_outside(dataset: Dataset, seed: Seed) -> dict[str, Outside | str]:
    """Sets of rows made from a dataset, by their name; where a set cannot be made, the reason.

    ``spliced`` (near): half of the parts are those of a row of another class. ``noisy`` (near): numbers move by a normal
    tenth of their range, and of categories, words and edges a tenth changes. ``shuffled``: the features of a table are
    drawn apart, each from another row (near); the pixels, words, steps or nodes of any other input change places (far).
    ``uniform`` (far): every value is drawn within its bounds. ``flat`` (far): one such value all over; of a table
    ``corners``: every number at an end of its range.

    Args:
        dataset: Rows like those that were learned from.
        seed: Where the chances come from.

    Raises:
        DataError: If there are no rows.
    """
    if len(dataset) == 0:
        raise DataError("outside rows are made from rows, and there are none")
    modality = dataset.schema.modality
    distances: dict[str, Distance] = {"spliced": "near", "noisy": "near", "shuffled": "far", "uniform": "far", "flat": "far"}
    if modality == "tabular":
        distances = {"spliced": "near", "noisy": "near", "shuffled": "near", "uniform": "far", "corners": "far"}
    ways = tokens if modality == "text" else steps
    makers: dict[str, Maker] = {"spliced": _spliced, **ways.MAKERS}
    made: dict[str, Outside | str] = {}
    for name, distance in distances.items():
        rows = makers[name](dataset, seed.child(name).torch()).to(dataset.inputs.dtype)
        # A row that chance left as it was is not outside.
        changed = (rows != dataset.inputs).flatten(1).any(1)
        if int(changed.sum()) < max(2, len(dataset) / 2):
            made[name] = f"{len(dataset) - int(changed.sum())} of {len(dataset)} rows would stay as they are"
        else:
            made[name] = Outside(name, distance, rows[changed], changed.nonzero()[:, 0])
    return made


def _spliced(dataset: Dataset, generator: torch.Generator) -> Tensor:
    """Every row with about half of its parts from a row of another class."""
    x, modality = dataset.inputs, modality_of(dataset.schema)
    order = torch.randperm(len(x), generator=generator)
    donor = order.clone()
    for label in np.unique(dataset.labels.numpy()).tolist():
        others = order[dataset.labels[order] != label]
        if len(others):
            mine = dataset.labels == label
            donor[mine] = others[torch.arange(int(mine.sum())) % len(others)]
    # A part that one of the two rows lacks is no part to exchange.
    both = modality.present(x) & modality.present(x[donor])
    present = (torch.rand(len(x), len(modality.players), generator=generator) < 0.5) | ~both
    return steps.with_structure(modality.mask(x, present, x[donor]), x, dataset.schema)
