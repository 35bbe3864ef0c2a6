"""What a bundle says of itself, recomputed: by Python alone, and by none of the code that measured or judged."""

from audit.recomputation.comparing import Difference, Recomputation, recompute_numbers
from audit.recomputation.consistency import missed_answers
from audit.recomputation.judging import Rejudged, judge_again, outcome
from audit.recomputation.parts import common_pictures, require_one_record, single_checks
from audit.recomputation.record import REASONS, Record, read_json, require_readable

__all__ = [
    "REASONS",
    "Difference",
    "Recomputation",
    "Record",
    "Rejudged",
    "common_pictures",
    "judge_again",
    "missed_answers",
    "outcome",
    "read_json",
    "recompute_numbers",
    "require_one_record",
    "require_readable",
    "single_checks",
]
