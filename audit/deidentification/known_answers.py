"""What de-identification must give where the truth is known beforehand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from audit.data.personal_identifiers.kind import KINDS
from audit.deidentification.classes import Pairs
from audit.deidentification.closeness import ordered_distance
from audit.deidentification.deidentifying import deidentify
from audit.deidentification.plan import Column, Plan
from audit.deidentification.pseudonyms import pseudonyms_of
from classifier.known_answer import KnownAnswer
from classifier.seeds import Seed

# RFC 4231, test case 2: key "Jefe", "what do ya want for nothing?", the first 128 bits in base32.
_VECTOR = "lpomcrv7mb2u42qeeqtarflvy4"
# Examples that the issuers of the numbers publish, of every kind that has check digits.
_PUBLISHED = {
    "payment_card": "4111111111111111",
    "iban": "GB82WEST12345698765432",
    "chinese_identity": "11010519491231002X",
    "chinese_social_credit": "91350100M000100Y43",
    "passport_mrz": "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
}


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """A published HMAC, published check digits, the published distance of salaries, and a table whose k is planted."""
    generator = seed.child("table").numpy()
    sizes = generator.integers(4, 9, 20)
    frame = pd.DataFrame({"place": np.repeat(np.arange(20), sizes), "value": generator.integers(0, 5, int(sizes.sum()))})
    plan = Plan(dataset="planted", k=1, columns={"place": Column(action="keep", role="quasi"), "value": Column(action="keep")})
    report = deidentify(frame.iloc[generator.permutation(len(frame))], plan).report
    (smallest,) = [metric.value or 0.0 for metric in report.after if metric.name == "deidentification.smallest_class"]
    # Li et al., 2007, section 5.1: three of nine equally frequent salaries, the fourth, the sixth and the ninth.
    salaries = Pairs(np.zeros(3, dtype=np.int64), np.array([3, 5, 8]), np.ones(3, dtype=np.int64))
    distance = float(ordered_distance(salaries, np.array([3]), np.full(9, 1 / 9))[0])
    made = pseudonyms_of(np.array(["what do ya want for nothing?"], dtype=object), b"Jefe")[0]
    right = [KINDS[kind].holds(number) and not KINDS[kind].holds(_changed(number)) for kind, number in _PUBLISHED.items()]
    return [
        KnownAnswer("deidentification.hmac", "a pseudonym is the published HMAC-SHA-256", 1.0, float(made == _VECTOR), 0.0),
        KnownAnswer(
            "deidentification.check_digits", "published numbers hold, and none with a digit changed", 1.0, float(np.mean(right)), 0.0
        ),
        KnownAnswer("deidentification.distance", "the published distance of salaries is found", 1 / 6, distance, 1e-12),
        KnownAnswer("deidentification.k", "a table has the k that was planted in it", float(sizes.min()), smallest, 0.0),
    ]


def _changed(number: str) -> str:
    """The number with its last digit but one raised by one."""
    place = [at for at, character in enumerate(number) if character.isdigit()][-2]
    return number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
