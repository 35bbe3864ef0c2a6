"""Audits a classifier: measures, judges, and leaves a record that anyone can check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.lazy_names import names_from

if TYPE_CHECKING:
    from audit.bundle import Audit
    from audit.evidence import Evidence
    from audit.policy import Finding, Policy, Rule
    from audit.runner import run
    from audit.subject import Decision, Subject

__all__ = ["Audit", "Decision", "Evidence", "Finding", "Policy", "Rule", "Subject", "run"]

_HOMES = {
    "Audit": "bundle",
    "Decision": "subject",
    "Evidence": "evidence",
    "Finding": "policy",
    "Policy": "policy",
    "Rule": "policy",
    "Subject": "subject",
    "run": "runner",
}

__getattr__ = names_from(__name__, _HOMES)
