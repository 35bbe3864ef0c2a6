"""Membership: the check attacks with the losses of the classifier, and refuses what cannot be counted."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from audit import Policy, Subject
from audit.check import make_check
from audit.privacy import infer_members
from classifier.errors import ConfigurationError, DataError
from classifier.seeds import Seed


def test_the_checks_scores_are_the_losses_of_training_and_test_rows(credit_subject: Subject) -> None:
    evidence = make_check("privacy.membership", {}).measure(credit_subject, Seed(0))
    training = credit_subject.training
    assert training is not None
    scores, members = evidence.arrays["scores"], evidence.arrays["members"]
    assert members.sum() == len(training)
    for part, mine in ((training, members), (credit_subject.test, ~members)):
        expected = log_loss(part.labels.numpy(), credit_subject.probabilities(part))
        assert -scores[mine].mean() == pytest.approx(expected, abs=1e-9)
        assert set(evidence.arrays["ids"][mine]) == set(part.ids)
    assert evidence.metric("privacy.membership_auc").value == pytest.approx(roc_auc_score(members, scores), abs=1e-12)
    assert evidence.metric("privacy.membership_auc").better == "lower"


def test_one_attack_can_break_a_limit_on_what_leaks_and_never_keep_it(credit_subject: Subject) -> None:
    evidence = make_check("privacy.membership", {}).measure(credit_subject, Seed(0))

    def verdict(metric: str, most: float) -> tuple[str, str]:
        rule = {"id": "R", "metric": metric, "max": most, "set_by": "s", "rationale": "r"}
        policy = Policy.model_validate({"policy": {"id": "p"}, "rule": [rule]})
        (finding,) = policy.judge([evidence], today=datetime.date(2026, 1, 1))
        return finding.verdict, finding.reason

    for metric in ("privacy.membership_auc", "privacy.membership_tpr"):
        assert verdict(metric, 1.0) == ("inconclusive", "not_refuted")
        assert verdict(metric, 0.0) == ("fail", "broken")


@pytest.mark.parametrize("rate", [0.0, 1.0, 1.5, -0.1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="must lie between 0 and 1, got"):
        infer_members(np.ones(200), np.ones(200), rates=(rate,))


def test_losses_that_are_all_alike_accuse_nobody() -> None:
    result = infer_members(np.ones(200), np.ones(300), rates=(0.05, 0.9))
    assert result.auc.value == 0.5
    assert {rate: metric.value for rate, metric in result.tpr_at.items()} == {0.05: 0.0, 0.9: 0.0}


def test_rows_of_one_kind_alone_are_refused() -> None:
    with pytest.raises(DataError, match="needs rows of both kinds, got 0 members and 3 others"):
        infer_members(np.ones(0), np.ones(3))
