"""Two audits side by side: what became worse, what became better, and what cannot be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.lazy_names import names_from

if TYPE_CHECKING:
    from audit.comparison.comparing import compare
    from audit.comparison.composing import compose
    from audit.comparison.difference import Change, Difference, Notice, RuleChange
    from audit.comparison.gating import Gate, gate
    from audit.comparison.remediation import Remedy, Response, read_responses, remedies
    from audit.comparison.telling import tell

__all__ = [
    "Change",
    "Difference",
    "Gate",
    "Notice",
    "Remedy",
    "Response",
    "RuleChange",
    "compare",
    "compose",
    "gate",
    "read_responses",
    "remedies",
    "tell",
]

_HOMES = {
    "Change": "difference",
    "Difference": "difference",
    "Gate": "gating",
    "Notice": "difference",
    "Remedy": "remediation",
    "Response": "remediation",
    "RuleChange": "difference",
    "compare": "comparing",
    "compose": "composing",
    "gate": "gating",
    "read_responses": "remediation",
    "remedies": "remediation",
    "tell": "telling",
}

__getattr__ = names_from(__name__, _HOMES)
