"""Results row by row of groups, and the number that each metric of a group, or of the distance of groups, is of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.bundle import Audit
from audit.comparison.paired import Hits, Rows, Scores, Shares
from audit.evidence import Evidence
from classifier.metric import Metric
from classifier.statistics import Array


@dataclass(frozen=True)
class _Grouped:
    """Every row, what was decided of it, and which group of one attribute it is in."""

    ids: NDArray[np.int64]
    score: Array
    approved: NDArray[np.bool_]
    good: NDArray[np.bool_]
    right: NDArray[np.bool_]
    code: NDArray[np.int64]
    names: tuple[str, ...]

    def member(self, name: str) -> NDArray[np.bool_]:
        return self.code == self.names.index(name)


def group_rows(audit: Audit, evidence: Evidence, metric: Metric) -> Rows | None:
    """What each row of a group gave that one of its numbers is of."""
    rows = _grouped(audit, evidence, str(metric.where["attribute"]))
    here = rows.member(str(metric.where["group"]))
    if metric.name == "fairness.approval_rate":
        return Hits(rows.ids[here], rows.approved[here])
    if metric.name == "fairness.accuracy":
        return Hits(rows.ids[here], rows.right[here])
    if metric.name == "fairness.roc_auc":
        return Scores(rows.ids[here], rows.score[here], rows.good[here])
    approved = rows.approved[here].astype(float)[:, None]
    return Shares(rows.ids[here], approved * ~rows.good[here][:, None], approved)


def distance_rows(audit: Audit, evidence: Evidence, metric: Metric) -> Rows | None:
    """What each row gave of which the groups have shares, and how these are set against each other."""
    rows = _grouped(audit, evidence, str(metric.where["attribute"]))
    members = [rows.member(name) for name in rows.names]
    member = np.stack([one for one in members if one.sum() >= evidence.parameters["minimum"]], axis=1).astype(float)
    hits = rows.right if metric.name == "fairness.accuracy_gap" else rows.approved
    counted = member * rows.good[:, None] if metric.name == "fairness.equal_opportunity_difference" else member
    return Shares(rows.ids, counted * hits[:, None], counted, "least_over_most" if metric.name == "fairness.selection_ratio" else "range")


def _grouped(audit: Audit, evidence: Evidence, attribute: str) -> _Grouped:
    arrays, favourable = evidence.arrays, audit.identity.classes.index(str(audit.identity.favourable))
    probabilities, labels = arrays["probabilities"], arrays["labels"]
    if probabilities.shape[1] == 2:
        presumed = (probabilities[:, 1] >= audit.identity.threshold).astype(np.int64)
    else:
        presumed = probabilities.argmax(1)
    (table,) = (table for table in evidence.tables if table.name == "by_group")
    # Codes count the groups in the order in which the table shows them.
    names = tuple(str(row[1]) for row in table.rows if row[0] == attribute)
    return _Grouped(
        ids=arrays["ids"],
        score=probabilities[:, favourable],
        approved=presumed == favourable,
        good=labels == favourable,
        right=presumed == labels,
        code=arrays[f"group_{attribute}"],
        names=names,
    )
