"""Robustness: how little it takes to fool the classifier."""

from audit.robustness.attacking import attack
from audit.robustness.certificates.certifying import certify
from audit.robustness.nearest import nearest_wrong
from audit.robustness.result import Flag, Robustness

__all__ = ["Flag", "Robustness", "attack", "certify", "nearest_wrong"]
