"""A first ``audit.toml`` and ``policy.toml`` for a table that nobody has described yet."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from classifier.cleaning import infer_feature, looks_like_row_number, tidy
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.formats.tables import read_table
from classifier.grouping import SMALLEST_GROUP
from classifier.records import write_atomically

# Attributes that laws commonly protect, as the names of columns say them.
_WORDS = "age|sex|gender|race|ethnic[a-z]*|nationality|religion|marital|disability|foreign"
_PROTECTED = re.compile(rf"(?:^|[^a-z])(?:{_WORDS})(?:$|[^a-z])", re.IGNORECASE)


@dataclass
class _Columns:
    """What is proposed for the columns of a table: which to leave out and why, and which to protect."""

    drop: dict[str, str] = field(default_factory=dict)
    protected: list[str] = field(default_factory=list)


def write_starter(data: Path, folder: Path, *, target: str, event: str | None = None) -> tuple[Path, Path]:
    """Write an ``audit.toml`` and a ``policy.toml`` that run unchanged.

    Args:
        data: The table.
        folder: Where to write them.
        target: The column to predict.
        event: The class that is predicted; of two, the rarer one by default.

    Returns:
        The two files.

    Raises:
        ConfigurationError: If one of them exists already, or the table has no such column.
        DataError: If the table cannot be used.
    """
    configuration, policy = folder / "audit.toml", folder / "policy.toml"
    for path in (configuration, policy):
        if path.exists():
            raise ConfigurationError(f"{path} exists", remedy="move it, or name another folder with --output")
    frame, _ = read_table(data)
    if target not in frame.columns:
        raise ConfigurationError(f"{data.name} has no column {target!r}", remedy=did_you_mean(target, map(str, frame.columns)))
    columns = _propose(frame, target)
    dataset = Dataset.from_frame(frame, target=target, event=event, drop=tuple(columns.drop), protected=columns.protected, name=data.name)
    if event is None and len(dataset.classes) == 2:
        # The rarer class is what people ask about: a default, a disease.
        event = dataset.classes[int(dataset.labels.bincount().argmin())]
    facts = {
        "name": re.sub(r"[^A-Za-z0-9._-]+", "-", data.stem).strip("-._") or "audit",
        "path": os.path.relpath(data, folder),
        "target": target,
        "event": event,
        "favourable": next(other for other in dataset.classes if other != event) if event else None,
        "protected": columns.protected,
        "drop": columns.drop,
        "two_classes": len(dataset.classes) == 2,
    }
    write_atomically(configuration, _render("audit.toml.j2", facts))
    write_atomically(policy, _render("policy.toml.j2", facts))
    return configuration, policy


def _propose(frame: pd.DataFrame, target: str) -> _Columns:
    columns = _Columns()
    for name, values in frame.items():
        if name == target:
            continue
        column = tidy(values)
        if looks_like_row_number(column):
            columns.drop[str(name)] = "only counts the rows"
        elif column.nunique() > 1:
            try:
                infer_feature(column)
            except DataError as error:
                columns.drop[str(name)] = error.problem.removeprefix(f"column {name!r} ")
                continue
            if _PROTECTED.search(str(name)) and _groups_are_large(column):
                columns.protected.append(str(name))
    return columns


def _groups_are_large(column: pd.Series[Any]) -> bool:
    """Whether it would be cut into groups, and each is large enough to be compared."""
    present = column.dropna()
    sizes = present.value_counts().to_numpy()
    if column.dtype == float and len(sizes) > 2:
        points = np.unique(present.quantile([0.25, 0.5, 0.75]))
        sizes = np.unique(np.searchsorted(points, present, side="right"), return_counts=True)[1]
    missing = len(column) - len(present)
    return bool(len(sizes) > 1 and sizes.min() >= SMALLEST_GROUP and (missing == 0 or missing >= SMALLEST_GROUP))


def _render(template: str, facts: Mapping[str, Any]) -> bytes:
    environment = Environment(loader=PackageLoader("audit.starter", "."), undefined=StrictUndefined, keep_trailing_newline=True)
    # A TOML string; JSON's escapes are TOML's.
    environment.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    return environment.get_template(template).render(facts).encode()
