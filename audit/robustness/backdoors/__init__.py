"""Backdoors: whether a small trigger turns every input to one class."""

from audit.robustness.backdoors.anomaly import anomaly_indices
from audit.robustness.backdoors.cells import Cells
from audit.robustness.backdoors.inversion import Triggers, invert_triggers

__all__ = ["Cells", "Triggers", "anomaly_indices", "invert_triggers"]
