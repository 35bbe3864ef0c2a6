"""The record of an audit without what is about single cases, ``audit.public.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from classifier.records import canonical_json

#: The note that a reader finds where something about single cases was left out.
NOTE = "evidence.withheld"


def write_public(content: Mapping[str, Any]) -> bytes:
    """A record without tables and figures of single cases, as canonical JSON. The same record gives the same bytes.

    Args:
        content: The record, as ``audit.json`` holds it.
    """
    evidence = [_without_single(one) for one in content["evidence"]]
    return canonical_json({**content, "evidence": evidence}) + b"\n"


def shows_single(evidence: Mapping[str, Any]) -> bool:
    """Whether a check's evidence shows single cases, or is from before it was said whether it does.

    Args:
        evidence: The evidence, as ``audit.json`` holds it.
    """
    return any(one.get("single", True) for what in ("tables", "figures") for one in evidence[what])


def _without_single(evidence: Mapping[str, Any]) -> Mapping[str, Any]:
    if not shows_single(evidence):
        return evidence
    kept = {what: [one for one in evidence[what] if not one.get("single", True)] for what in ("tables", "figures")}
    return {**evidence, **kept, "notes": [*evidence["notes"], NOTE]}
