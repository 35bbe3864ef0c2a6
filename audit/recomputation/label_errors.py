"""How many labels are suspected, once more from whether each is."""

from __future__ import annotations

from collections.abc import Mapping

from audit.recomputation.record import Found, Json, Recompute, Record


def _suspected(record: Record, check: str, metric: Json) -> Found:
    suspected = record.column(check, "suspected")
    return Found(sum(map(bool, suspected)), len(suspected))


RECOMPUTED: Mapping[str, Recompute] = {"data.suspected_labels": _suspected}
