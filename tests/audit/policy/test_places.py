"""Places: a rule about a group or an eps that will never be measured is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import Audit, Policy, Subject
from audit.check import make_check, metric_names
from audit.policy.measured_places import RANGES, VALUES, WHERE, require_askable
from audit.policy.places import require_measurable
from audit.policy.shipped import shipped_policies
from audit.supply_chain.findings import SEVERITIES
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
        ("fairness.accuracy", {"atribute": "age_years"}, "'atribute' in where, by which fairness.accuracy is never told; did you mean"),
        ("performance.accuracy", {"attribute": "age_years"}, "performance.accuracy is never told; leave where out"),
        ("fairness.accuracy", {"group": "yes"}, "the group 'yes' of no attribute; name its attribute"),
        ("supply_chain.findings", {"severity": "critical"}, "severity = 'critical', which supply_chain.findings never has.*high"),
        ("robustness.accuracy", {"rows": "vlaid"}, "rows = 'vlaid', which robustness.accuracy never has; did you mean 'valid'"),
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
        ("privacy.membership_tpr", {"fpr": "0.05"}),
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


@pytest.mark.parametrize(
    ("metric", "limits", "message"),
    [
        ("performance.accuracy", {"min": 1.5}, "min = 1.5, and performance.accuracy lies between 0 and 1; state shares as fractions"),
        ("performance.accuracy", {"min": -3}, "min = -3, and performance.accuracy lies between 0 and 1"),
        ("performance.gain_over_majority", {"max": -1.5}, "max = -1.5, and performance.gain_over_majority lies between -1 and 1"),
        ("data.rows", {"min": -1}, "min = -1, and data.rows lies between 0 and inf"),
    ],
)
def test_a_limit_that_no_value_could_cross_is_refused_with_the_range(metric: str, limits: dict[str, float], message: str) -> None:
    rule = {"id": "R", "metric": metric, "set_by": "s", "rationale": "r", **limits}
    with pytest.raises(ConfigurationError, match=message):
        require_askable(Policy.model_validate({"policy": {"id": "p"}, "rule": [rule]}).rule[0])


def test_where_and_ranges_are_of_metrics_that_exist_and_fit_a_released_audit() -> None:
    assert WHERE.keys() | RANGES.keys() <= set(metric_names())
    assert VALUES["supply_chain.findings severity"] == tuple(SEVERITIES[::-1])
    golden = Audit.load(Path(__file__).parents[2] / "golden" / "bundle-v1")
    measured = [m for e in golden.evidence for m in e.metrics if m.value is not None]
    assert len(measured) > 20
    for m in measured:
        assert set(m.where) <= set(WHERE.get(m.name, ())), m.name
        for key, value in m.where.items():
            assert value in VALUES.get(f"{m.name} {key}", VALUES.get(key, (value,))), m.name
        low, high = RANGES.get(m.name, (0, 1))
        assert m.low is not None
        assert m.high is not None
        assert low <= m.low <= m.high <= high, m.name


@pytest.mark.parametrize("name", shipped_policies())
def test_every_shipped_policy_asks_for_what_can_be_measured(name: str) -> None:
    for rule in Policy.shipped(name).rule:
        require_askable(rule)
