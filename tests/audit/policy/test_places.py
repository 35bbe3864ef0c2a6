"""Places: a rule about a group or an eps that will never be measured is refused before anything runs."""

from __future__ import annotations

import pytest

from audit import Policy, Subject
from audit.check import make_check
from audit.policy.places import require_measurable
from classifier.errors import ConfigurationError

CHECKS = [make_check("fairness.groups", {}), make_check("robustness.attack", {"eps": [0.05, 0.1]}), make_check("privacy.membership", {})]


def policy(metric: str, **where: object) -> Policy:
    rule = {"id": "R", "metric": metric, "where": where, "min": 0.5, "set_by": "s", "rationale": "r"}
    return Policy.model_validate({"policy": {"id": "p"}, "rule": [rule]})


@pytest.mark.parametrize(
    ("metric", "where", "message"),
    [
        ("fairness.accuracy", {"attribute": "age"}, "groups of 'age', which is no protected attribute of this audit; there are: age_years"),
        ("fairness.accuracy", {"attribute": "foreign_worker", "group": "yess"}, "group 'yess' of 'foreign_worker'.* did you mean 'yes'"),
        ("robustness.accuracy", {"eps": 0.07}, r"eps = 0\.07, and robustness\.attack tries 0\.05, 0\.1; add it to eps under"),
        ("privacy.membership_tpr", {"fpr": 0.01}, r"fpr = 0\.01, and privacy\.membership tries 0\.05; add it to rates"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_what_there_is(
    credit_subject: Subject, metric: str, where: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        require_measurable(policy(metric, **where), CHECKS, [credit_subject.test])


@pytest.mark.parametrize(
    ("metric", "where"),
    [
        ("fairness.accuracy", {}),
        ("fairness.accuracy", {"attribute": "foreign_worker", "group": "yes"}),
        ("robustness.accuracy", {"eps": 0.1, "rows": "valid"}),
        ("robustness.certified_accuracy", {"eps": 0.07}),  # its check does not run in this audit
    ],
)
def test_what_can_be_measured_is_not_refused(credit_subject: Subject, metric: str, where: dict[str, object]) -> None:
    require_measurable(policy(metric, **where), CHECKS, [credit_subject.test])


def test_a_group_that_only_some_of_the_parts_have_is_known(credit_subject: Subject) -> None:
    test = credit_subject.test
    without = test[[place for place, group in enumerate(test.groups("foreign_worker")) if group != "yes"]]
    asked = policy("fairness.accuracy", attribute="foreign_worker", group="yes")
    with pytest.raises(ConfigurationError, match="the group 'yes' of 'foreign_worker', which the data do not have"):
        require_measurable(asked, CHECKS, [without])
    require_measurable(asked, CHECKS, [without, test])
