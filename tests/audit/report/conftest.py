"""One small audit of real data, judged and unjudged, that all tests of the report share."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace

import pytest

import audit.selftest
from audit import Audit, Policy, Subject, run
from audit.evidence import Evidence
from classifier import Dataset
from trainer import Recipe, train

TODAY = datetime.date(2026, 1, 1)


def _rule(name: str, metric: str, **limits: object) -> dict[str, object]:
    return {"id": name, "metric": metric, "set_by": "risk committee", "rationale": "a test needs it", **limits}


# One rule for each reason that a finding can have.
RULES = [
    _rule("HOLDS", "data.duplicates_across_splits", max=1000, severity="high"),
    _rule("BROKEN", "performance.log_loss", max=0.01, severity="high", controls=["eu-ai-act:15.1"]),
    _rule("WAIVED", "performance.brier", max=0.01, severity="low"),
    _rule("EXPIRED", "performance.accuracy", min=0.999),
    _rule("UNDECIDED", "performance.roc_auc", min=0.5, on_inconclusive="fail"),
    _rule("NOT-REFUTED", "robustness.accuracy", where={"eps": 0.01, "rows": "valid"}, min=0.01),
    _rule("UNMEASURED", "privacy.membership_tpr", max=0.5),
    _rule("NO-MEASUREMENT", "robustness.accuracy", where={"eps": 0.77}, min=0.5),
    _rule("UNSET", "performance.balanced_accuracy", limit="unset"),
]
WAIVERS = [
    {"rule": "WAIVED", "reason": "until it is calibrated", "owner": "A. Person", "expires": "2027-01-31"},
    {"rule": "EXPIRED", "reason": "until last year", "owner": "B. Person", "expires": "2025-01-31"},
]


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy.model_validate({"policy": {"id": "test-v1"}, "rule": RULES, "waiver": WAIVERS})


@pytest.fixture(scope="session")
def unjudged(german_credit: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Every check on German credit, as quick as they go."""
    brought = tmp_path_factory.mktemp("brought") / "model.pkl"
    brought.write_bytes(b"cposix\nsystem\n.")
    recipe = Recipe("logistic", epochs=3, batch_size=256)
    splits = german_credit.split()
    subject = Subject(
        splits.test,
        classifier=train(splits, recipe, progress=False),
        training=splits.train,
        validation=splits.validation,
        recipe=recipe,
        independence="held out",
        files=(brought,),
        declarations={"intended_use": "to test the report", "review_board": "meets in spring"},
    )
    options: dict[str, dict[str, object]] = {
        "explanation.attribution": {"limit": 20, "background": 10, "samples": 68},
        "fairness.groups": {"resamples": 200},
        "performance.accuracy": {"resamples": 200},
        "privacy.membership": {"rates": (0.05, 0.001)},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit.selftest, "ENGINES", ("audit.privacy",))
        return run(subject, name="test", profile="quick", options=options, progress=False)


@pytest.fixture(scope="session")
def judged(unjudged: Audit, policy: Policy) -> Audit:
    """The same, with a finding of every verdict and for every reason."""
    # What the tests say about an undecided rule must not hang on how well three epochs happen to go.
    wide = replace_metric(unjudged, "performance.accuracy", "performance.roc_auc", low=0.4, high=0.9)
    findings = policy.judge(wide.evidence, today=TODAY)
    return replace(wide, policy={"id": policy.policy.id, "sha256": policy.digest}, findings=findings)


@pytest.fixture(scope="session")
def not_run(judged: Audit, policy: Policy) -> Audit:
    """An audit of sealed data that was interrupted, whose self-test missed an answer, and whose privacy check did not run."""
    membership = judged["privacy.membership"]
    empty = Evidence(check=membership.check, not_run="the classifier is a black box")
    evidence = tuple(empty if e.check == membership.check else e for e in judged.evidence if e.check != "data.quality")
    wrong = tuple(replace(answer, measured=-1.0) for answer in judged.known_answers)
    return replace(judged, evidence=evidence, known_answers=wrong, interrupted=True).without_single()


def replace_evidence(audit: Audit, check: str, change: Callable[[Evidence], Evidence]) -> Audit:
    """The audit with the evidence of one check changed."""
    return replace(audit, evidence=tuple(change(e) if e.check == check else e for e in audit.evidence))


def replace_metric(audit: Audit, check: str, name: str, *, low: float, high: float) -> Audit:
    """The audit with another interval of one metric."""

    def change(evidence: Evidence) -> Evidence:
        return replace(evidence, metrics=tuple(replace(m, low=low, high=high) if m.name == name else m for m in evidence.metrics))

    return replace_evidence(audit, check, change)
