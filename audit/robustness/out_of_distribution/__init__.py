"""Out of distribution: whether the classifier's own numbers tell that an input is none that it learned from."""

from audit.robustness.out_of_distribution.detection import Detection, measure_detection
from audit.robustness.out_of_distribution.mahalanobis import Mahalanobis
from audit.robustness.out_of_distribution.outside import Outside, make_outside
from audit.robustness.out_of_distribution.scoring import SCORES, Scoring

__all__ = ["SCORES", "Detection", "Mahalanobis", "Outside", "Scoring", "make_outside", "measure_detection"]
