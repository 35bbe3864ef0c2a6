"""Corruptions: how a classifier answers inputs that were badly taken, typed or sent, and that nobody attacked."""

from audit.robustness.corruptions.corruption import SEVERITIES, Corruption, refusals
from audit.robustness.corruptions.engine import Answers, UnderCorruption, answers_under_corruption, corrupt

__all__ = ["SEVERITIES", "Answers", "Corruption", "UnderCorruption", "answers_under_corruption", "corrupt", "refusals"]
