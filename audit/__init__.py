"""Audits a classifier: measures, judges, and leaves a record that anyone can check."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    # torch takes seconds to import; `audit.vault` and the verification of a bundle do without.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"audit.{_HOMES[name]}"), name)
