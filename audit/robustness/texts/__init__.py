"""Attacks on texts, and tests of what a decision should not hang on."""

from audit.robustness.texts.attacking import TextRobustness, attack_texts
from audit.robustness.texts.invariance_tests import Invariance, measure_invariance

__all__ = ["Invariance", "TextRobustness", "attack_texts", "measure_invariance"]
