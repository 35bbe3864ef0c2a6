"""Robustness: how little it takes to fool the classifier."""

from audit.robustness.pgd import Robustness, attack

__all__ = ["Robustness", "attack"]
