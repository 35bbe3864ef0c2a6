"""The self-test asks every engine that ships known answers, and each answer has a name of its own."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

import pytest

from audit import selftest
from audit.robustness import known_answers as robustness
from audit.selftest import run_selftest
from classifier.known_answer import KnownAnswer
from classifier.seeds import Seed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def answers() -> tuple[KnownAnswer, ...]:
    return run_selftest()


def test_no_engine_that_ships_known_answers_is_left_out(answers: tuple[KnownAnswer, ...]) -> None:
    asked = {answer.id for answer in answers}
    files = [path.relative_to(ROOT) for package in ("explain", "audit") for path in (ROOT / package).rglob("*known_answers.py")]
    assert len(files) > 10
    for path in files:
        module = importlib.import_module(".".join(path.with_suffix("").parts))
        shipped = {answer.id for answer in module.measure_known_answers(Seed(1))}
        assert shipped
        assert shipped <= asked, path


def test_known_answers_have_names_of_their_own_and_hold(answers: tuple[KnownAnswer, ...]) -> None:
    assert [name for name, count in Counter(answer.id for answer in answers).items() if count > 1] == []
    assert [answer for answer in answers if not answer.holds] == []


def test_the_same_seed_gives_the_same_answers_to_the_last_digit(answers: tuple[KnownAnswer, ...]) -> None:
    again = robustness.measure_known_answers(Seed(0, ("selftest", "audit.robustness")))
    assert [answer for answer in answers if answer.id.startswith("robustness.")] == again


def test_an_engine_that_misses_an_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robustness, "linear_robust", lambda weight, bias, x, y, eps: y < 0)
    monkeypatch.setattr(selftest, "ENGINES", ("audit.robustness",))
    assert {answer.id for answer in run_selftest() if not answer.holds} == {"robustness.linear", "robustness.linear_proven"}
