"""What the table holds, who is in it, and whether the test rows are new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Table
from audit.subject import Subject
from classifier.dataset import Dataset
from classifier.metric import Metric
from classifier.schema import Feature
from classifier.seeds import Seed


@register
@dataclass(frozen=True, kw_only=True)
class Quality(Check):
    """Counts rows, classes, groups, missing values, rows outside the bounds, and test rows that were learned from."""

    metrics: ClassVar = (
        "data.rows",
        "data.missing_values",
        "data.duplicates_across_splits",
        "data.rows_outside_bounds",
        "data.smallest_class",
    )

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test, training = subject.test, subject.training
        learned = [part for part in (training, subject.validation) if part is not None]
        everything = Dataset.joined([*learned, test])
        counts = np.bincount(everything.labels.numpy(), minlength=len(test.classes))
        metrics = [
            Metric.counted("data.rows", len(everything), len(everything), better="higher"),
            Metric.counted("data.smallest_class", int(counts.min()), len(everything), better="higher"),
        ]
        if not test.schema.features:
            names = ("data.rows_outside_bounds", "data.missing_values", "data.duplicates_across_splits")
            metrics += [Metric.missing(name, "there are predictions alone, and no inputs", n=len(test)) for name in names]
        else:
            metrics += _of_inputs(test, training)
        sizes = Table("parts", ("part", "rows", *test.classes), tuple(_sizes(name, part) for name, part in _parts(subject)))
        described = tuple(_describe(feature, test) for feature in test.schema.features)
        # An extreme, or a category that is rare, is the value of one case.
        features = Table("features", ("feature", "kind", "range", "missing", "role"), described, single=True)
        groups = Table("coverage", ("attribute", "group", "rows", "share"), tuple(_coverage(everything)))
        return Evidence(
            check=self.id,
            metrics=tuple(metrics),
            tables=(sizes, *(table for table in (groups, features) if table.rows)),
            parameters={"source": dict(test.source), "cleaning": _cleaning(test)},
            seed=seed.value,
        )


def _of_inputs(test: Dataset, training: Dataset | None) -> list[Metric]:
    low, high = test.schema.bounds
    outside = ((test.inputs < low - 1e-6) | (test.inputs > high + 1e-6)).flatten(1).any(1)
    metrics = [Metric.counted("data.rows_outside_bounds", int(outside.sum()), len(test), better="lower")]
    if test.cleaning is None:
        metrics.append(Metric.missing("data.missing_values", "the rows were given encoded, not read from a table"))
    else:
        missing = sum(test.cleaning.missing.values())
        metrics.append(Metric.counted("data.missing_values", missing, test.cleaning.rows_read, better="lower"))
    if training is None:
        metrics.append(Metric.missing("data.duplicates_across_splits", "the training data are not known", n=len(test)))
    else:
        metrics.append(Metric.counted("data.duplicates_across_splits", _shared_rows(training, test), len(test), better="lower"))
    return metrics


def _parts(subject: Subject) -> list[tuple[str, Dataset]]:
    parts = (("training", subject.training), ("validation", subject.validation), ("test", subject.test))
    return [(name, part) for name, part in parts if part is not None]


def _sizes(name: str, part: Dataset) -> tuple[Cell, ...]:
    return (name, len(part), *np.bincount(part.labels.numpy(), minlength=len(part.classes)).tolist())


def _shared_rows(training: Dataset, test: Dataset) -> int:
    """How many test rows equal a training row in every input."""
    known = {row.tobytes() for row in training.inputs.numpy()}
    return sum(row.tobytes() in known for row in test.inputs.numpy())


def _describe(feature: Feature, test: Dataset) -> tuple[Cell, ...]:
    if feature.kind == "text":
        domain = f"{int(test.schema.bounds[1].max()) + 1:,} different tokens, at most {test.schema.size[0]} in a text"
    elif feature.categories:
        domain = ", ".join(feature.categories)
    else:
        domain = f"{feature.low:g} to {feature.high:g} {feature.unit}".strip() if feature.low is not None else "unbounded"
    missing = test.cleaning.missing.get(feature.name, 0) if test.cleaning else None
    return (feature.name, feature.kind, domain, missing, "protected input" if feature.protected else "input")


def _coverage(rows: Dataset) -> list[tuple[Cell, ...]]:
    table: list[tuple[Cell, ...]] = []
    for attribute in rows.protected:
        names, sizes = np.unique(rows.groups(attribute), return_counts=True)
        table += [(attribute, str(name), int(size), round(size / len(rows), 4)) for name, size in zip(names, sizes, strict=True)]
    return table


def _cleaning(test: Dataset) -> dict[str, object] | None:
    if test.cleaning is None:
        return None
    c = test.cleaning
    return {
        "rows_read": c.rows_read,
        "rows_without_target": c.rows_without_target,
        "duplicates": c.duplicates,
        "missing": dict(c.missing),
        "filled": dict(c.filled),
        "constant": list(c.constant),
        "notes": list(c.notes),
    }
