"""The known answers hold, and one that is planted wrong does not."""

from __future__ import annotations

import numpy as np
import pytest

from audit.deidentification import known_answers
from classifier.seeds import Seed


@pytest.mark.parametrize("seed", range(5))
def test_every_known_answer_holds(seed: int) -> None:
    answers = known_answers.measure_known_answers(Seed(seed, ("selftest",)))
    assert [answer.id for answer in answers if not answer.holds] == []


def test_another_hmac_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_answers, "pseudonyms_of", lambda values, key: np.array(["a" * 26]))
    wrong = [answer.id for answer in known_answers.measure_known_answers(Seed(0, ("selftest",))) if not answer.holds]
    assert wrong == ["deidentification.hmac"]
