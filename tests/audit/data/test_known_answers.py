"""The known answers hold, and a change of the engine is noticed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.data import known_answers
from audit.data.label_errors import LabelErrors, find_label_errors
from classifier.seeds import Seed


@pytest.mark.parametrize("seed", range(5))
def test_every_known_answer_holds(seed: int) -> None:
    answers = known_answers.measure_known_answers(Seed(seed, ("selftest",)))
    assert [answer.id for answer in answers if not answer.holds] == []


def test_an_engine_that_suspects_every_row_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> LabelErrors:
        found = find_label_errors(probabilities, labels)
        return replace(found, suspected=np.ones_like(found.suspected))

    monkeypatch.setattr(known_answers, "find_label_errors", careless)
    wrong = {answer.id for answer in known_answers.measure_known_answers(Seed(0)) if not answer.holds}
    assert wrong == {"data.label_rows", "data.labels_clean"}
