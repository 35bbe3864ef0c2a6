"""The attack on membership once more, from the score of each row and whether it was learned from."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor

from audit.recomputation.intervals import delong_interval, exact_interval
from audit.recomputation.record import Found, Json, Recompute, Record

# Others that the rate must allow to be accused at least.
_ACCUSED = 10


def _ranking(record: Record, check: str, metric: Json) -> Found:
    scores, members = record.column(check, "scores"), record.column(check, "members")
    value, low, high = delong_interval(scores, members, metric["confidence"])
    return Found(value, len(scores), low, high)


def _members_found(record: Record, check: str, metric: Json) -> Found:
    """The share of members above a threshold that accuses no more of the others than the rate allows."""
    scores, members = record.column(check, "scores"), record.column(check, "members")
    others = sorted((score for score, member in zip(scores, members, strict=True) if not member), reverse=True)
    if metric["where"]["fpr"] < _ACCUSED / len(others):
        # Of so few others the rate tells nothing, and the check gives no number.
        return Found(0.0, 0)
    threshold = others[floor(metric["where"]["fpr"] * len(others))]
    known = [score for score, member in zip(scores, members, strict=True) if member]
    found = sum(score > threshold for score in known)
    return Found(found / len(known), len(known), *exact_interval(found, len(known), metric["confidence"]))


RECOMPUTED: Mapping[str, Recompute] = {
    "privacy.membership_auc": _ranking,
    "privacy.membership_tpr": _members_found,
}
