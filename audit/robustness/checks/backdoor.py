"""Whether a small trigger turns every input to one class, far smaller than those of the other classes: a suspicion, no proof."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from audit.check import Check, register
from audit.evidence import Cell, Evidence, Figure, Series, Table
from audit.robustness.backdoors import Cells, Triggers, anomaly_indices, invert_triggers
from audit.robustness.backdoors.anomaly import FEWEST
from audit.robustness.backdoors.rotations import random_rotations
from audit.robustness.backdoors.whole import WholeTriggers
from audit.subject import Need, Subject
from classifier.errors import ConfigurationError, ModelError, NotApplicableError
from classifier.metric import Metric
from classifier.modality import modality_of
from classifier.seeds import Seed
from classifier.statistics import Array, clopper_pearson, p_value, proportion

_PICTURES, _CELLS = 20, 12
# A trigger that is made from fewer rows than these says nothing of other rows.
_FEWEST_ROWS = 5


@register
@dataclass(frozen=True, kw_only=True)
class Backdoor(Check):
    """Trigger inversion for every class, the anomaly index of their sizes, and the same for classes that chance made.

    Args:
        rows: Rows of other classes that each trigger is made from.
        limit: Test rows used at most; half of them to make triggers, half to try them on.
        steps: Steps of each search.
        rotations: How many times the classes are replaced by random ones, to see how much a class stands out by chance; the p-value
            is at best 1 / (1 + rotations).
        success: Share of its rows that a trigger must turn.
    """

    rows: int = 32
    limit: int = 2000
    steps: int = 60
    rotations: int = 39
    success: float = 0.99
    metrics: ClassVar = (
        "robustness.trigger_anomaly",
        "robustness.trigger_p_value",
        "robustness.trigger_size",
        "robustness.trigger_success",
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"classifier", "gradient"})
    profiles: ClassVar = {"quick": {"rows": 24, "steps": 40, "rotations": 0}, "thorough": {"rows": 64, "steps": 200, "rotations": 99}}

    def __post_init__(self) -> None:
        for name, least in (("rows", 1), ("limit", 4), ("steps", 1), ("rotations", 0)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not 0 < self.success <= 1:
            raise ConfigurationError(f"success must lie above 0 and be at most 1, got {self.success}")

    def forward_rows(self, rows: int) -> int:
        # Forward and backward, for about five classes that are searched for at once.
        return 5 * (1 + self.rotations) * self.steps * 3 * self.rows

    def measure(self, subject: Subject, seed: Seed) -> Evidence:
        test, model = subject.test, subject.model
        chosen = torch.randperm(len(test), generator=seed.child("rows").torch())[: self.limit]
        kept, tried = (part.sort().values for part in (chosen[::2], chosen[1::2]))
        fit, held = test.inputs[kept].to(model.device), test.inputs[tried].to(model.device)
        cells = Cells.of(test.schema, fit).to(model.device)
        logits = _decided(subject)
        classes = len(test.classes)
        z = logits(fit)
        if not z.isfinite().all():
            raise ModelError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
        sources = self._sources(fit, z.argmax(1), classes, seed.child("sources"))
        if all(rows is None for rows in sources):
            raise NotApplicableError(f"for no class are there {_FEWEST_ROWS} rows that are decided otherwise, to make a trigger from")
        targets = torch.tensor([k for k, rows in enumerate(sources) if rows is not None], device=fit.device)
        stacked = torch.stack([rows for rows in sources if rows is not None])
        found = invert_triggers(logits, stacked, targets, cells, seed.child("start"), steps=self.steps, success=self.success)
        whole = WholeTriggers.of(found, lambda x: logits(x).argmax(1), stacked, targets, cells, success=self.success)
        sizes = np.full(classes, np.nan)
        sizes[targets.cpu().numpy()] = found.size.double().cpu().numpy()
        null = self._null(logits, fit, z, cells, seed.child("rotations")) if classes >= FEWEST else np.zeros(0)
        success, turned = self._tried(whole, logits, held, targets, test.classes)
        names = [test.classes[k] for k in targets.tolist()]
        return Evidence(
            check=self.id,
            metrics=(*_standing_out(sizes, null, test.classes), *self._sized(whole, z.argmax(1), test.classes, targets.tolist()), *success),
            tables=(
                _table(names, found, whole, anomaly_indices(sizes)[targets.cpu().numpy()], success),
                *_worst(subject, whole, sizes, names),
            ),
            figures=tuple(_pictures(subject, whole, names)),
            parameters={**self.options(), "rows_used": len(chosen)},
            seed=seed.value,
            notes=("robustness.suspicion",),
            arrays={
                "ids": test.ids[tried.numpy()],
                "turned": turned,
                "mask": found.mask.cpu().numpy(),
                "taken": whole.taken.cpu().numpy(),
                "pattern": whole.pattern.cpu().numpy(),
                "sizes": sizes,
                "anomaly_by_chance": null,
            },
        )

    def _sources(self, x: Tensor, decided: Tensor, classes: int, seed: Seed) -> list[Tensor | None]:
        """For each class rows that are decided otherwise ``(R, *S)``, repeated where there are fewer; ``None`` under 5."""
        sources: list[Tensor | None] = []
        for target in range(classes):
            others = (decided != target).nonzero()[:, 0]
            order = torch.randperm(len(others), generator=seed.child(target).torch()).to(x.device)
            if len(others) < _FEWEST_ROWS:
                sources.append(None)
                continue
            sources.append(x[others[order[torch.arange(self.rows, device=x.device) % len(others)]]])
        return sources

    def _null(self, logits: Callable[[Tensor], Tensor], x: Tensor, z: Tensor, cells: Cells, seed: Seed) -> Array:
        """The largest anomaly index after each rotation of the classes ``(B,)``."""
        classes, largest = z.shape[1], []
        for index, mixing in enumerate(random_rotations(classes, self.rotations, seed.child("drawn")).to(z)):
            sources = self._sources(x, (z @ mixing.T).argmax(1), classes, seed.child("sources", index))
            if all(rows is None for rows in sources):
                # Nothing to compare with speaks for no suspicion.
                largest.append(np.inf)
                continue
            targets = torch.tensor([k for k, rows in enumerate(sources) if rows is not None], device=x.device)
            stacked = torch.stack([rows for rows in sources if rows is not None])
            found = invert_triggers(
                logits, stacked, targets, cells, seed.child("start", index),
                mixing=mixing.expand(len(targets), -1, -1), steps=self.steps, success=self.success,
            )  # fmt: skip
            indices = anomaly_indices(found.size.double().cpu().numpy())
            largest.append(float(np.nanmax(indices)) if not np.isnan(indices).all() else np.inf)
        return np.array(largest)

    def _tried(
        self, whole: WholeTriggers, logits: Callable[[Tensor], Tensor], held: Tensor, targets: Tensor, names: tuple[str, ...]
    ) -> tuple[list[Metric], Any]:
        """How often each trigger turns rows that it was not made from, and of each row whether it does (-1: decided so anyway)."""
        before, metrics = logits(held).argmax(1), []
        turned = np.full((len(targets), len(held)), -1, dtype=np.int8)
        for index, target in enumerate(targets.tolist()):
            others = (before != target).cpu().numpy()
            after = (logits(whole.apply(held, index)).argmax(1) == target).cpu().numpy()
            turned[index, others] = after[others]
            share = proportion(
                "robustness.trigger_success", after[others], better="lower", bound="lower", empty="no row is decided otherwise to try it on"
            )
            metrics.append(share.measured_on(**{"class": names[target]}))
        return metrics, turned

    def _sized(self, whole: WholeTriggers, decided: Tensor, names: tuple[str, ...], targets: list[int]) -> list[Metric]:
        """The share of what may change that each trigger replaces; a better search may find a smaller one."""
        metrics = []
        for target, name in enumerate(names):
            where: dict[str, str | float | int] = {"class": name}
            others = int((decided != target).sum())
            if target not in targets:
                reason = f"{others} rows are decided otherwise, a trigger is made from at least {_FEWEST_ROWS}"
                metrics += [Metric.missing(f"robustness.trigger_{what}", reason, n=others, where=where) for what in ("size", "success")]
                continue
            place, n = targets.index(target), min(others, self.rows)
            if float(whole.share[place]) < self.success:
                reason = f"no trigger was found that turns {self.success:.0%} of {n} rows: the best turns {float(whole.share[place]):.0%}"
                metrics.append(Metric.missing("robustness.trigger_size", reason, n=n, where=where))
                continue
            share = float(whole.taken[place].sum() / whole.cells.free.sum())
            metrics.append(replace(Metric.counted("robustness.trigger_size", share, n, better="higher", where=where), bound="upper"))
        return metrics


def _decided(subject: Subject) -> Callable[[Tensor], Tensor]:
    """The logits, shifted so that the larger one is what is decided."""
    model, threshold = subject.model, subject.decision.threshold
    if len(model.classes) > 2 or threshold == 0.5:
        return model.logits
    shift = torch.tensor([0.0, math.log((1 - threshold) / threshold)], device=model.device)
    return lambda x: model.logits(x) + shift


def _standing_out(sizes: Array, null: Array, names: tuple[str, ...]) -> list[Metric]:
    """The class whose trigger is smallest: its index, and how often chance makes one as large."""
    index = anomaly_indices(sizes)
    both = ("robustness.trigger_anomaly", "robustness.trigger_p_value")
    known = int(np.isfinite(sizes).sum())
    if known < FEWEST:
        reason = f"a trigger was made for {known} of {len(names)} classes: it takes {FEWEST} to tell what is unusual among them"
        return [Metric.missing(name, reason, n=known) for name in both]
    worst = int(np.nanargmin(sizes))
    where: dict[str, str | float | int] = {"class": names[worst]}
    if not np.isfinite(index[worst]):
        reason = "most classes have triggers of the very same size, so that deviations have no scale"
        return [Metric.missing(name, reason, n=known, where=where) for name in both]
    value = float(index[worst])
    anomaly = Metric.counted(both[0], value, known, better="lower", where=where)
    if len(null) == 0:
        return [anomaly, Metric.missing(both[1], "the classes were not replaced by random ones: rotations = 0", n=known, where=where)]
    low, _ = clopper_pearson(int(np.count_nonzero(null >= value - 1e-12)), len(null))
    # That p is no smaller than x but with a chance of x holds for every number of draws (Phipson and Smyth, 2010), so that it can break
    # a rule as it is; that it is large takes more draws to say.
    p = p_value(value, null)
    return [anomaly, Metric(both[1], p, min(low, p), p, len(null), interval="clopper-pearson", where=where, better="higher")]


def _table(names: list[str], found: Triggers, whole: WholeTriggers, index: Array, success: list[Metric]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            round(float(found.size[t]), 4),
            None if not np.isfinite(index[t]) else round(float(index[t]), 2),
            int(whole.taken[t].sum()),
            None if success[t].value is None else round(success[t].value or 0.0, 4),
        )
        for t, name in enumerate(names)
    ]
    return Table("triggers", ("class", "size", "index", "cells", "success"), tuple(rows))


def _worst(subject: Subject, whole: WholeTriggers, sizes: Array, names: list[str]) -> list[Table]:
    """What the smallest trigger of a table sets."""
    if subject.test.schema.modality != "tabular":
        return []
    worst = int(np.nanargmin(sizes[np.isfinite(sizes)]))
    words = modality_of(subject.test.schema).words(whole.pattern[worst : worst + 1].cpu())[0]
    taken = [name for name, is_taken in zip(words, whole.taken[worst].tolist(), strict=True) if is_taken]
    return [Table("smallest", ("class", "feature", "value"), tuple((names[worst], name, words[name]) for name in taken[:_CELLS]))]


def _pictures(subject: Subject, whole: WholeTriggers, names: list[str]) -> list[Figure]:
    """Each trigger on its own: what it puts where, and nothing elsewhere."""
    schema = subject.test.schema
    if schema.modality != "image":
        return []
    shown = min(len(names), _PICTURES)
    middle = (whole.cells.low + whole.cells.high) / 2
    drawn = torch.stack([whole.apply(middle[None], t)[0] for t in range(shown)])
    pixels = modality_of(schema).picture(drawn)  # type: ignore[attr-defined]
    series = tuple(Series(name, x=(), y=tuple(float(v) for v in image.ravel())) for name, image in zip(names, pixels, strict=False))
    height, width, channels = pixels.shape[1:]
    words: dict[str, str | int | float] = {"height": height, "width": width, "channels": channels, "columns": min(shown, 5)}
    return [Figure("triggers", "pictures", series, labels=tuple(names[:shown]), words=words)]
