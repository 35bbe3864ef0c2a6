"""Whether the classifier's own numbers tell rows that are none of those that it learned from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.robustness.out_of_distribution import SCORES, Detection, Outside, Scoring, make_outside, measure_detection
from audit.robustness.out_of_distribution.detection import threshold_metric
from audit.subject import Need, Subject
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, DataError
from classifier.metric import Metric
from classifier.modality import modality_of
from classifier.seeds import Seed
from classifier.statistics import Array, proportion, roc_curve

_DISTANCES = ("near", "far", "given")
# Numbers that a set of rows takes at most; 2**25 floats are 128 MiB.
_NUMBERS = 2**25
_POINTS = 60


@dataclass
class _Scored:
    """Scores of the known rows, by score, and of each set of outside rows, by score and set."""

    known: dict[str, Array]
    outside: dict[tuple[str, str], Array] = field(default_factory=dict)
    found: dict[tuple[str, str], Detection] = field(default_factory=dict)


@register
@dataclass(frozen=True, kw_only=True)
class OutOfDistribution(Check):
    """Maximum softmax, energy and Mahalanobis distance on test rows, against rows made of other test rows, and rows that are given.

    One half of the test rows is what is known; the outside rows are made of the other half, so that the two are independent.

    Args:
        path: A file or folder of rows from elsewhere, in the form of the data, as an absolute path; besides the sets that are made.
        limit: Test rows used at most, and rows learned from for the Mahalanobis distance.
        resamples: Resamples of the thresholds' intervals.
    """

    path: str = ""
    limit: int = 2000
    resamples: int = 1000
    metrics: ClassVar = ("robustness.ood_auroc", "robustness.ood_fpr_at_95_tpr", "robustness.ood_threshold", "robustness.ood_kept")
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier"})
    profiles: ClassVar = {"quick": {"limit": 500, "resamples": 500}, "thorough": {"limit": 10000, "resamples": 2000}}

    def __post_init__(self) -> None:
        for name, least in (("limit", 4), ("resamples", 2)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.path and not Path(self.path).is_absolute():
            # It would be taken from wherever the audit happens to be started.
            raise ConfigurationError(
                f"path must be an absolute path, got {self.path!r}", remedy="write it from the root of the file system"
            )

    def forward_rows(self, rows: int) -> int:
        # Half of the rows as they are, the other half changed in five ways, rows learned from and rows to validate with.
        return 5 * min(rows, self.limit)

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test = subject.test
        most = max(4, min(self.limit, 2 * _NUMBERS // max(1, prod(test.schema.shape))))
        chosen = torch.randperm(len(test), generator=seed.child("rows").torch())[:most]
        if len(chosen) < 4:
            raise DataError(f"known and outside rows take two each, and there are {len(chosen)} test rows")
        halves = [test[part.sort().values.numpy()] for part in chosen.tensor_split(2)]
        made = make_outside(halves[1], seed.child("outside"))
        parameters: dict[str, Any] = {**self.options(), "rows": len(chosen)}
        if self.path:
            made["given"], parameters["given"] = self._given(test, seed.child("given"))
        learned = None if subject.training is None else _some(subject.training, most, seed.child("learned"))
        scoring = Scoring.of(subject.model, None if learned is None else (learned.inputs, learned.labels), halves[0].inputs)
        scored = _scored(scoring, halves[0], made)
        sets = {name: outside for name, outside in made.items() if isinstance(outside, Outside)}
        validation = None if subject.validation is None else _some(subject.validation, most, seed.child("validation"))
        kept = {} if validation is None else {name: s.numpy() for name, s in scoring.scores(validation.inputs).items()}
        return Evidence(
            check=self.id,
            metrics=(
                *_of_sets(scoring, scored, made),
                *self._of_scores(scoring, scored, kept, seed.child("threshold")),
            ),
            tables=(_abstention(scored, kept, sets),),
            figures=(*_curves(scored, sets), *_pictures(halves[0], sets)),
            parameters={**parameters, "features": scoring.features.place, "why_logits": scoring.features.reason},
            seed=seed.value,
            notes=("robustness.made_rows",),
            arrays={
                "ids": halves[0].ids,
                **{f"score_{score}": values for score, values in scored.known.items()},
                **{f"ids_{name}": halves[1].ids[outside.source.numpy()] for name, outside in sets.items() if name != "given"},
                **{f"score_{score}_{name}": values for (score, name), values in scored.outside.items()},
            },
        )

    def _given(self, test: Dataset, seed: Seed) -> tuple[Outside, dict[str, Any]]:
        frame, digest = modality_of(test.schema).read(Path(self.path))
        # The first rows of a file are often of one day or one kind.
        rows = test.schema.encode(frame.iloc[np.sort(seed.numpy().permutation(len(frame))[: self.limit])])
        return Outside("given", "given", rows, torch.arange(len(rows))), {"sha256": digest, "rows": len(rows)}

    def _of_scores(self, scoring: Scoring, scored: _Scored, kept: dict[str, Array], seed: Seed) -> list[Metric]:
        metrics = []
        for score in SCORES:
            if score in scoring.refused:
                metrics += [Metric.missing(f"robustness.ood_{name}", scoring.refused[score], where={"score": score}) for name in _OF_SCORES]
                continue
            threshold = threshold_metric(scored.known[score], seed.child(score), resamples=self.resamples)
            stays = kept[score] >= threshold.value if score in kept and threshold.value is not None else np.zeros(0, dtype=bool)
            share = proportion("robustness.ood_kept", stays, empty="there are no validation rows to try the threshold on")
            metrics += [replace(metric, where={"score": score}) for metric in (replace(threshold, better="neither"), share)]
        return metrics


_OF_SETS = ("auroc", "fpr_at_95_tpr")
_OF_SCORES = ("threshold", "kept")


def _some(dataset: Dataset, limit: int, seed: Seed) -> Dataset:
    return dataset[np.sort(seed.numpy().permutation(len(dataset))[:limit])]


def _scored(scoring: Scoring, known: Dataset, made: dict[str, Outside | str]) -> _Scored:
    scored = _Scored({name: values.numpy() for name, values in scoring.scores(known.inputs).items()})
    for name, outside in made.items():
        if isinstance(outside, Outside):
            for score, values in scoring.scores(outside.rows).items():
                scored.outside[score, name] = values.numpy()
                scored.found[score, name] = measure_detection(scored.known[score], values.numpy())
    return scored


def _of_sets(scoring: Scoring, scored: _Scored, made: dict[str, Outside | str]) -> list[Metric]:
    metrics = []
    for score in SCORES:
        for name, outside in made.items():
            where: dict[str, str | float | int] = {"score": score, "set": name}
            refused = scoring.refused.get(score) or (outside if isinstance(outside, str) else "")
            if isinstance(outside, Outside):
                where["distance"] = outside.distance
            if refused:
                metrics += [Metric.missing(f"robustness.ood_{metric}", refused, where=where) for metric in _OF_SETS]
            else:
                found = scored.found[score, name]
                metrics += [replace(metric, where=where) for metric in (found.auroc, found.false_positives)]
    return metrics


def _pooled(scored: _Scored, score: str, distance: str, sets: dict[str, Outside]) -> Array:
    parts = [scored.outside[score, name] for name, outside in sets.items() if outside.distance == distance]
    return np.concatenate(parts) if parts else np.zeros(0)


def _abstention(scored: _Scored, kept: dict[str, Array], sets: dict[str, Outside]) -> Table:
    """What each threshold does: the shares of rows that score less, and would be abstained from."""
    rows: list[tuple[Cell, ...]] = []
    for score, known in scored.known.items():
        threshold = scored.found[score, next(iter(sets))].threshold if sets else None
        groups = [known, kept.get(score, np.zeros(0)), *(_pooled(scored, score, distance, sets) for distance in _DISTANCES)]
        stopped = [round(float((s < threshold).mean()), 4) if len(s) and threshold is not None else None for s in groups]
        rows.append((score, None if threshold is None else float(f"{threshold:.5g}"), *stopped))
    return Table("abstention", ("score", "threshold", "known", "validation", *_DISTANCES), tuple(rows))


def _curves(scored: _Scored, sets: dict[str, Outside]) -> list[Figure]:
    """For each distance the ROC curve of each score over all its sets together."""
    figures = []
    for distance in _DISTANCES:
        series = []
        for score, known in scored.known.items():
            outside = _pooled(scored, score, distance, sets)
            if len(outside):
                false, true = roc_curve(np.r_[known, outside], np.arange(len(known) + len(outside)) < len(known))
                some = np.unique(np.linspace(0, len(false) - 1, min(_POINTS, len(false))).astype(np.int64))
                series.append(Series(score, x=tuple(false[some].tolist()), y=tuple(true[some].tolist())))
        if series:
            words: dict[str, str | int | float] = {"known": len(next(iter(scored.known.values())))}
            figures.append(Figure(f"roc_{distance}", "lines", tuple(series), diagonal=True, words=words))
    return figures


def _pictures(known: Dataset, sets: dict[str, Outside]) -> list[Figure]:
    """The first known image, and the first of each set."""
    modality = modality_of(known.schema)
    if known.schema.modality != "image":
        return []
    shown = {"known": known.inputs[:1], **{name: outside.rows[:1] for name, outside in sets.items()}}
    pixels = modality.picture(torch.cat(list(shown.values())))  # type: ignore[attr-defined]
    series = tuple(Series(name, x=(), y=tuple(float(v) for v in image.ravel())) for name, image in zip(shown, pixels, strict=True))
    height, width, channels = pixels.shape[1:]
    words: dict[str, str | int | float] = {"height": height, "width": width, "channels": channels, "columns": len(shown)}
    return [Figure("rows", "pictures", series, labels=tuple(shown), words=words, single=True)]
