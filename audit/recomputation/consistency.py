"""What a record says more than once, held against itself: kinds of numbers, rows, tables, and the classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import isclose
from typing import Any

from audit.recomputation.kinds import faults_of_kind
from audit.recomputation.performance import CHECK, predicted
from audit.recomputation.record import Json, LackingError, Record, read_json
from classifier.errors import IntegrityError

_ROUNDING = 1e-9
# What these checks always tell, as a number or as one that could not be measured.
_TOLD: Mapping[str, tuple[str, ...]] = {
    CHECK: tuple(f"performance.{name}" for name in ("accuracy", "balanced_accuracy", "roc_auc", "log_loss", "brier")),
    "performance.calibration": ("performance.calibration_gap",),
    "performance.decision": ("performance.approval_rate", "performance.bad_rate_among_approved"),
    "privacy.membership": ("privacy.membership_auc", "privacy.membership_tpr"),
}
# The columns of a table of groups that are metrics too.
_COLUMNS: Mapping[str, str] = {
    "approval_rate": "fairness.approval_rate",
    "bad_rate": "fairness.bad_rate_among_approved",
    "accuracy": "fairness.accuracy",
    "roc_auc": "fairness.roc_auc",
}


def faults_of(record: Record) -> Iterator[str]:
    """What cannot be as the record says it, in words.

    Args:
        record: The record.
    """
    flattered = record.identity.get("independence") == "unknown"
    for _, metric in record.metrics():
        yield from faults_of_kind(metric, flattered=flattered)
    for check, evidence in record.evidence.items():
        told = Counter((m["name"], tuple(sorted(m["where"].items()))) for m in evidence["metrics"])
        yield from (f"{check} tells {name} twice of the same" for (name, _), count in told.items() if count > 1)
        if evidence["not_run"] is None:
            names = {name for name, _ in told}
            yield from (f"{check} does not tell {name}, which it always does" for name in _TOLD.get(check, ()) if name not in names)
        yield from _groups(evidence)
    yield from _rows(record)
    yield from _confusion(record)
    yield from _classifier(record)


def missed_answers(record: Record) -> tuple[str, ...]:
    """The known answers that an engine missed when the audit was run.

    Raises:
        IntegrityError: If the record does not say what was asked.
    """
    with record.understanding():
        answers = record.content["known_answers"]
        # As written, so that what is no number counts as missed.
        return tuple(answer["id"] for answer in answers if not abs(answer["measured"] - answer["expected"]) <= answer["tolerance"])


def _rows(record: Record) -> Iterator[str]:
    stated = record.identity.get("rows", {}).get("test")
    counted = {m["n"] for m in record.evidence.get(CHECK, {"metrics": ()})["metrics"] if m["name"] == "performance.accuracy"}
    if stated is not None and counted - {stated}:
        yield f"the audit is stored as one of {stated} test rows, and {CHECK} counts {max(counted)}"


def _confusion(record: Record) -> Iterator[str]:
    """The table of truth and decision, from the rows."""
    shown = [table for table in record.evidence.get(CHECK, {"tables": ()})["tables"] if table["name"] == "confusion"]
    try:
        _, labels, decided = predicted(record)
    except LackingError:
        return
    counts, classes = Counter(zip(labels, decided, strict=True)), record.identity["classes"]
    rows = [[name, *(counts[truth, taken] for taken in range(len(classes)))] for truth, name in enumerate(classes)]
    for table in shown:
        if table["rows"] != rows:
            yield f"the table of {CHECK} counts {table['rows']}, and the rows give {rows}"


def _groups(evidence: Json) -> Iterator[str]:
    """A table of groups, from the metrics of each group."""
    known = {(m["name"], m["where"].get("attribute"), m["where"].get("group")): m for m in evidence["metrics"]}
    for table in evidence["tables"]:
        if table["name"] != "by_group":
            continue
        for cells in table["rows"]:
            row = dict(zip(table["columns"], cells, strict=True))
            for column, name in _COLUMNS.items():
                metric = known.get((name, row.get("attribute"), row.get("group")))
                if column in row and (metric is None or not _same(row[column], metric["value"])):
                    given = metric and metric["value"]
                    yield f"the table of groups has {row[column]!r} as {column} of {row.get('group')!r}, and {name} is {given!r}"


def _same(first: Any, second: Any) -> bool:
    if first is None or second is None:
        return first is second
    return isclose(first, second, rel_tol=_ROUNDING, abs_tol=_ROUNDING)


def _classifier(record: Record) -> Iterator[str]:
    """The classifier that was sealed is the one that was audited."""
    if "run.json" not in record.bundle.files:
        return
    run = read_json(record.bundle, "run.json")
    if not isinstance(run, dict):
        raise IntegrityError(f"{record.bundle.folder / 'run.json'} tells of no run", remedy="take the bundle from its source")
    sealed, audited = (run.get("seal") or {}).get("digest"), record.identity.get("classifier")
    if sealed is not None and sealed != audited:
        yield f"the audit is stored as one of the classifier {audited!r}, and the one that was sealed is {sealed!r}"
