"""De-identification: a table in which rows are harder to tie to persons, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.lazy_names import names_from

if TYPE_CHECKING:
    from audit.deidentification.deidentifying import Deidentified, deidentify
    from audit.deidentification.plan import Closeness, Column, Diversity, Plan
    from audit.deidentification.proposing import propose_plan
    from audit.deidentification.pseudonym_keys import create_key, read_key
    from audit.deidentification.report import Report

__all__ = ["Closeness", "Column", "Deidentified", "Diversity", "Plan", "Report", "create_key", "deidentify", "propose_plan", "read_key"]

_HOMES = {
    "Closeness": "plan",
    "Column": "plan",
    "Deidentified": "deidentifying",
    "Diversity": "plan",
    "Plan": "plan",
    "Report": "report",
    "create_key": "pseudonym_keys",
    "deidentify": "deidentifying",
    "propose_plan": "proposing",
    "read_key": "pseudonym_keys",
}

__getattr__ = names_from(__name__, _HOMES)
