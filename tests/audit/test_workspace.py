"""A killed audit goes on where it was, and only where everything that decides its numbers is as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from audit import Audit, Evidence, Subject, run
from audit.performance.checks.accuracy import Accuracy
from audit.performance.checks.decision import Decision
from audit.policy import Policy, PolicyHead, Rule
from classifier import Classifier
from classifier.records import as_record, canonical_json
from classifier.seeds import Seed

CHECKS = ["performance.accuracy", "performance.decision"]


def record(audit: Audit) -> bytes:
    return canonical_json(as_record(replace(audit, evidence=tuple(replace(e, arrays={}) for e in audit.evidence))))


def audited(subject: Subject, workspace: Path | None, **options: object) -> Audit:
    return run(subject, only=CHECKS, options={"performance.accuracy": {"resamples": 50}}, progress=False, workspace=workspace, **options)  # type: ignore[arg-type]


def ranking(least: float) -> Policy:
    rule = Rule(id="RANKS", metric="performance.roc_auc", min=least, set_by="a test", rationale="a test")
    return Policy(policy=PolicyHead(id="p"), rule=(rule,))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The checks that were measured, in order."""
    calls: list[str] = []

    def told(measure: Callable[..., Evidence]) -> Callable[..., Evidence]:
        def tell(self: Accuracy, subject: Subject, seed: Seed) -> Evidence:
            calls.append(self.id)
            return measure(self, subject, seed)

        return tell

    for kind in (Accuracy, Decision):
        monkeypatch.setattr(kind, "measure", told(kind.measure))
    return calls


def test_a_stopped_audit_whose_record_was_saved_measures_the_rest(
    credit_subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = record(audited(credit_subject, None))

    def stop(self: Decision, subject: Subject, seed: Seed) -> Evidence:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Decision, "measure", stop)
        stopped = audited(credit_subject, tmp_path)
    # The record of the stopped audit says of the rest that it was not run; that must not pass for a measurement.
    stopped.save(tmp_path)
    resumed = audited(credit_subject, tmp_path)
    assert resumed["performance.decision"].not_run is None
    assert record(resumed) == expected


def test_finished_checks_are_measured_once(credit_subject: Subject, tmp_path: Path, measured: list[str]) -> None:
    audited(credit_subject, tmp_path)
    audited(credit_subject, tmp_path)
    assert measured == CHECKS


@pytest.mark.parametrize("change", ["seed", "threshold", "recipe", "cuts", "classifier"])
def test_what_decides_the_numbers_discards_what_was_finished(
    credit_subject: Subject, tmp_path: Path, measured: list[str], change: str
) -> None:
    audited(credit_subject, tmp_path)
    test, recipe = credit_subject.test, credit_subject.recipe
    assert recipe is not None
    logits = credit_subject.model.module
    assert logits is not None
    other = {
        "seed": lambda: credit_subject,
        "threshold": lambda: replace(credit_subject, decision=type(credit_subject.decision)(0.4), _memory={}),
        "recipe": lambda: replace(credit_subject, recipe=replace(recipe, epochs=9), _memory={}),
        "cuts": lambda: replace(credit_subject, test=replace(test, cuts={**test.cuts, "age_years": (40.0,)}), _memory={}),
        "classifier": lambda: replace(
            credit_subject, classifier=Classifier.wrap(logits, schema=test.schema, classes=test.classes), _memory={}
        ),
    }[change]()
    audited(other, tmp_path, seed=1 if change == "seed" else 0)
    assert measured == [*CHECKS, *CHECKS]


def test_who_has_seen_some_numbers_cannot_choose_the_limits_any_more(credit_subject: Subject, tmp_path: Path, measured: list[str]) -> None:
    audited(credit_subject, tmp_path, policy=ranking(0.7))
    audited(credit_subject, tmp_path, policy=ranking(0.7))
    assert measured == CHECKS
    audited(credit_subject, tmp_path, policy=ranking(0.6))
    assert measured == [*CHECKS, *CHECKS]


def test_a_black_box_that_answers_otherwise_discards_what_was_finished(
    credit_subject: Subject, tmp_path: Path, measured: list[str]
) -> None:
    test = credit_subject.test

    def boxed(probability: float) -> Subject:
        def function(x: torch.Tensor) -> torch.Tensor:
            return torch.full((len(x),), probability)

        return Subject(test, classifier=Classifier.wrap(function, schema=test.schema, classes=test.classes))

    assert boxed(0.2).model.digest == boxed(0.8).model.digest  # a black box's digest is of its name
    first = audited(boxed(0.2), tmp_path)
    second = audited(boxed(0.8), tmp_path)
    assert first["performance.decision"].metric("performance.approval_rate").value == 1
    assert second["performance.decision"].metric("performance.approval_rate").value == 0
    assert measured == [*CHECKS, *CHECKS]
