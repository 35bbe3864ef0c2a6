"""Certificates: proofs that a decision stays, whatever the input becomes within eps."""

from audit.robustness.certificates.certifying import certify
from audit.robustness.certificates.margins import margin_lower_bounds

__all__ = ["certify", "margin_lower_bounds"]
