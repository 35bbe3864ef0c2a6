"""What a bundle says of itself, recomputed: by Python alone, and by none of the code that measured or judged."""

from audit.recomputation.comparing import Difference, Recomputation, recompute_numbers, require_one_record
from audit.recomputation.judging import Rejudged, judge_again, outcome
from audit.recomputation.record import REASONS, Record, read_json, require_readable

__all__ = [
    "REASONS",
    "Difference",
    "Recomputation",
    "Record",
    "Rejudged",
    "judge_again",
    "outcome",
    "read_json",
    "recompute_numbers",
    "require_one_record",
    "require_readable",
]
